"""Grids: where windows begin by the wall clock, on the days on which it is put forward, put back, or misses a day."""

from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from flows.windows import Grid
from flows.windows.grid import DAY, SECOND

_SPEC = spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
reference = module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)

HOUR = 3600 * SECOND


def at(text, zone="UTC", fold=0):
    """Read a wall time as ns."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * SECOND


def walk(grid, start, end):
    """List a grid's boundaries from that of `start` on, up to `end`."""
    found = [grid.floor(start)]
    while found[-1] < end:
        found.append(grid.next(found[-1]))
    return found


PLACES = [
    ("Europe/Berlin", "2026-03-27"),
    ("Europe/Berlin", "2026-10-23"),
    ("America/Havana", "2026-03-06"),
    ("America/Havana", "2026-10-30"),
    ("America/Sao_Paulo", "2018-11-02"),
    ("America/Sao_Paulo", "2018-02-16"),
    ("America/St_Johns", "2010-11-05"),
    ("Australia/Lord_Howe", "2026-04-03"),
    ("Australia/Lord_Howe", "2026-10-02"),
    ("Pacific/Apia", "2011-12-28"),
    ("Asia/Kathmandu", "2026-01-01"),
]
LENGTHS = ["day", "week", timedelta(days=2), *(timedelta(minutes=n) for n in (10, 30, 60, 90, 240, 720))]


@pytest.mark.parametrize(("zone", "start"), PLACES)
def test_calendar_grid_is_what_walking_along_the_wall_clock_finds(zone, start):
    """At every boundary that a minute hand meets, and nowhere else; every time between two belongs to the first."""
    begin = reference.instant(start)
    for length in LENGTHS:
        grid = Grid.of(length if isinstance(length, str) else int(length.total_seconds()) * SECOND, zone)
        edges = reference.boundaries(ZoneInfo(zone), length, begin - timedelta(days=7), 24 * 12)
        first = int(begin.timestamp()) * SECOND
        edges = [edge for edge in edges if edge >= max(e for e in edges if e <= first)]
        got = [edge for edge in walk(grid, first, first + 4 * DAY) if edge <= edges[-1]]
        assert got == edges[: len(got)], (length, zone)
        for edge, following in pairwise(got):
            assert grid.floor(edge) == grid.floor(following - 1) == edge
            assert following - edge <= grid.longest


def test_days_have_as_many_hours_as_the_clock_says():
    """In Berlin the day on which summer time begins has 23 hours, and the one on which it ends 25."""
    grid = Grid.of("day", "Europe/Berlin")
    lengths = [(grid.next(start := at(day, "Europe/Berlin")) - start) // HOUR for day in ("2026-03-28", "2026-03-29", "2026-10-25")]
    assert lengths == [24, 23, 25]


def test_hour_that_comes_twice_begins_twice():
    """Windows of four hours begin once at each; one hour long, the second 02:00 begins another."""
    first, second = at("2026-10-25T02:00", "Europe/Berlin"), at("2026-10-25T02:00", "Europe/Berlin", fold=1)
    hours = Grid.of(HOUR, "Europe/Berlin")
    assert (hours.floor(first), hours.next(first)) == (first, second)
    fours = Grid.of(4 * HOUR, "Europe/Berlin")
    assert fours.next(at("2026-10-25T00:00", "Europe/Berlin")) - at("2026-10-25T00:00", "Europe/Berlin") == 5 * HOUR


def test_time_that_is_jumped_over_begins_at_the_jump():
    """02:00 does not come on that day: a window of two hours ends with the hour before it."""
    grid = Grid.of(2 * HOUR, "Europe/Berlin")
    midnight = at("2026-03-29T00:00", "Europe/Berlin")
    assert [edge - midnight for edge in walk(grid, midnight, midnight + 5 * HOUR)] == [0, 2 * HOUR, 3 * HOUR, 5 * HOUR]


def test_weeks_begin_on_monday_and_several_days_count_from_one():
    """As ISO 8601 has it; 14 days count from Monday, 1970-01-05."""
    assert Grid.of("week", None).floor(at("2026-11-24T12:00")) == at("2026-11-23")
    fortnight = Grid.of(14 * DAY, "UTC").floor(at("2026-11-24T12:00"))
    assert (fortnight - at("1970-01-05")) % (14 * DAY) == 0
    assert datetime.fromtimestamp(fortnight // SECOND, UTC).weekday() == 0


def test_months_begin_on_their_first():
    """They have as many days as the calendar says, and Berlin's March an hour less."""
    grid = Grid.of("month", "Europe/Berlin")
    edges = walk(grid, at("2026-02-28T23:59", "Europe/Berlin"), at("2026-04-20", "Europe/Berlin"))
    assert edges == [at(f"2026-{month:02}-01", "Europe/Berlin") for month in (2, 3, 4, 5)]
    assert edges[2] - edges[1] == 31 * DAY - HOUR


def test_lengths_without_a_time_zone_count_from_1970():
    """Without a calendar, windows are multiples of their length."""
    assert Grid.of(7 * DAY, None).floor(at("2026-11-24")) == at("2026-11-24") // (7 * DAY) * 7 * DAY


@pytest.mark.parametrize("length", [7 * HOUR, DAY + HOUR, SECOND // 2 + 1, "year"])
def test_length_that_fits_no_calendar_is_refused(length):
    """Parts of a day divide it; longer ones are whole days, or the words."""
    with pytest.raises(ValueError, match="windows by a calendar"):
        Grid.of(length, "Europe/Berlin")


def test_unknown_time_zone_is_refused():
    """Time zones have the names of the IANA database."""
    with pytest.raises(ZoneInfoNotFoundError):
        Grid.of("day", "Europe/Atlantis")
