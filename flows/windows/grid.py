"""Grids: the boundaries at which windows begin and end, fixed or by a calendar.

Time zones are those of the IANA database (RFC 6557), by `zoneinfo`: the system's copy, else that of the package `tzdata`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
_MINUTE = 60 * SECOND
SHIFT = 3 * 3_600 * SECOND
"""By so much a clock is put back at most, in the zones where people live; a window may be longer by it."""

Period = Literal["day", "week", "month"]
_DAYS: dict[str, int] = {"day": 1, "week": 7, "month": 31}

_MONDAY = date(1970, 1, 5).toordinal()
_UTC = ZoneInfo("UTC")


class Grid(ABC):
    """Boundaries of time, ns. `longest` is the most that two neighbours lie apart."""

    longest: int

    @staticmethod
    def of(length: int | str, timezone: str | None) -> Grid:
        """Make a grid of that length: ns, or "day", "week", "month". With a time zone, or such a word, it follows the wall clock there (or UTC).

        Raises ValueError for a length that fits no calendar, ZoneInfoNotFoundError (a KeyError) for a time zone that is not known.

        >>> (day := Grid.of("day", "Europe/Berlin")).next(day.floor(1_774_750_000 * SECOND)) - day.floor(1_774_750_000 * SECOND) == 23 * DAY / 24
        True
        >>> Grid.of(10, None).floor(1234)
        1230
        """
        if isinstance(length, int) and (timezone is None or _MINUTE % length == 0):  # clocks are set by whole minutes
            return FixedGrid(length)
        zone = ZoneInfo(timezone) if timezone else _UTC
        if isinstance(length, int):
            if length % DAY == 0:
                return CalendarGrid(zone, days=length // DAY)
            if DAY % length == 0 and length % SECOND == 0:
                return CalendarGrid(zone, seconds=length // SECOND)
            raise ValueError(f"windows by a calendar must divide a day into whole seconds, or be whole days; got {length / SECOND:g}s")
        if length not in get_args(Period):
            raise ValueError(f"windows by a calendar last a day, week or month; got {length!r}")
        return CalendarGrid(zone, months=1) if length == "month" else CalendarGrid(zone, days=_DAYS[length])

    @abstractmethod
    def floor(self, ts: int) -> int:
        """Give the last boundary at or before a time."""

    @abstractmethod
    def next(self, boundary: int) -> int:
        """Give the boundary after one."""


class FixedGrid(Grid):
    """Multiples of a length since 1970-01-01T00:00Z."""

    def __init__(self, length: int) -> None:
        self.longest = length

    def floor(self, ts: int) -> int:
        return ts - ts % self.longest

    def next(self, boundary: int) -> int:
        return boundary + self.longest


class CalendarGrid(Grid):
    """Local midnights of every so many days (counted from Monday, 1970-01-05) or of the first of each month, or so many seconds of wall time.

    A midnight that does not exist is the instant of the jump; one that comes twice is its first. Within a day, every instant at which the wall
    clock shows a multiple of the length since midnight is a boundary: both, where it shows it twice; the jump, where it does not show it.
    """

    def __init__(self, zone: ZoneInfo, *, days: int = 0, months: int = 0, seconds: int = 0) -> None:
        self._zone = zone
        self._days, self._months, self._seconds = days, months, seconds
        self.longest = (days * DAY or months * _DAYS["month"] * DAY or seconds * SECOND) + SHIFT
        self._around = lru_cache(maxsize=8)(self._boundaries)

    def floor(self, ts: int) -> int:
        around = self._around(ts // DAY)
        return around[bisect_right(around, ts) - 1]

    def next(self, boundary: int) -> int:
        around = self._around(boundary // DAY)
        return around[bisect_right(around, boundary)]

    def _boundaries(self, day: int) -> tuple[int, ...]:
        """List the boundaries around a day of UTC (counted from 1970): at least one before it and one after it."""
        today = date(1970, 1, 1) + timedelta(days=day)
        if self._seconds:
            near = [today + timedelta(days=off) for off in range(-2, 4)]
            walls = [wall for one in near for wall in _times_of_day(one, self._seconds)]
            return tuple(sorted({instant for wall in walls for instant in _instants(self._zone, wall)}))
        midnights = (datetime(one.year, one.month, one.day) for one in self._dates(today))  # noqa: DTZ001 - wall time, of the grid's zone
        return tuple(sorted({_instants(self._zone, midnight)[0] for midnight in midnights}))

    def _dates(self, today: date) -> list[date]:
        if self._months:
            first = today.replace(day=1)
            before = (first - timedelta(days=2)).replace(day=1)
            after = (first + timedelta(days=32)).replace(day=1)
            return [(before - timedelta(days=2)).replace(day=1), before, first, after, (after + timedelta(days=32)).replace(day=1)]
        number = (today.toordinal() - _MONDAY) // self._days
        return [date.fromordinal(_MONDAY + (number + off) * self._days) for off in range(-3, 5)]


@cache
def _offsets(seconds: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=second) for second in range(0, 86_400, seconds))


def _times_of_day(day: date, seconds: int) -> list[datetime]:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - wall time, of the grid's zone
    return [midnight + off for off in _offsets(seconds)]


def _instants(zone: ZoneInfo, wall: datetime) -> list[int]:
    """Give when a zone's clock shows a time: once, twice, or, where it jumps over it, the instant of the jump. Earliest first, ns."""
    early, late = (_second(wall.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if early > late:  # PEP 495: in a gap, fold=0 reckons with the offset from before it, and fold=1 with that from after it
        return [_jump(zone, late, early) * SECOND]
    return [early * SECOND] if early == late else [early * SECOND, late * SECOND]


def _second(local: datetime) -> int:
    return int(local.timestamp())


def _jump(zone: ZoneInfo, before: int, after: int) -> int:
    """Find the second from which on the later offset holds: it does at `after`, and not yet at `before`."""
    later = datetime.fromtimestamp(after, UTC).astimezone(zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == later:
            after = middle
        else:
            before = middle
    return after
