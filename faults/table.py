"""The table of what each fault came to, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Iterable

from faults.rig.rig import Result

COLUMNS = (
    *("fault", "what", "sent", "stored", "rejected", "dropped", "buffered", "LOST", "PHANTOM", "EXTRA", "WINDOW DIFF"),
    *("commands", "recovered", "peak memory", "bars"),
)
_WIDTHS = (5, 44, 8, 8, 8, 8, 8, 6, 7, 7, 15, 8, 9, 11, 8)


def cells(result: Result) -> list[str]:
    """Give a result as the cells of its row."""
    if result.skipped:
        return [result.number, f"{result.about}: not run: {result.skipped}", *[""] * (len(COLUMNS) - 2)]
    counts = [""] * 10
    if found := result.account:
        extra = f"{100 * found.extra / found.stored:.1f} %" if found.stored else "0"
        numbers = (found.sent, found.stored, found.rejected, found.dropped, found.buffered, found.lost, found.phantom)
        counts = [*(f"{number:,}" for number in numbers), extra, f"{found.window_diff:,} of {found.windows:,}", f"{found.commands:,}"]
    recovered = f"{result.recovered:.1f} s" if result.recovered else ""
    memory = f"{result.memory / 1e6:.0f} MB" if result.memory else ""
    return [result.number, result.about, *counts, recovered, memory, "held" if not result.missed else f"{len(result.missed)} missed"]


def row(result: Result) -> str:
    """Give a row for a terminal."""
    return "  ".join(cell[:width].ljust(width) for cell, width in zip(cells(result), _WIDTHS, strict=True)).rstrip()


def lines(results: Iterable[Result]) -> list[str]:
    """Give the table for a terminal."""
    head = "  ".join(name.ljust(width) for name, width in zip(COLUMNS, _WIDTHS, strict=True)).rstrip()
    return [head, *(row(result) for result in results)]


def markdown(results: Iterable[Result]) -> str:
    """Give the table for a page."""
    rule = ["---"] * 2 + ["---:"] * (len(COLUMNS) - 3) + ["---"]
    rows = [list(COLUMNS), rule, *(cells(result) for result in results)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in one)} |" for one in rows)
