"""Whether readers of an older schema can read what a newer one describes, and the other way about.

The rule is one sentence: within a version, everything but prose stays, and only a property that need not be there may be added. A value
added to an enumeration breaks who reads it as closed, and one that is gone breaks us, who may still read an old event: both are breaking.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_PROSE = {"$schema", "$id", "$defs", "$comment", "title", "description", "examples"}
_REFERENCE = "#/$defs/"


def breaking(before: Schema, now: Schema) -> list[str]:
    """Give every breaking change from one schema of a type to another, each with its place.

    >>> old = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
    >>> breaking(old, {"properties": {"a": {"type": "number"}, "b": {}}, "required": ["a"]})
    ["a: type was 'integer' and is 'number'"]
    """
    return list(_compare(_plain(before, before.get("$defs", {})), _plain(now, now.get("$defs", {})), ""))


def _plain(schema: Any, parts: Schema) -> Any:
    """Give a schema without prose and references, and what is in no order sorted."""
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        return _plain(parts[schema["$ref"].removeprefix(_REFERENCE)], parts)
    plain = {word: _plain(value, parts) for word, value in schema.items() if word not in _PROSE}
    if "properties" in schema:
        plain["properties"] = {name: _plain(one, parts) for name, one in schema["properties"].items()}
    if "anyOf" in schema:
        plain["anyOf"] = sorted((_plain(one, parts) for one in schema["anyOf"]), key=_text)
    for word in {"enum", "required"} & schema.keys():
        plain[word] = sorted(schema[word], key=_text)
    return plain


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _compare(old: Schema, new: Schema, place: str) -> Iterator[str]:
    yield from _properties(old, new, place)
    for word in sorted((old.keys() | new.keys()) - {"properties", "required"}):
        before, now = old.get(word), new.get(word)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _compare(before, now, f"{place}.*" if place else "*")
        elif before != now:
            yield f"{place or 'event'}: {word} was {before!r} and is {now!r}"


def _properties(old: Schema, new: Schema, place: str) -> Iterator[str]:
    before, now = old.get("properties", {}), new.get("properties", {})
    always_before, always_now = old.get("required", []), new.get("required", [])
    for name in sorted(before.keys() | now.keys()):
        here = f"{place}.{name}" if place else name
        if name not in now:
            yield f"{here}: is gone"
        elif name not in before:
            if name in always_now:
                yield f"{here}: is new and always there, which older events are without"
        else:
            if (name in always_before) != (name in always_now):
                yield f"{here}: was {_presence(name, always_before)} and is {_presence(name, always_now)}"
            yield from _compare(before[name], now[name], here)


def _presence(name: str, always: list[str]) -> str:
    return "always there" if name in always else "not always there"
