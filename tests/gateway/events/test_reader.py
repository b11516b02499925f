"""Events are read in the form they have, and in the older ones that anyone may still hold."""

from __future__ import annotations

import doctest
import importlib
import re

import msgspec
import pytest

from gateway.events.catalogue import KINDS
from gateway.events.event import attributes
from gateway.events.reader import EventError, read
from gateway.events.status import Status, StatusEvent


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_event_is_read_as_it_was_written(kind):
    """Every kind goes to JSON and back, and every attribute but the data is a text."""
    assert read(msgspec.json.encode(kind.example)) == kind.example
    assert attributes(kind.example)["type"] == kind.type
    assert {type(value) for value in attributes(kind.example).values()} == {str}


def test_status_of_before_schemas_had_names_is_read():
    """A status that an older gateway left at the broker becomes one of today."""
    old = (
        b'{"specversion":"1.0","type":"sluice.status.v1","source":"sluice/site-1","id":"status-up",'
        b'"datacontenttype":"application/json","data":{"running":true}}'
    )
    assert read(old) == StatusEvent(id="status-up", source="sluice/site-1", data=Status(running=True))


def test_what_is_not_known_is_passed_over():
    """A newer gateway may add fields, and anyone extensions: neither stops a reader."""
    event = msgspec.to_builtins(StatusEvent(id="status/1/up", source="sluice/site-1", data=Status(running=True)))
    event |= {"traceparent": "00-1-2-3", "data": {"running": True, "since": 7}}
    assert read(msgspec.json.encode(event)) == StatusEvent(id="status/1/up", source="sluice/site-1", data=Status(running=True))


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"running", "an event must be a JSON object"),
        (b"[1]", "an event must be a JSON object"),
        (b"{}", "type must be one of sluice.reading.v1, "),
        (b'{"type": "sluice.status.v9"}', "got 'sluice.status.v9'"),
        (b'{"type": "sluice.status.v1", "id": "1", "source": "s"}', "sluice.status.v1: Object missing required field `data`"),
        (
            b'{"type": "sluice.status.v1", "id": "1", "source": "s", "data": {"running": 1}}',
            "Expected `bool`, got `int` - at `$.data.running`",
        ),
        (b'{"type": "sluice.status.v1", "dataschema": ["x"], "id": "1", "source": "s", "data": {}}', "sluice.status.v1: "),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(payload, why):
    """The sentence says what an event of the type must be."""
    with pytest.raises(EventError, match=re.escape(why)):
        read(payload)


@pytest.mark.parametrize("module", ["channel", "compatibility", "event", "upcast"])
def test_examples_in_docstrings_are_true(module):
    """The examples of these modules give what they say."""
    assert doctest.testmod(importlib.import_module(f"gateway.events.{module}")).failed == 0
