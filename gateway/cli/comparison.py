"""What a test in a flow file expected against what it got, as a small table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.trial import Compared
from gateway.screen import aligned, shown

_HEAD = ("", "", "expected", "got")


def show(rows: Sequence[Compared], console: Console) -> None:
    """Print what was compared, what differs marked: a table that fits a terminal, or aligned lines as long as they are."""
    cells = [_cells(one) for one in rows]
    if console.is_terminal:
        console.print(_table(cells, rows))
    else:
        for line in aligned([_HEAD, *cells]):
            console.print(f"  {line}", markup=False)


def _cells(one: Compared) -> tuple[str, ...]:
    return "✓" if one.same else "✗", one.what, shown(one.expected or "none"), shown(one.got or "none")


def _table(cells: Sequence[Sequence[str]], rows: Sequence[Compared]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=True, header_style="dim")
    for name in _HEAD:
        table.add_column(name, overflow="fold")
    for row, one in zip(cells, rows, strict=True):
        table.add_row(*(Text(cell, style="dim" if one.same else "") for cell in row))
    return table
