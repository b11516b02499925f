"""How far back the journal reaches: whole segments are dropped, none that the flows still need after a crash."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from time import time_ns

from gateway.journal.segment import first_offset, segments
from gateway.sqlite_file import files, size

_NOTE = "durable"
_NOTE_BYTES = 25


def drop_old(directory: Path, *, keep: int, max_size: int) -> list[Path]:
    """Delete the oldest segments that are beyond `keep` (ns) or `max_size` (bytes); give which."""
    left = sum(size(path) for path in segments(directory))
    dropped: list[Path] = []
    for path in _read(directory):
        if time_ns() - path.stat().st_mtime_ns <= keep and left <= max_size:
            break
        left -= size(path)
        _drop(path)
        dropped.append(path)
    return dropped


def drop_oldest(directory: Path) -> bool:
    """Delete the oldest segment, however young, where the flows do not need it; tell whether there was one."""
    path = next(_read(directory), None)
    if path:
        _drop(path)
    return path is not None


def unread(directory: Path) -> int:
    """Tell the bytes of the segments that the flows still need."""
    durable, found = read_durable(directory), segments(directory)
    needed = [path for path, following in pairwise(found) if first_offset(following) - 1 > durable]
    return sum(size(path) for path in [*needed, *found[-1:]])


def _read(directory: Path) -> Iterator[Path]:
    """Give the segments that the flows have read to their end and that the writer has left, oldest first."""
    durable = read_durable(directory)
    for path, following in pairwise(segments(directory)):
        if first_offset(following) - 1 > durable:
            return
        yield path


def _drop(path: Path) -> None:
    for one in files(path):
        one.unlink(missing_ok=True)


def read_durable(directory: Path) -> int:
    """Tell the offset up to which the flows' state is durable: their recovery never asks for earlier rows. 0 where the note of it is damaged."""
    try:
        note = (directory / _NOTE).read_bytes()
        offset = int(note.split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    # A note without a checksum is of a version before it.
    return offset if note in {_note(offset), str(offset).encode()} and offset >= 0 else 0


def write_durable(directory: Path, offset: int) -> None:
    """Note that the flows' state is durable up to this offset. Where the disk does not take it, the journal only keeps more than it need.

    It is written over, not replaced: that asks a full disk for nothing, and what a power cut leaves is one note, the other, or none.
    """
    with suppress(OSError):
        fd = os.open(directory / _NOTE, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(fd, _note(offset), 0)
            os.ftruncate(fd, _NOTE_BYTES)
        finally:
            os.close(fd)


def _note(offset: int) -> bytes:
    text = b"%016d" % offset
    return text + b" %08x" % zlib.crc32(text)
