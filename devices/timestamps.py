"""A device's own timestamp, in the forms devices write, to the nanosecond and without a detour through float.

ISO 8601 and RFC 3339 with or without a zone (`2024-05-01T12:00:00.123456789+02:00`, `2024-05-01 12:00:00`, `2024.05.01 12:00:00`), and
epoch numbers in s, ms, µs or ns, told apart by size, also as text. The choice of D2: what lies beyond `received + 5 min`, or before 2001,
comes from a clock that is not set, and gets the receive time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from devices.reading import TimeSource

SECOND: Final = 1_000_000_000
AHEAD: Final = 300 * SECOND
"""How far beyond the receive time a device's clock may be."""
EARLIEST: Final = 978_307_200 * SECOND
"""2001-01-01T00:00:00Z."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (local times are reckoned as if they were UTC, then shifted)
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE: Final = timedelta(seconds=1)
_SECONDS: Final = {f"{second:02}": second * SECOND for second in range(60)}


class Stamp(msgspec.Struct, frozen=True):
    """A point in time as a device wrote it: epoch ns, or, where `local`, what a wall clock showed, reckoned as if it were UTC."""

    ns: int
    local: bool = False


def parse(value: Any, *, least: float = 100_000_000) -> Stamp | None:
    """Return the time that a JSON value states; None if it states none. A number below `least` is a duration or a counter, not a time.

    >>> parse("2024-05-01T12:00:00.123456789Z").ns, parse(1714564800123).ns
    (1714564800123456789, 1714564800123000000)
    >>> parse("2024-05-01 12:00:00").local, parse(42), parse("soon")
    (True, None, None)
    """
    if isinstance(value, str):
        return _written(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= least:
        return _epoch(value if isinstance(value, int) else repr(value))
    return None


def _epoch(value: int | str) -> Stamp | None:
    """Return an epoch number as ns; the digits of a float are taken as they are written, so none is lost."""
    if isinstance(value, int):
        whole, fraction = value, ""
    else:
        head, _, fraction = value.partition(".")
        if not head.isdigit() or (fraction and not fraction.isdigit()):
            return None
        whole = int(head)
    if whole >= 10**19:
        return None
    unit = (
        SECOND if whole < 100_000_000_000 else 1_000_000 if whole < 100_000_000_000_000 else 1_000 if whole < 100_000_000_000_000_000 else 1
    )
    digits = len(str(unit)) - 1
    return Stamp(whole * unit + int((fraction + "0" * digits)[:digits] or 0))


def _written(text: str) -> Stamp | None:
    size = len(text)
    if size < 10 or size > 48 or not text[0].isdigit():
        return None
    if text[4] not in "-./":
        return _epoch(text) if text.isascii() and text.replace(".", "", 1).isdigit() else None
    minute = _minute(text[:16])
    if minute is None:
        return None
    if text[16:17] != ":":
        return _with_tail(minute, text[16:])
    second = _SECONDS.get(text[17:19])
    return None if second is None else _with_tail(minute + second, text[19:])


@lru_cache(maxsize=1024)
def _minute(text: str) -> int | None:
    """Return the ns of `2024-05-01T12:00`, reckoned as UTC. Neighbouring messages say the same minute, so answers are kept."""
    if len(text) != 16 or text[10] not in "T t" or text[13] != ":":
        return None
    digits = text[:4] + text[5:7] + text[8:10] + text[11:13] + text[14:16]
    if len(digits) != 12 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        moment = datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}00")
    except ValueError:
        return None
    return (moment - _EPOCH) // _ONE * SECOND


def _with_tail(ns: int, tail: str) -> Stamp | None:
    """Return the time with what follows its seconds: a fraction and a zone, or neither."""
    if not tail:
        return Stamp(ns, local=True)
    zone = tail
    if tail[0] in ".,":
        zone = tail[1:].lstrip("0123456789")
        fraction = tail[1 : len(tail) - len(zone)]
        ns += int((fraction + "000000000")[:9])
    shift = _zone(zone)
    if shift is None:
        return None if zone.strip() else Stamp(ns, local=True)
    return Stamp(ns - shift * SECOND)


@lru_cache(maxsize=256)
def _zone(zone: str) -> int | None:
    """Return the offset in seconds of `Z`, `UTC`, `+02:00`, `+0200`, `+02`; None for anything else."""
    zone = zone.strip()
    if zone in ("Z", "z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "")
    if zone[:1] not in ("+", "-") or len(digits) not in (2, 4) or not (digits.isascii() and digits.isdigit()):
        return None
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def in_zone(local: int, zone: ZoneInfo) -> int:
    """Return the epoch ns at which a wall clock in `zone` shows `local` (of two such moments, in autumn, the earlier).

    >>> in_zone(parse("2024-05-01T12:00:00").ns, ZoneInfo("Europe/Berlin")) == parse("2024-05-01T10:00:00Z").ns
    True
    """
    seconds, rest = divmod(local, SECOND)
    try:
        moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=zone)
        return (moment - _EPOCH_UTC) // _ONE * SECOND + rest
    except OverflowError:
        return local


def settle(ns: int, received: int, source: TimeSource = "device") -> tuple[int, TimeSource]:
    """Return the event time to use and why: the device's, unless no clock that is set can have shown it.

    >>> settle(0, received=1_714_564_800 * SECOND)
    (1714564800000000000, 'received-insane')
    """
    if EARLIEST <= ns <= received + AHEAD:
        return ns, source
    return received, "received-insane"
