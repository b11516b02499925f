"""The AsyncAPI document: valid, whole, and true of what is published."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from gateway.events.asyncapi import document
from gateway.events.catalogue import KINDS


@pytest.fixture(scope="module")
def described():
    """Give the document as JSON has it."""
    return json.loads(json.dumps(document()))


def pointed(found, reference):
    """Follow a `$ref` inside the document."""
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(part):
    if isinstance(part, dict):
        yield from ([part["$ref"]] if "$ref" in part else [])
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from references(one)


def test_document_is_valid_by_the_official_schema(described, official):
    """The schema that AsyncAPI's authors publish for 3.0 finds nothing wrong; it does in a document with a mistake."""
    validator = Draft7Validator(official)
    assert [f"{list(one.absolute_path)}: {one.message}" for one in validator.iter_errors(described)] == []
    assert not validator.is_valid(described | {"operations": {"send": {"action": "publish", "channel": {"$ref": "#/channels/windows"}}}})


def test_every_reference_leads_somewhere(described):
    """Channels, messages and schemas that are named are there; operations take their messages from their channel, as AsyncAPI asks."""
    assert all(pointed(described, one) for one in references(described))
    for operation in described["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(one["$ref"].startswith(f"{channel}/messages/") for one in operation["messages"])


def test_every_level_of_an_address_is_explained(described):
    """The names in braces and the parameters are the same."""
    for channel in described["channels"].values():
        assert re.findall(r"{(\w+)}", channel["address"]) == list(channel["parameters"])
        assert all(one["description"] for one in channel["parameters"].values())


@pytest.mark.parametrize("validator", [Draft7Validator, Draft202012Validator])
def test_every_example_is_valid(described, validator):
    """Each message has an example that its schema takes, in the draft that AsyncAPI reads schemas by and in the newest; without data it is refused."""
    for message in described["components"]["messages"].values():
        schema = message["payload"] | {"components": described["components"]}
        if validator is Draft7Validator:  # where a $ref stands, draft 07 sees nothing beside it
            schema = {"allOf": [message["payload"]], "components": described["components"]}
        (example,) = message["examples"]
        assert list(validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(example["payload"])) == []
        assert not validator(schema).is_valid({name: value for name, value in example["payload"].items() if name != "data"})


def test_every_kind_is_described(described):
    """Each event that is published has a channel, an operation and a message; the gateway's own marker is received too."""
    assert [one["name"] for one in described["components"]["messages"].values()] == [kind.type for kind in KINDS]
    assert {one["action"] for one in described["operations"].values()} == {"send", "receive"}
    assert set(described["channels"]) == {name.split("-", 1)[1] for name in described["operations"]}


def test_command_prints_the_document(described, sluice):
    """`sluice schema asyncapi` prints it, and `sluice schema events` the schemas by type and by `dataschema`."""
    assert json.loads(sluice("schema", "asyncapi")) == described
    schemas = json.loads(sluice("schema", "events"))
    assert list(schemas["events"]) == [kind.type for kind in KINDS]
    assert [one["properties"]["dataschema"]["enum"] for one in schemas["events"].values()] == [[name] for name in schemas["data"]]
    assert [one["$id"] for one in schemas["data"].values()] == list(schemas["data"])
