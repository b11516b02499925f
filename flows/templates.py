"""Texts with values in them: `greenhouse at {warm:.1f} °C`. Names and formats only, so that a text cannot reach into anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from devices import vocabulary
from devices.reading import Value
from flows.expressions import Flaw, Scope
from gateway.findings import hint

MISSING = "–"
"""Stands for a value that is not there."""

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FIELD = re.compile(r"(labels\.[\w.\-]+|prev\.\w+|[\w\-]+)(?::(.*))?", re.DOTALL)
_FORMAT = re.compile(r"[^{}]?[<>^]?[+\- ]?,?0?\d{0,2}(?:\.\d{1,2})?[a-zA-Z%]?")


class Template:
    """A text with fields `{name}` and `{name:.1f}`; `{labels.room}` is a label, `{{` and `}}` are braces.

    >>> Template("{device} at {warm:.1f} °C, {hot}").render({"device": "t1", "warm": 28.04})
    't1 at 28.0 °C, –'
    """

    __slots__ = ("_parts", "source")

    def __init__(self, source: str) -> None:
        """Parse; ValueError where the text is no template (`check` says it better)."""
        self.source = source
        self._parts: list[str | tuple[str, str]] = []
        done = 0
        for match in _PIECE.finditer(source):
            self._parts += [source[done : match.start()], _part(match)]
            done = match.end()
        self._parts.append(source[done:])

    @property
    def names(self) -> tuple[str, ...]:
        """The names it takes values from, in the order of the text."""
        return tuple(dict.fromkeys(part[0] for part in self._parts if isinstance(part, tuple)))

    def render(self, values: Mapping[str, Any]) -> str:
        """Fill in the values; what is missing is shown as a dash. Never raises: a value that its format does not fit is shown plain."""
        return "".join(part if isinstance(part, str) else _shown(_value(values, part[0]), part[1]) for part in self._parts)

    def exact(self, values: Mapping[str, Any]) -> str | None:
        """Fill in the values, or give None where one is missing or empty: who is commanded is never guessed."""
        if any(_value(values, name) in {None, ""} for name in self.names):
            return None
        return self.render(values)

    def value(self, values: Mapping[str, Any]) -> Value | None:
        """Give what the text stands for: of a single field the value itself, a number also where it has a format; else the text. None where one is missing.

        >>> [Template(text).value({"warm": 21.26}) for text in ("{warm}", "{warm:.1f}", "warm {warm:.0f}", "{cold}")]
        [21.26, 21.3, 'warm 21', None]
        """
        fields = [part for part in self._parts if part]
        if len(fields) > 1 or not isinstance(fields[0], tuple):
            return self.exact(values)
        name, spec = fields[0]
        value = _value(values, name)
        if not spec or value is None or isinstance(value, bool | str):
            return value if isinstance(value, bool | str | int | float) else None
        text = _shown(value, spec)
        number = vocabulary.number(text)
        return text if number is None else number

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


def _part(match: re.Match[str]) -> str | tuple[str, str]:
    if match[0] in {"{{", "}}"}:
        return match[0][0]
    field = _FIELD.fullmatch(match[1]) if match[1] is not None else None
    if field is None:
        raise ValueError(f"{match[0]!r} is no field")
    return field[1], field[2] or ""


def check(source: str, scope: Scope) -> list[Flaw]:
    """Find what is wrong with a template: its braces, its names, its formats (tried with samples).

    >>> check("{wram:.1f} °C", {"warm": (1.5,)})
    [Flaw(offset=1, message="unknown name 'wram'; did you mean 'warm'?")]
    """
    return [flaw for match in _PIECE.finditer(source) for flaw in _piece(match, scope)]


def _piece(match: re.Match[str], scope: Scope) -> Iterator[Flaw]:
    place = match.start() + 1
    if match[0] in {"{{", "}}"}:
        return
    field = _FIELD.fullmatch(match[1] or "")
    if match[1] is None:
        yield Flaw(match.start(), f"{match[0]!r} has no partner; a brace in the text is written {match[0] * 2}")
    elif field is None:
        yield Flaw(place, f"a field holds a name and a format, such as {{device}} or {{warm:.1f}}, not {match[1]!r}")
    else:
        yield from _field(place, field[1], field[2] or "", scope)


def _field(place: int, name: str, spec: str, scope: Scope) -> Iterator[Flaw]:
    holder, _, member = name.partition(".")
    known = scope.get(holder)
    if holder == "labels" and member and (known is not None or member in scope):
        yield from _format(place, spec, ("",), name)
    elif isinstance(known, Mapping) and member in known:
        yield from _format(place, spec, known[member], name)
    elif isinstance(known, Mapping):
        yield Flaw(place, f"unknown name {name!r}{hint(member, known)}")
    elif name == "labels" and name in scope:
        yield Flaw(place, "a label is written {labels.room}")
    elif known is None or member:
        yield Flaw(place, f"unknown name {name!r}{hint(name, set(scope) - {'labels', 'prev'})}")
    else:
        yield from _format(place, spec, known, name)


def _format(place: int, spec: str, samples: tuple[Any, ...], name: str) -> Iterator[Flaw]:
    if not _FORMAT.fullmatch(spec):
        yield Flaw(place, f"{spec!r} is no format: use one such as .1f")
    elif not any(_fits(sample, spec) for sample in samples):
        kind = "a number" if isinstance(samples[0], float) else "text"
        yield Flaw(place, f"the format {spec!r} does not fit: {name} is {kind}")


def _fits(value: Any, spec: str) -> bool:
    try:
        format(value, spec)
    except (ValueError, OverflowError):
        return False
    return True


def _value(values: Mapping[str, Any], name: str) -> Any:
    """Look a name up. Labels and what `prev` knows are maps of their own; a label that is a group's stands beside the other values too."""
    holder, _, member = name.partition(".")
    if not member:
        return values.get(name)
    known = values.get(holder)
    return known.get(member) if isinstance(known, Mapping) and member in known else values.get(member) if holder == "labels" else None


def _shown(value: Any, spec: str) -> str:
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if spec and _fits(value, spec):
        return format(value, spec)
    return f"{value:.10g}" if isinstance(value, float) else str(value)
