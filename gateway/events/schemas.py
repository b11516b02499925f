"""JSON Schemas (2020-12; what is used of it means the same in draft 07) of the events, generated from the models.

They hold what a reader may rely on. Further properties are allowed: an optional one may be added within a version, and extensions are
CloudEvents' own way, so a reader ignores what it does not know.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.events.catalogue import KINDS, Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def event_schema(kind: Kind) -> Schema:
    """Give the schema of a kind's whole events."""
    schema, parts = _of(kind.model)
    return {"$schema": DIALECT, **schema, "title": kind.type, **parts}


def data_schema(kind: Kind) -> Schema:
    """Give the schema of a kind's data: the one that the event's `dataschema` names."""
    data = next(field for field in msgspec.structs.fields(kind.model) if field.name == "data")
    schema, parts = _of(data.type)
    return {"$schema": DIALECT, "$id": dataschema(kind), **schema, **parts}


def dataschema(kind: Kind) -> str:
    """Give the URI that names the schema of a kind's data."""
    return str(next(field.default for field in msgspec.structs.fields(kind.model) if field.name == "dataschema"))


def components() -> dict[str, Schema]:
    """Give the schemas of all events and of what stands in them, for a document that keeps them under `#/components/schemas`."""
    models = [kind.model for kind in KINDS]
    _, parts = msgspec.json.schema_components(models, ref_template="#/components/schemas/{name}")
    return {name: _as_written(parts[name]) for name in parts}


def document() -> dict[str, dict[str, Schema]]:
    """Give what `sluice schema events` prints: whole events by their type, and data by its `dataschema`."""
    return {"events": {kind.type: event_schema(kind) for kind in KINDS}, "data": {dataschema(kind): data_schema(kind) for kind in KINDS}}


def _of(model: Any) -> tuple[Schema, dict[str, Any]]:
    """Give a model's own schema, and the definitions it refers to."""
    _, parts = msgspec.json.schema_components([model], ref_template="#/$defs/{name}")
    own = _as_written(parts.pop(model.__name__))
    return own, {"$defs": {name: _as_written(part) for name, part in parts.items()}} if parts else {}


def _as_written(schema: Schema) -> Schema:
    """Say what is written, and not what may be left out when a model is made: a field with a default is in every event."""
    fixed = [name for name, one in schema["properties"].items() if "default" in one]
    properties = {name: {word: value for word, value in one.items() if word != "default"} for name, one in schema["properties"].items()}
    required = [name for name in properties if name in fixed or name in schema["required"]]
    return schema | {"properties": properties, "required": required}
