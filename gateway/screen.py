"""How values, times and names look in a terminal. Names and texts come from devices, so nothing in them may steer the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from devices.reading import Value

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def shown(text: str) -> str:
    r"""Give text that is safe to print: what is not printable (escapes, line breaks, direction marks) as Python would write it.

    >>> shown("fan\x1b[31m\n")
    'fan\\x1b[31m\\n'
    """
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def value_text(value: Value | None, unit: str | None = None) -> str:
    """Give a value with its unit, floats to six digits.

    >>> value_text(21.456789012, "°C"), value_text(True), value_text(None)
    ('21.4568 °C', 'on', '-')
    """
    match value:
        case None:
            return "-"
        case bool():
            text = "on" if value else "off"
        case float():
            text = f"{value:.6g}"
        case int():
            text = str(value)
        case str():
            text = shown(value)
    return f"{text} {shown(unit)}" if unit else text


def time_text(ns: int) -> str:
    """Give an epoch time in this machine's zone, to the second."""
    return f"{datetime.fromtimestamp(ns // 1_000_000_000, tz=UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def ago(ns: int | None, now: int) -> str:
    """Give how long ago a time was.

    >>> ago(0, 90_000_000_000), ago(None, 0)
    ('1 min ago', 'never')
    """
    if ns is None:
        return "never"
    seconds = max(0, now - ns) // 1_000_000_000
    for length, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= length:
            return f"{seconds // length} {name} ago"
    return f"{seconds} s ago"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Give rows as lines whose cells stand below each other.

    >>> list(aligned([("", "expected", "got"), ("a", "1", "2")]))
    ['   expected  got', 'a  1         2']
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
