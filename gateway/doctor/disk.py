"""Whether there is room on the disk of the data folder, and for how long."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.quick_check import opened
from gateway.doctor.subject import Subject
from gateway.sqlite_file import size

NAME = "disk"
_FEW_FILES = 100
"""Files that can still be made, below which it is a complaint."""

_SPAN = 600
"""Seconds of readings from which on growth can be told."""

_FIRST = "SELECT at FROM batches ORDER BY id LIMIT 1"
_LAST = "SELECT at FROM batches ORDER BY id DESC LIMIT 1"
_ROOM = "make room, or keep less: history.keep, history.max_size, journal.max_size"


def check_disk(subject: Subject) -> Iterator[Check]:
    """Hold free bytes against `disk.reserve`; complain of a disk that is read-only, or has no room for another file."""
    disk = os.statvfs(subject.data)
    free, reserve = disk.f_bavail * disk.f_frsize, subject.settings.disk.reserve
    complaints = []
    if disk.f_flag & os.ST_RDONLY:
        advice = "the system makes a disk read-only when it fails: look at what the kernel logs (`dmesg`), and replace or mount it again"
        complaints.append(Check.complaint(NAME, f"disk: {subject.data} is on a disk that is mounted read-only", advice))
    if disk.f_files and disk.f_favail < _FEW_FILES:
        said = f"disk: only {disk.f_favail:,} more files can be made on the disk of {subject.data} (inodes)"
        complaints.append(Check.complaint(NAME, said, "delete small files of others on that disk (`df -i`)"))
    if free < reserve:
        said = f"disk: {amounts.size(reserve)} must be free (disk.reserve); got {amounts.size(free)}: the store sheds its oldest rows"
        complaints.append(Check.complaint(NAME, said, _ROOM))
    yield from complaints or [
        Check.fine(NAME, f"{amounts.size(free)} free, {amounts.size(reserve)} in reserve{_lasts(subject, free - reserve)}")
    ]


def _lasts(subject: Subject, room: int) -> str:
    """Say how long the room lasts at the store's present growth, where that can be told."""
    path, history = subject.data / "store.db", subject.settings.history
    try:
        with opened(path, running=subject.running) as connection:
            first, last = connection.execute(f"SELECT ({_FIRST}), ({_LAST})").fetchone()
    except (sqlite3.Error, OSError):
        return ""
    span = (last - first) / 1e9 if isinstance(first, int) and isinstance(last, int) else 0
    if span < _SPAN:
        return ""
    growth = size(path) / span
    most = min(growth * history.keep / 1e9, history.max_size or float("inf"))
    if most - size(path) <= room:
        return f"; enough for all that history.keep holds at the present growth of {amounts.size(growth * 86_400)} a day"
    return f"; it lasts {amounts.time(room / growth)} at the present growth of {amounts.size(growth * 86_400)} a day, then the oldest readings go"
