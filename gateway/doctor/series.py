"""Whether new series are refused for want of room: devices, or names in their topics, without number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

from gateway.doctor.check import Check
from gateway.doctor.quick_check import opened
from gateway.doctor.subject import Subject
from gateway.screen import ago

NAME = "series"
_DAY = 86_400 * 10**9
"""ns for which a refusal is a complaint."""

_KNOWN = "SELECT count(*) FROM series"
_REFUSED = (
    "SELECT count(*), max(received), topic FROM dead_letters WHERE received > ? AND state = 'dead' AND instr(reason, 'limits.series')"
)
_ADVICE = (
    "find out who publishes under ever new names (an id, a time or a counter in a topic), and leave it out of broker.subscribe, or have a profile"
    " name the device by another part of the topic; where there are so many devices indeed, raise limits.series"
)


def check_series(subject: Subject) -> Iterator[Check]:
    """Complain of messages that were refused within the last day since their series were new and `limits.series` was reached."""
    known, refused, last, topic = 0, 0, 0, ""
    with suppress(sqlite3.Error, OSError), opened(subject.data / "store.db", running=subject.running) as connection:
        (known,) = connection.execute(_KNOWN).fetchone()
        refused, last, topic = connection.execute(_REFUSED, (subject.now - _DAY,)).fetchone()
    if refused:
        said = (
            f"{refused:,} messages with new series were refused within the last day, {ago(last, subject.now)} for the last time, of {topic}"
        )
        yield Check.complaint(NAME, f"limits.series is reached: {said}", _ADVICE)
    else:
        yield Check.fine(NAME, f"{known:,} ever; none was refused within the last day")
