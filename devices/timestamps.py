"""A device's own timestamp, in the forms devices write, to the nanosecond and without a detour through float.

ISO 8601 and RFC 3339 with or without a zone (`2024-05-01T12:00:00.123456789+02:00`, `2024-05-01 12:00:00`, `2024.05.01 12:00:00`), also in the
basic form or with the zone's name, dates with the day first, the forms of mail, HTTP and .NET, and epoch numbers in s, ms, µs or ns, told apart
by size, also as text. The choice of D2: what lies beyond `received + 5 min`, or before 2001, comes from a clock that is not set, and gets the
receive time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from devices.reading import Message, TimeSource

SECOND: Final = 1_000_000_000
AHEAD: Final = 300 * SECOND
"""How far beyond the receive time a device's clock may be."""
EARLIEST: Final = 978_307_200 * SECOND
"""2001-01-01T00:00:00Z."""
RELEASED: Final = 1_704_067_200 * SECOND
"""2024-01-01T00:00:00Z, before which there was no Sluice: a gateway whose clock shows less has not set it yet."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (local times are reckoned as if they were UTC, then shifted)
_EPOCH_UTC: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE: Final = timedelta(seconds=1)
_SECONDS: Final = {f"{second:02}": second * SECOND for second in range(61)}
"""60 is a leap second: the first of the next minute."""


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
    if size < 10 or size > 48:
        return None
    if not text[0].isdigit():
        return _worded(text)
    if text[4] not in "-./":
        return _epoch(text) if text.isascii() and text.replace(".", "", 1).isdigit() else _other(text)
    minute = _minute(text[:16])
    if minute is None:
        return None
    if text[16:17] != ":":
        return _with_tail(minute, text[16:])
    second = _SECONDS.get(text[17:19])
    return None if second is None else _with_tail(minute + second, text[19:])


_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T?(\d\d)(\d\d)(\d\d)?(.*)")
_DAY_FIRST = re.compile(r"(\d\d)\.(\d\d)\.(\d{4}),? (\d\d:\d\d(?::\d\d)?.*)")
_MAIL = re.compile(r"(?:[A-Z][a-z]{2,8}, )?(\d\d?)[ -]([A-Z][a-z]{2})[ -](\d{4}) (\d\d:\d\d:\d\d.*)")
_DOTNET = re.compile(r"/Date\((\d{1,19})[^)]*\)/")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _other(text: str) -> Stamp | None:
    """Return a time in ISO's basic form, or with the day first, as much of Europe writes it.

    >>> _other("20240501T120000Z") == _other("01.05.2024 12:00:00Z") == parse("2024-05-01T12:00:00Z")
    True
    """
    if match := _BASIC.fullmatch(text):
        year, month, day, hour, minute, second, tail = match.groups()
        return _written(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{tail}")
    match = _DAY_FIRST.fullmatch(text)
    return _written(f"{match[3]}-{match[2]}-{match[1]}T{match[4]}") if match else _worded(text)


def _worded(text: str) -> Stamp | None:
    """Return a time as mail and HTTP write it (RFC 5322, 3.3; RFC 9110, 5.6.7), or as JSON of .NET does.

    >>> _worded("Wed, 01 May 2024 12:00:00 GMT") == _worded("/Date(1714564800000)/") == parse("2024-05-01T12:00:00Z")
    True
    """
    if match := _DOTNET.fullmatch(text):
        return Stamp(int(match[1]) * 1_000_000)
    match = _MAIL.fullmatch(text)
    if match is None or match[2] not in _MONTHS:
        return None
    return _written(f"{match[3]}-{_MONTHS.index(match[2]) + 1:02}-{int(match[1]):02}T{match[4]}")


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
    if shift is not None:
        return Stamp(ns - shift * SECOND)
    if not zone.strip():
        return Stamp(ns, local=True)
    named = _named_zone(zone)
    return None if named is None else Stamp(in_zone(ns, named, 0))


@lru_cache(maxsize=256)
def _named_zone(text: str) -> ZoneInfo | None:
    """Return the zone of a name such as `Europe/Berlin`."""
    try:
        return ZoneInfo(text.strip()) if "/" in text and text.isascii() else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=256)
def _zone(zone: str) -> int | None:
    """Return the offset in seconds of `Z`, `UTC`, `+02:00`, `+0200`, `+02`, whatever name follows in brackets (RFC 9557); None for anything else."""
    zone = zone.partition("[")[0].strip() if zone.endswith("]") else zone.strip()
    if zone in ("Z", "z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "")
    if zone[:1] not in ("+", "-") or len(digits) not in (2, 4) or not (digits.isascii() and digits.isdigit()):
        return None
    seconds = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -seconds if zone[0] == "-" else seconds


def in_zone(local: int, zone: ZoneInfo, received: int) -> int:
    """Return the epoch ns at which a wall clock in `zone` shows `local`.

    Of two such moments, in autumn, the later, unless what was `received` then cannot have been said yet.

    >>> in_zone(parse("2024-05-01T12:00:00").ns, ZoneInfo("Europe/Berlin"), 0) == parse("2024-05-01T10:00:00Z").ns
    True
    """
    seconds, rest = divmod(local, SECOND)
    try:
        moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=zone)
        earlier, later = ((moment.replace(fold=fold) - _EPOCH_UTC) // _ONE * SECOND + rest for fold in (0, 1))
    except OverflowError:
        return local
    return later if earlier < later <= received + AHEAD else earlier


def settle(ns: int, message: Message, source: TimeSource = "device") -> tuple[int, TimeSource]:
    """Return the event time to use and why: the device's, unless no clock that is set can have shown it.

    >>> settle(0, Message("t", b"", received=1_714_564_800 * SECOND))
    (1714564800000000000, 'received-insane')
    """
    if EARLIEST <= ns <= message.received + message.ahead + AHEAD:
        return ns, source
    return message.received, "received-insane"
