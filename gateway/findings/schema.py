"""The JSON Schema of a config file, out of its model: editors complete and check by it what `sluice check` looks at more closely.

JSON Schema draft-07 (https://json-schema.org/draft-07), which editors' YAML language servers know best.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from gateway.findings.checked import Checked
from gateway.findings.quantities import DURATION_SCHEMA, SIZE_SCHEMA, duration_text, size_text

DIALECT = "http://json-schema.org/draft-07/schema#"

_ABOUT_THE_KEY = ("description", "default", "examples", "title")


def file_schema(model: type[BaseModel], *, title: str) -> dict[str, Any]:
    """Give the schema of a kind of file."""
    schema = model.model_json_schema(schema_generator=_Written, mode="validation")
    return {"$schema": DIALECT, "title": title, **{word: value for word, value in schema.items() if word != "title"}}


class _Written(GenerateJsonSchema):
    """Says what may stand in a file: durations and defaults as they are written, and a known key with nothing after it."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the key is title enough
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Give a default as it would be written; none where the file has no words for it."""
        inner = self.generate_inner(schema["schema"])
        default = _written(schema.get("default"), inner)
        return inner if default is None else {**inner, "default": default}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Let a key of a section that has a default be empty, as `Checked` does."""
        json_schema = super().model_schema(schema)
        json_schema.pop("title", None)
        if issubclass(schema["cls"], Checked):
            required = json_schema.get("required", ())
            properties = json_schema.get("properties", {})
            json_schema["properties"] = {name: one if name in required else _or_nothing(one) for name, one in properties.items()}
        return json_schema


def _written(default: Any, schema: JsonSchemaValue) -> Any:
    if isinstance(default, int) and not isinstance(default, bool):
        form = _form(schema)
        return (
            duration_text(default) if form == DURATION_SCHEMA["title"] else size_text(default) if form == SIZE_SCHEMA["title"] else default
        )
    if default is not None and schema.get("type") == "string":
        return str(default) or None
    return default if isinstance(default, bool | float | str) else None


def _form(schema: JsonSchemaValue) -> str | None:
    """Give the title of the form a value is written in, also where it may be left out."""
    return schema.get("title") or next((one["title"] for one in schema.get("anyOf", ()) if "title" in one), None)


def _or_nothing(schema: JsonSchemaValue) -> JsonSchemaValue:
    known = schema.get("anyOf", ())
    if {"type": "null"} in known:
        return schema
    about = {word: schema[word] for word in _ABOUT_THE_KEY if word in schema}
    rest = {word: value for word, value in schema.items() if word not in about}
    return {**about, "anyOf": [rest, {"type": "null"}]}
