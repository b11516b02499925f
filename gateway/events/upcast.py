"""Older forms of events, and how each becomes the next newer one.

A reader never needs to know an older form: `upcast` goes up step by step until there is no newer one. A step is added here when a type gets
a new version, and stays for as long as anyone may still hold or publish the older form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Raw = dict[str, Any]
"""An event as JSON has it."""
Form = tuple[str, str | None]
"""What tells one form of an event from another: its `type` and its `dataschema`."""


def _unnamed_status(event: Raw) -> Raw:
    """Before 0.1.0 the status named no schema, and `status-up` was the id of each."""
    return event | {"dataschema": "urn:sluice:schema:status:v1"}


STEPS: dict[Form, Callable[[Raw], Raw]] = {("sluice.status.v1", None): _unnamed_status}
"""The step from each older form."""


def upcast(event: Raw) -> Raw:
    """Give the event in its newest form; one that is in it already, or in a form of which nothing is known, stays as it is.

    >>> upcast({"type": "sluice.status.v1", "id": "status-up", "data": {"running": True}})["dataschema"]
    'urn:sluice:schema:status:v1'
    """
    while step := STEPS.get(form(event)):
        event = step(event)
    return event


def form(event: Raw) -> Form:
    """Give the form of an event."""
    schema = event.get("dataschema")
    return str(event.get("type")), None if schema is None else str(schema)
