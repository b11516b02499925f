"""Whether the flows' state is kept: Bytewax's files can be read, and are as new as they should be."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.quick_check import damage
from gateway.doctor.subject import Subject
from gateway.sqlite_file import log_of

NAME = "recovery"
_LATE = 3
"""How many snapshots may be missed before it is a complaint."""

_SLACK = 30.0
"""Seconds that a start, or one slow snapshot, may take beside."""


def check_recovery(subject: Subject) -> Iterator[Check]:
    """Run SQLite's check on each file, and hold the newest snapshot's age against `flows.snapshot` while the flows run."""
    files = sorted((subject.data / "recovery").glob("*.sqlite3"))
    if not files:
        yield Check.fine(NAME, "there is none yet")
        return
    wrong = {path: damage(path, running=subject.running, full=subject.full) for path in files}
    for path, said in wrong.items():
        if said:
            advice = "the next start of `sluice up` sets it aside, and the flows begin anew at the oldest row of the journal"
            yield Check.complaint(NAME, f"recovery: {path.name} is damaged: {said}", advice)
    age = min(subject.now - _written(subject, path.name) for path in files) / 1e9
    every = subject.settings.flows.snapshot / 1e9
    allowed = _LATE * every + _SLACK
    if subject.up and age > allowed and subject.now - subject.up.get("started", subject.now) > allowed * 1e9:
        said = f"recovery: the newest snapshot must be at most {amounts.time(every)} old (flows.snapshot); got {amounts.time(age)}"
        yield Check.complaint(NAME, said, "the flows hang, or wait for room on the disk: look at the checks `parts` and `disk`")
    elif not any(wrong.values()):
        yield Check.fine(NAME, f"the newest snapshot is {amounts.time(max(0.0, age))} old")


def _written(subject: Subject, name: str) -> int:
    """Give when a file or its write-ahead log was last written, in epoch ns."""
    path = subject.data / "recovery" / name
    return max(one.stat().st_mtime_ns for one in (path, log_of(path)) if one.exists())
