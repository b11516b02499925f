"""One YAML file as plain values, with the place of every key and value in it, counted from 1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml.nodes import ScalarNode

from gateway.findings.finding import Finding

Step = str | int
"""One step of a path into a document: a key of a mapping, or a number in a list."""

_LONGEST_MESSAGE = 300


class Place(NamedTuple):
    """A line and a column of a file, from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True)
class Entry:
    """Where a key and its value stand; the scalar is kept for places within it."""

    key: Place
    value: Place
    origin: str = ""  # the variable that an override came from
    scalar: ScalarNode | None = None  # as written, before `${NAME}` was filled in, so that no finding prints a secret


@dataclass
class Document:
    """The values of one file (`data`), where each stands, and what was wrong with reading it.

    Override values with `override` before the document is checked. `unread` holds the paths of values that already have a finding.
    `folder` is where the file lies, for paths in it that start there.
    Guarantee: `finding` never prints what `${NAME}` stood for.
    """

    file: str
    text: str = ""
    folder: Path = Path()
    data: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    entries: dict[tuple[Step, ...], Entry] = field(default_factory=dict, repr=False)
    unread: set[tuple[Step, ...]] = field(default_factory=set)

    def place(self, at: tuple[Step, ...], *, key: bool = False, offset: int | None = None) -> Place:
        """Tell where the value (or the key) at a path stands, or the nearest thing above it that is there.

        `offset` counts characters into a text value; where the file does not hold that text as it stands (escapes, folded lines, a
        variable), it is the value's own place.
        """
        entry = self._nearest(at)
        if entry is None:
            return Place(self.file, 1, 1)
        if key or at not in self.entries:
            return entry.key
        inside = None if offset is None or entry.scalar is None else _inside(entry.scalar, self.text, offset=offset)
        return entry.value if inside is None else Place(entry.value.file, *inside)

    def finding(self, at: tuple[Step, ...], message: str, *, key: bool = False, offset: int | None = None, show: bool = False) -> Finding:
        """Make a finding at that place; `show` adds what the value was."""
        entry = self._nearest(at)
        origin = f"{entry.origin}: " if entry is not None and entry.origin else ""
        message = message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
        return Finding(*self.place(at, key=key, offset=offset), origin + message, self.got(at) if show and self._has(at) else None)

    def _has(self, at: tuple[Step, ...]) -> bool:
        """Tell whether there is a value at a path; where a default holds, there is none."""
        value: Any = self.data
        for step in at:
            if isinstance(value, list):
                value = dict(enumerate(value))
            if not isinstance(value, Mapping) or step not in value:
                return False
            value = value[step]
        return True

    def got(self, at: tuple[Step, ...]) -> str:
        """Show the value at a path as the file has it, on one line and shortened."""
        entry = self.entries.get(at)
        value: Any = self.data
        for step in at:
            value = value[step]
        if isinstance(value, Mapping):
            return "a mapping" if value else "{}"
        if isinstance(value, list):
            return "a list" if value else "[]"
        if value is None:
            return "nothing"
        written = str(entry.scalar.value) if entry is not None and entry.scalar is not None else str(value)
        written = re.sub(r"//[^/@\s]*@", "//…@", written)
        written = written if len(written) <= 60 else written[:59] + "…"
        return repr(written) if isinstance(value, str) else written

    def holds(self, at: tuple[Step, ...]) -> bool:
        """Tell whether the file has a key (or a list item) at this path, be it empty."""
        return at in self.entries

    def override(self, at: tuple[str, ...], value: Any, *, origin: str) -> None:
        """Put the value of the environment variable `origin` over what the file has at a path; findings about it then name the variable."""
        holder = self.data
        for step in at[:-1]:
            below = holder.get(step)
            holder[step] = below if isinstance(below, dict) else {}
            holder = holder[step]
        holder[at[-1]] = value
        place = Place("environment", 1, 1)
        for length in range(1, len(at) + 1):
            path: tuple[Step, ...] = at[:length]
            if length == len(at) or path not in self.entries:
                self.entries[path] = Entry(place, place, origin)

    def rename(self, at: tuple[Step, ...], name: str) -> bool:
        """Treat the value under a misspelt key as if it stood under `name`; false if that key is there as well."""
        holder: Any = self.data
        for step in at[:-1]:
            holder = holder[step]
        if name in holder:
            return False
        pairs = [(name if key == at[-1] else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(pairs)
        renamed = (*at[:-1], name)
        self.entries |= {(*renamed, *path[len(at) :]): entry for path, entry in self.entries.items() if path[: len(at)] == at}
        self.unread |= {(*renamed, *path[len(at) :]) for path in self.unread if path[: len(at)] == at}
        return True

    def _nearest(self, at: tuple[Step, ...]) -> Entry | None:
        while at and at not in self.entries:
            at = at[:-1]
        return self.entries.get(at)


def _inside(node: ScalarNode, text: str, *, offset: int) -> tuple[int, int] | None:
    """Give line and column of a character of a scalar, where the file holds the scalar's text as it stands."""
    mark, value = node.start_mark, str(node.value)
    if node.style == "|":
        return _inside_block(node, text.splitlines(), offset=offset)
    start = mark.index + (0 if node.style is None else 1)
    head = value[: offset + 1]
    if "\n" in head or text[start : start + len(head)] != head:
        return None
    return mark.line + 1, mark.column + 1 + (start - mark.index) + offset


def _inside_block(node: ScalarNode, lines: list[str], *, offset: int) -> tuple[int, int] | None:
    head = str(node.value)[:offset]
    number, column = head.count("\n"), len(head) - (head.rfind("\n") + 1)
    written = str(node.value).split("\n")[number]
    row = node.start_mark.line + 1 + number
    if row >= len(lines) or not lines[row].endswith(written):
        return None
    return row + 1, len(lines[row]) - len(written) + column + 1
