"""Whether the system's clock can be true, and whether anything keeps it so."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.subject import Subject
from gateway.journal.reader import newest_row
from gateway.screen import time_text

NAME = "clock"
_RELEASED = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 10**9
"""This version did not exist before: a clock that says so has not been set."""

_END = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 10**9
_SLACK = 5 * 10**9
"""ns that a row may lie ahead: a clock that is kept by steps goes back a little now and then."""

_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")
_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""

_SET = (
    "set the clock and have it kept (`timedatectl set-ntp true`, or chrony); a machine without a clock of its own needs that at every start"
)


class _Timex(ctypes.Structure):
    """The head of adjtimex(2)'s struct timex, and room for its rest; `modes` 0 only reads."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def check_clock(subject: Subject) -> Iterator[Check]:
    """Hold the clock against this version's date and the journal's newest row."""
    newest = newest_row(subject.journal)
    now = time_text(subject.now)
    if not _RELEASED <= subject.now < _END:
        yield Check.complaint(NAME, f"clock: must be between {time_text(_RELEASED)} and 2100; got {now}", _SET)
    elif newest and newest.received > subject.now + _SLACK:
        ahead = amounts.time((newest.received - subject.now) / 1e9)
        said = f"clock: the journal's newest row is of {time_text(newest.received)}, {ahead} ahead of the clock's {now}"
        yield Check.complaint(NAME, said, f"it was set back since, or was wrong then; {_SET}")
    else:
        kept = synchronised()
        yield Check.fine(NAME, f"{now}, {'not known to be' if kept is None else '' if kept else 'not'} synchronised".replace("  ", " "))


def synchronised() -> bool | None:
    """Tell whether something keeps the clock (systemd-timesyncd, or whoever disciplines the kernel's); None where that cannot be known."""
    if _SYNCHRONISED.exists():
        return True
    asked = _Timex()
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked)) < 0:
            return None
    except (OSError, AttributeError):  # not Linux
        return None
    return not asked.status & _UNSYNCHRONISED
