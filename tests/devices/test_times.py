"""Timestamps: every form to the nanosecond, and the reason for the time that a reading has."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import Message
from devices.samples import RECEIVED
from devices.timestamps import EARLIEST, SECOND, parse, settle

NOON = 1_714_564_800 * SECOND  # 2024-05-01T12:00:00Z


@pytest.mark.parametrize(
    ("written", "ns", "local"),
    [
        ("2024-05-01T12:00:00Z", NOON, False),
        ("2024-05-01T12:00:00.5Z", NOON + SECOND // 2, False),
        ("2024-05-01T12:00:00,123456789Z", NOON + 123456789, False),
        ("2024-05-01T12:00:00.1234567891Z", NOON + 123456789, False),
        ("2024-05-01T14:00:00+02:00", NOON, False),
        ("2024-05-01T14:00:00+0200", NOON, False),
        ("2024-05-01T14:00:00+02", NOON, False),
        ("2024-05-01 07:30:00 -04:30", NOON, False),
        ("2024-05-01 12:00:00 UTC", NOON, False),
        ("2024-05-01T12:00Z", NOON, False),
        ("2024-05-01T12:00:00", NOON, True),
        ("2024-05-01 12:00", NOON, True),
        ("2024.05.01 12:00:00", NOON, True),
        ("2024/05/01 12:00:00", NOON, True),
        (1714564800, NOON, False),
        (1714564800.25, NOON + SECOND // 4, False),
        (1714564800123, NOON + 123_000_000, False),
        (1714564800123456, NOON + 123_456_000, False),
        (1714564800123456789, NOON + 123_456_789, False),
        ("1714564800123", NOON + 123_000_000, False),
        ("1714564800.123456789", NOON + 123_456_789, False),
    ],
)
def test_parse_reads_every_form(written, ns, local):
    """A time in any usual form is read to the nanosecond."""
    stamp = parse(written)
    assert (stamp.ns, stamp.local) == (ns, local)


@pytest.mark.parametrize(
    "written",
    ["", "soon", "12:30", "2024-13-01T00:00:00Z", "2024-05-01", "2024-05-01T12:00:00 Mars",
     "2024-05-01T25:00:00Z", "2024-05-01T11:55:Z", 42, -1, True, None,
     [], {}, "2024-05-01T12:00:00+99:99:99", 10**30, "²024-05-01T12:00:00Z", "2024-05-01T12:00:00.²Z"],
)  # fmt: skip
def test_parse_leaves_the_rest(written):
    """What is no time is no time, and raises nothing."""
    assert parse(written) is None


@given(st.datetimes(min_value=datetime(2001, 1, 2), max_value=datetime(2200, 1, 1)), st.integers(-14 * 4, 14 * 4))  # noqa: DTZ001
def test_parse_agrees_with_the_standard_library(moment, quarters):
    """Any moment in any zone reads as datetime itself reads it."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=15 * quarters)))
    whole = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert parse(aware.isoformat()).ns == whole


@pytest.mark.parametrize(
    ("ns", "source"),
    [(NOON, "device"), (NOON + 300 * SECOND, "device"), (NOON + 301 * SECOND, "received-insane"), (0, "received-insane"),
     (EARLIEST, "device"), (EARLIEST - 1, "received-insane")],
)  # fmt: skip
def test_settle_keeps_only_sane_times(ns, source):
    """Five minutes ahead and the year 2001 are the ends of what a set clock can show."""
    ts, why = settle(ns, Message("t", b"", NOON))
    assert why == source
    assert ts == (ns if source == "device" else NOON)


def one(catalogue, topic, payload, received=RECEIVED):
    return catalogue.readings(Message(topic, payload, received))[0]


def test_local_time_takes_the_profiles_zone():
    """A local time without a zone is placed by the profile; in autumn's double hour the one nearer to the receive time."""
    catalogue = Catalogue([Profile(devices=["attic", "well"], timezone="Europe/Berlin")])
    reading = one(catalogue, "tele/attic/SENSOR", b'{"Time":"2026-09-02T13:58:00","ANALOG":{"A0":1}}')
    assert (reading.ts, reading.time_source) == (parse("2026-09-02T11:58:00Z").ns, "profile-offset")
    reading = one(catalogue, "farm/well", b'{"time":"2025-10-26 02:30:00","level":1}')
    assert reading.ts == parse("2025-10-26T01:30:00Z").ns
    message = Message("farm/well", b'{"time":"2025-10-26 02:30:00","level":2}', parse("2025-10-26T00:31:00Z").ns)
    assert catalogue.readings(message)[0].ts == parse("2025-10-26T00:30:00Z").ns


