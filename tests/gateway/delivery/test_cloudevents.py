"""Events: valid CloudEvents, the same bytes for the same row."""

from __future__ import annotations

import json
import re

import msgspec
import pytest
from jsonschema import Draft202012Validator

from gateway.delivery.cloudevents import event
from gateway.delivery.topics_out import topic
from gateway.events.catalogue import KINDS
from gateway.events.event import rfc3339
from gateway.events.schemas import event_schema


def rows(make):
    return [make.reading(1), make.window(1, group=()), make.alert(1), make.command(1), make.fact(1, "confirmed")]


def test_events_are_valid_cloudevents(make):
    """Required attributes are there and not empty, names are lower-case letters and digits, the time is RFC 3339."""
    for row in rows(make):
        one = json.loads(msgspec.json.encode(event(row, "attic 1")))
        assert one["specversion"] == "1.0"
        assert all(one[name] for name in ("id", "source", "type", "subject"))
        assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in one)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", one["time"])
        assert one["source"] == "sluice/attic%201"
        assert one["dataschema"] == "urn:sluice:schema:" + one["type"].removeprefix("sluice.").replace(".", ":")


def test_events_are_what_their_schemas_say(make):
    """Each is valid by the schema of its type, which describes all that is in it."""
    schemas = {kind.type: event_schema(kind) for kind in KINDS}
    for row in [*rows(make), make.reading(2, value=True, unit=None), make.window(2, warm=None), make.alert(2, "cleared")]:
        one = json.loads(msgspec.json.encode(event(row, "attic 1")))
        schema = schemas[one["type"]]
        assert list(Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(one)) == []
        assert one.keys() == schema["properties"].keys()
        described = schema["$defs"][schema["properties"]["data"]["$ref"].split("/")[-1]]["properties"]
        assert one["data"].keys() <= described.keys()


def test_times_inside_an_alert_are_texts(make):
    """Nothing that is a time is a number of ns, which JavaScript would round."""
    why = json.loads(msgspec.json.encode(event(make.alert(1), "s")))["data"]["why"]
    assert (why["since"], why["raised"], why["last_clear"]) == ("2025-10-09T08:53:20.000000000Z", "2025-10-09T08:53:20.000000001Z", None)


def test_types_topics_and_ids(make):
    """Each kind has its type and topic, and the row's id."""
    found = [(event(row, "s").type, event(row, "s").id, topic(row, "s")) for row in rows(make)]
    assert found == [
        ("sluice.reading.v1", str(1 << 20), "sluice/s/readings/t1/temperature"),
        ("sluice.window.v1", make.window(1, group=()).id, "sluice/s/windows/climate/all"),
        ("sluice.alert.v1", "a1/raised", "sluice/s/alerts/climate/t1"),
        ("sluice.command.v1", "c1", "sluice/s/commands/fan"),
        ("sluice.command.v1", "c1/confirmed/1", "sluice/s/commands/fan"),
    ]


def test_a_request_and_its_facts_name_the_command(make):
    """Who follows a command finds its id in every event of its life."""
    assert [event(row, "s").data.command for row in rows(make)[3:]] == ["c1", "c1"]


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "1970-01-01T00:00:00.000000000Z"), (-1, "1969-12-31T23:59:59.999999999Z"), (2**63 - 1, "2262-04-11T23:47:16.854775807Z")],
)
def test_times_are_exact(ns, text):
    """Every time that fits 64 bits is written to the nanosecond."""
    assert rfc3339(ns) == text
