"""Dead letters in a list, two lines each: which one it is, and below that why it is dead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from gateway.delivery.refused import RefusedRow
from gateway.screen import shown, time_text
from gateway.store.views import Letter

_LONGEST_DEVICE = 24
"""Columns that a device's name gets; a longer one moves what follows it."""
_INDENT = "    "


def letters_lines(letters: Sequence[Letter], *, width: int | None) -> Iterator[str]:
    """Write id, time, device and topic of each letter, and its reason below them; cut to `width` columns, if there is one."""
    rows = [(str(one.id), time_text(one.received), shown(one.device) or "-", shown(one.topic)) for one in letters]
    columns = [max((min(len(row[place]), _LONGEST_DEVICE) for row in rows), default=0) for place in range(3)]
    for row, letter in zip(rows, letters, strict=True):
        yield _cut("  ".join((*(text.ljust(size) for text, size in zip(row, columns, strict=False)), row[3])), width)
        yield _cut(_INDENT + _became(letter), width)


def rows_lines(rows: Sequence[RefusedRow], *, width: int | None) -> Iterator[str]:
    """Write id and destination of each row that was refused, and the reason below them."""
    for one in rows:
        yield _cut(f"{shown(one.name)}  refused by {one.destination}", width)
        yield _cut(_INDENT + shown(one.row.reason), width)


def _became(letter: Letter) -> str:
    """Say what a letter is: replayed, or dead and why. The topic stands above it already."""
    if letter.state == "replayed":
        return f"replayed: {shown(letter.outcome)}"
    tried = f"tried {letter.attempts}×: " if letter.attempts else ""
    return tried + shown(letter.reason.removeprefix(f"topic {letter.topic!r}: "))


def _cut(line: str, width: int | None) -> str:
    text = Text(line)
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    return text.plain
