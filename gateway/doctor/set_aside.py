"""What was set aside: files of the data folder that could not be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.doctor.check import Check
from gateway.doctor.subject import Subject
from gateway.screen import time_text
from gateway.set_aside import FOLDER, LOG, events

NAME = "set_aside"
_SHOWN = 10
"""The newest events, each a complaint of its own."""


def check_set_aside(subject: Subject) -> Iterator[Check]:
    """Tell of every file that was set aside, until a person has looked and deletes the folder."""
    folder = subject.data / FOLDER
    if not folder.is_dir():
        yield Check.fine(NAME, "no file of the data folder was ever set aside, or the folder was deleted since")
        return
    advice = f"find out what damaged it (a power cut, a failing disk, another program); then delete {folder}"
    told = [_told(event) for event in events(subject.data)]
    for one in told[-_SHOWN:]:
        yield Check.complaint(NAME, one, advice)
    if len(told) > _SHOWN:
        yield Check.complaint(NAME, f"{len(told) - _SHOWN} older files were set aside", f"{folder / LOG} lists them all")
    if not told:
        yield Check.complaint(NAME, f"{folder}: holds files that were set aside, and no word of when and why", advice)


def _told(event: Mapping[str, Any]) -> str:
    at = event.get("at")
    when = f"{time_text(at)}: " if isinstance(at, int) and 0 <= at < 1 << 62 else ""
    kept = f"; {event['kept']}" if event.get("kept") else ""
    return f"set aside {when}{event['file']}: {event.get('reason', 'no reason is given')}{kept}"
