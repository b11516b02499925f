"""From YAML text to a document: plain values, `${NAME}` filled in, every mistake of the text noted at its place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gateway.findings.document import Document, Entry, Place, Step
from gateway.findings.finding import Finding

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CORE = "tag:yaml.org,2002:"
_AS_WRITTEN = {_CORE + "str", _CORE + "timestamp", _CORE + "value"}  # a date stays the text it is: only the reader of a key knows its zone
_NEEDS_QUOTES = re.compile(r"(?:^|: |- )\s*([!&*%@`{\[])")
_MOST_VALUES = 100_000  # aliases can multiply a small file without end


def compose(text: str, *, file: str, environ: Mapping[str, str]) -> Document:
    """Read YAML text; never raises: what is wrong is in `findings`, and `data` holds whatever could be read."""
    document = Document(file, text)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        document.findings.append(_syntax_finding(error, file=file, text=text))
    except YAMLError as error:  # a character YAML does not allow has no mark
        character = getattr(error, "character", None)
        at = _line_column(text, text.find(chr(character)) if isinstance(character, int) else 0)
        document.findings.append(Finding(file, *at, "a control character has no place in YAML"))
    except RecursionError:
        document.findings.append(Finding(file, 1, 1, "is nested too deeply"))
    else:
        _Builder(document, environ).build(node)
    return document


class _Builder:
    """Turns the node tree into plain values, noting places and collecting what is wrong."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.document = document
        self.environ = environ
        self.scalars = YAML(typ="safe", pure=True).constructor
        self.open: set[int] = set()

    def build(self, node: Node | None) -> None:
        if node is None:
            return
        if not isinstance(node, MappingNode):
            self._finding(node, "a config file holds keys and values, such as `name: value`")
            return
        data = self._mapping(node, ())
        if len(self.document.entries) > _MOST_VALUES:
            self._finding(node, f"holds more than {_MOST_VALUES:,} values")
        self.document.data = data

    def _value(self, node: Node, at: tuple[Step, ...]) -> Any:
        if id(node) in self.open:
            self._finding(node, "an alias stands inside what it names")
            self.document.unread.add(at)
            return None
        if len(self.document.entries) > _MOST_VALUES:
            return None
        self.open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, at)
            if isinstance(node, SequenceNode):
                return self._list(node, at)
            return self._scalar(node, at)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: MappingNode, at: tuple[Step, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in self._pairs(node):
            if not isinstance(key_node, ScalarNode):
                self._finding(key_node, "a key is one word or text; a value that starts with { or [ needs quotes")
                continue
            key = str(key_node.value)
            if key in values:
                self._finding(key_node, f"duplicate key {key!r} (first on line {lines[key]})")
                continue
            lines[key] = key_node.start_mark.line + 1
            self._note((*at, key), key_node, value_node)
            values[key] = self._value(value_node, (*at, key))
        return values

    def _pairs(self, node: MappingNode) -> Iterator[tuple[Node, Node]]:
        """Give the pairs of a mapping; those that `<<: *base` brings come last and give way to its own."""
        own = {str(key.value) for key, _ in node.value}
        merged: list[tuple[Node, Node]] = []
        for key, value in node.value:
            if key.tag == _CORE + "merge" and isinstance(value, MappingNode):
                merged += [(k, v) for k, v in value.value if str(k.value) not in own]
            else:
                yield key, value
        yield from merged

    def _list(self, node: SequenceNode, at: tuple[Step, ...]) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            self._note((*at, index), item, item)
            values.append(self._value(item, (*at, index)))
        return values

    def _scalar(self, node: Node, at: tuple[Step, ...]) -> Any:
        if node.tag in _AS_WRITTEN:
            return self._filled(node, at)
        if not str(node.tag).startswith(_CORE):
            message = f"{str(node.tag)!r} reads as a YAML tag: text that starts with ! needs quotes"
        else:
            try:
                return self.scalars.construct_object(node)
            except (YAMLError, ValueError):
                message = f"{str(node.value)!r} is not what its tag says"
        self._finding(node, message)
        self.document.unread.add(at)
        return None

    def _filled(self, node: Node, at: tuple[Step, ...]) -> str:
        """Fill in each `${NAME}` from the environment."""
        text = str(node.value)
        for match in _VARIABLE.finditer(text):
            if match[1] not in self.environ:
                message = f"the environment variable {match[1]} is not set"
                self.document.findings.append(self.document.finding(at, message, offset=match.start()))
                self.document.unread.add(at)
        return _VARIABLE.sub(lambda match: self.environ.get(match[1], match[0]), text)

    def _note(self, at: tuple[Step, ...], key: Node, value: Node) -> None:
        self.document.entries[at] = Entry(self._place(key), self._place(value), scalar=value if isinstance(value, ScalarNode) else None)

    def _place(self, node: Node) -> Place:
        return Place(self.document.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _finding(self, node: Node, message: str) -> None:
        self.document.findings.append(Finding(*self._place(node), message))


def _syntax_finding(error: MarkedYAMLError, *, file: str, text: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context).replace("<", "").replace(">", "")
    problem = f"{error.context} {problem}" if problem.startswith("but ") else problem
    lines = text.splitlines()
    line = lines[mark.line][: mark.column + 1] if mark.line < len(lines) else ""
    return Finding(file, mark.line + 1, mark.column + 1, f"not YAML: {problem}{_advice(problem, line)}")


def _advice(problem: str, line: str) -> str:
    """Guess at text that YAML takes for something else, from the line up to where it failed."""
    starts = list(_NEEDS_QUOTES.finditer(line))
    if problem.startswith("expected ',' or") and "stream end" not in problem:
        return "; a text with one of , [ ] { } in it needs quotes here"
    if starts and (starts[-1][1] not in "{[" or {"}", "]"} & set(line[starts[-1].start(1) :])):
        return f"; text that starts with {starts[-1][1]} needs quotes"
    return ""


def _line_column(text: str, index: int) -> tuple[int, int]:
    before = text[: max(index, 0)]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
