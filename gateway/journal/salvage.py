"""Mending the journal before it is opened: what can be read of a damaged segment goes into a fresh one of the same name."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path

from gateway.disk import sync
from gateway.journal.remains import Remains
from gateway.journal.segment import Segment, first_offset, is_damage, prepare, publish, segments
from gateway.sqlite_file import files, log_of

_ROWS = 64
_NO_END = 1 << 62


SetAside = Callable[[Path, str, str], Path]
"""Moves a damaged file away, with what belongs to it; is told what is wrong with it and what of it is kept; gives where to."""


def mend(directory: Path, set_aside: SetAside) -> list[str]:
    """Make every segment one that can be opened; give a sentence for each that was not.

    The newest is checked as a whole, older ones at both ends: what is damaged within them is passed over by whoever reads them. Where the disk
    does not take the fresh segment, the damaged one stays, and the writer begins another behind it. Only while nothing has the journal open.
    A crash in between loses nothing, and the next call goes on.
    """
    _finish(directory)
    found = segments(directory)
    told = []
    for path, following in zip_longest(found, found[1:]):
        if wrong := _wrong(path, following):
            try:
                told.append(_salvage(path, wrong, set_aside))
            except (OSError, sqlite3.OperationalError) as error:
                told.append(f"journal segment {path.name} is damaged ({wrong}), and cannot be mended now: {error}")
    return told


def _finish(directory: Path) -> None:
    """Give salvaged segments their names where a crash came between, and remove what was begun."""
    for salvaged in directory.glob("*.salvaged"):
        path = salvaged.with_suffix(".db")
        if path.exists():
            salvaged.unlink()
        else:
            publish(salvaged, path)
    for fresh in directory.glob("*.new*"):
        fresh.unlink()


def _wrong(path: Path, following: Path | None) -> str:
    """Say what is wrong with a segment; empty where nothing is, or where the disk does not let that be told now."""
    if not path.is_file():
        return "it is no file"
    try:
        with closing(Segment(path, untouched=True)) as segment:
            return next(_flaws(segment, following), "")
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else ""


def _flaws(segment: Segment, following: Path | None) -> Iterator[str]:
    first, last = segment.first_offset(), segment.last_offset()
    begin, end = first_offset(segment.path), first_offset(following) if following else _NO_END
    if first is not None and last is not None:
        if not begin <= first <= last < end:
            yield f"it must hold rows from {begin} on, as its name says; got {first} to {last}"
        if [row.offset for row in segment.before(last, 1)] != [last]:
            yield "its last row is not what was written"
    if following is None and (flaw := segment.flaw()):
        yield flaw
    if _logged(segment.path):
        with closing(Remains(segment.path)) as remains:
            lost = [offset for offset in remains.offsets if offset > (last or 0)]
        if lost:
            yield f"its write-ahead log is damaged, and {len(lost)} rows in there are not read"


def _logged(path: Path) -> bool:
    return log_of(path).exists() and log_of(path).stat().st_size > 0


def _salvage(path: Path, wrong: str, set_aside: SetAside) -> str:
    salvaged = prepare(path)
    with closing(Remains(path)) as remains, closing(Segment(salvaged, write="batched")) as fresh:
        rows = len(remains.offsets)
        offset = 0
        while block := remains.after(offset, _ROWS):
            for row in block:
                fresh.append(row)
            offset = block[-1].offset
    for beside in files(salvaged)[1:]:
        beside.unlink(missing_ok=True)
    sync(salvaged)
    ready = salvaged.rename(path.with_suffix(".salvaged"))
    sync(path.parent)
    kept = f"{rows:,} rows of it could be read, and are kept"
    where = set_aside(path, wrong, kept)
    publish(ready, path)
    return f"journal segment {path.name} was damaged ({wrong}): {kept}; the file is {where}"
