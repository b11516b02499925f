"""What Sparkplug B's births teach, and the values that metrics have by it (Eclipse Sparkplug 3.0, sections 6.4.5 to 6.4.20)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from devices import vocabulary
from devices.conventions import sparkplug_payload as sparkplug
from devices.payloads import UnreadableError
from devices.reading import Value

UNIT_PROPERTIES: Final = frozenset({"engunit", "engunits", "engineeringunit", "engineeringunits", "unit", "units", "uom"})
BAD: Final = frozenset({0, 500})
"""The quality codes of values that are bad, or stale (section 6.4.12)."""
UNBORN: Final[Mapping[str, Any]] = {"born": False, "dead": False, "at": 0, "metrics": {}, "aliases": {}}
"""What is known of a node or device before its birth."""

MOST_METRICS: Final = 10_000
"""Of one message: the births of large nodes have thousands."""
DEEPEST: Final = 8
"""Templates in templates."""
LONGEST_NAME: Final = 512
LONGEST_UNIT: Final = 24


class UnbornError(ValueError):
    """Data that only a birth can explain."""


def leaves(metrics: Iterable[Any], member: Mapping[str, Any], folder: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield each metric with its name, those inside templates too. Raises UnbornError for an alias that no birth has explained."""
    if depth > DEEPEST:
        raise UnreadableError(f"templates must not be nested deeper than {DEEPEST}")
    for metric in metrics:
        name = metric.name
        if isinstance(name, bytes) or len(name) > LONGEST_NAME:
            raise UnreadableError(f"a metric's name must be UTF-8 of at most {LONGEST_NAME} characters; got {name[:40]!r}")
        if name:
            name = folder + name
        elif metric.HasField("alias"):
            name = member["aliases"].get(str(metric.alias)) if member["born"] else None
            if name is None:
                raise UnbornError(f"alias {metric.alias}: its birth has not been seen")
        else:
            continue
        if metric.WhichOneof("value") != "template_value":
            yield name, metric
        elif not metric.template_value.is_definition:
            yield from leaves(metric.template_value.metrics, member, f"{name}/", depth + 1)


def learn(payload: Any) -> dict[str, Any]:
    """Return what a birth teaches: by name the data type, alias, unit, and whether the metric can be told something; names by alias."""
    metrics: dict[str, list[Any]] = {}
    aliases: dict[str, str] = {}
    top = {metric.name for metric in payload.metrics}
    for name, metric in leaves(payload.metrics, {**UNBORN, "born": True}, "", 1):
        alias = metric.alias if metric.HasField("alias") else None
        if alias is not None:
            aliases[str(alias)] = name
        if metric.datatype or name not in metrics:
            can = name in top and name != "bdSeq" and 0 < metric.datatype <= sparkplug.UUID
            metrics[name] = [metric.datatype, alias, properties(metric)[0], can]
        if len(metrics) > MOST_METRICS:
            raise UnreadableError(f"a birth must hold at most {MOST_METRICS} metrics")
    return {"metrics": metrics, "aliases": aliases}


def properties(metric: Any) -> tuple[str | None, bool]:
    """Return the unit that a metric's properties state, and whether its quality is not bad."""
    unit, good = None, True
    if metric.HasField("properties"):
        for key, held in zip(metric.properties.keys, metric.properties.values, strict=False):
            value = sparkplug.value_of(held, held.type)
            word = "".join(filter(str.isalnum, key)).lower() if isinstance(key, str) else ""
            if word == "quality":
                good = value not in BAD
            elif word in UNIT_PROPERTIES and isinstance(value, str) and 0 < len(value.strip()) <= LONGEST_UNIT:
                unit = vocabulary.unit_named(value) or value.strip()
    return unit, good


def values(name: str, metric: Any, datatype: int, *, born: bool) -> Iterator[tuple[str, Value]]:
    """Yield the values of a metric, each with its key; texts that are empty and numbers that are none are no values."""
    field = metric.WhichOneof("value")
    if field == "dataset_value":
        yield from ((f"{name}/{cell}", value) for cell, value in sparkplug.cells_of(metric.dataset_value) if value != "")
    elif field == "bytes_value":
        numbers = enumerate(sparkplug.array_of(metric.bytes_value, datatype))
        yield from ((f"{name}/{index}", value) for index, value in numbers if value is not None)
    elif not datatype and not born and field in ("int_value", "long_value"):
        raise UnbornError(f"metric {name[:40]!r}: an integer without a data type, whose birth has not been seen")
    else:
        value = sparkplug.value_of(metric, datatype)
        if value is not None and value != "":
            yield name, value