def test_learned_offset_beats_the_profile_and_ages():
    """The device's own words go first; two days later they are no longer trusted across a change of summer time."""
    catalogue = Catalogue([Profile(devices=["*"], timezone="Asia/Tokyo")])
    one(catalogue, "tele/p/STATE", b'{"Time":"2026-08-01T13:50:00","Epoch":1785585000,"POWER":"ON"}')
    assert one(catalogue, "tele/p/SENSOR", b'{"Time":"2026-08-02T13:50:00","A":{"A0":1}}').time_source == "learned-offset"
    assert one(catalogue, "tele/p/SENSOR", b'{"Time":"2026-08-05T13:50:00","A":{"A0":1}}').time_source == "profile-offset"


def test_offset_is_never_guessed_from_the_receive_time():
    """A message that waited an hour in a queue looks like another zone; so it gets its receive time, and says so."""
    reading = one(Catalogue(), "tele/p/SENSOR", b'{"Time":"2026-09-02T11:00:00","A":{"A0":1}}')
    assert (reading.ts, reading.time_source) == (RECEIVED, "received-no-zone")


def test_bad_clock_teaches_nothing():
    """A clock far off its own Epoch is no zone."""
    catalogue = Catalogue()
    one(catalogue, "tele/p/STATE", b'{"Time":"1970-01-01T00:00:20","Epoch":1788349800,"POWER":"ON"}')
    assert catalogue.learned["tasmota"] == {}


def test_record_times_hold_for_what_is_inside():
    """An outer time holds for all inner values that have none of their own."""
    payload = b'{"ts": 1788350000, "a": {"x": 1}, "b": {"ts": 1788350060, "x": 2}}'
    inner, outer = Catalogue().readings(Message("farm/x", payload, RECEIVED))
    assert (inner.ts, outer.ts) == (1788350000 * SECOND, 1788350060 * SECOND)


@pytest.mark.parametrize(
    "written",
    [
        "20260715T120000Z",
        "20260715T140000+0200",
        "Wed, 15 Jul 2026 12:00:00 GMT",
        "15 Jul 2026 12:00:00 +0000",
        "15.07.2026 12:00:00Z",
        "2026-07-15T14:00:00 Europe/Berlin",
        "2026-07-15T14:00:00+02:00[Europe/Berlin]",
        "2026-07-15T11:59:60Z",
        "/Date(1784116800000)/",
    ],
)
def test_further_forms_of_one_moment(written):
    """Basic ISO, mail and HTTP, the day first, a zone by name, a leap second and .NET all say one moment."""
    assert parse(written) == parse("2026-07-15T12:00:00Z")


@pytest.mark.parametrize(
    "written", ["32.13.2026 12:00:00", "Wed, 15 Foo 2026 12:00:00 GMT", "2026-07-15T12:00:00 Mars/Base", "12345678901x34"]
)
def test_what_only_looks_like_a_time_is_none(written):
    """A form that is known with values that no calendar has is no time."""
    assert parse(written) is None


def test_a_gateway_without_a_clock_believes_its_devices():
    """What is stamped long after 1970 is sane where the gateway's clock may be that far behind; what has no time of its own is marked."""
    catalogue = Catalogue()
    behind = Message("load/d-1", b'{"ts": 1764547200000, "temperature": 21.5}', 100 * SECOND, ahead=NOON * 2)
    assert [(one.ts, one.time_source) for one in catalogue.readings(behind)] == [(1_764_547_200 * SECOND, "device")]
    untimed = Message("load/d-2", b'{"temperature": 21.5}', 100 * SECOND)
    assert [(one.ts, one.time_source) for one in catalogue.readings(untimed)] == [(100 * SECOND, "received-unsynchronised")]
