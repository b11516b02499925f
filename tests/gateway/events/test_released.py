"""Readers of the last release can read what is published now, and the check that says so is right."""

from __future__ import annotations

import copy

import msgspec
import pytest
from jsonschema import Draft202012Validator

from gateway.events import release, upcast
from gateway.events.catalogue import KINDS
from gateway.events.compatibility import breaking
from gateway.events.schemas import event_schema

WINDOW = next(kind for kind in KINDS if kind.name == "window")


@pytest.fixture
def schema():
    """Give the schema of windows, to be changed."""
    return copy.deepcopy(event_schema(WINDOW))


def data(schema):
    return schema["$defs"]["Window"]


def test_models_keep_what_the_last_release_promised():
    """No change since breaks a reader; where this fails, the type needs its next version and upcast.py a step from the old one."""
    assert release.newest()
    assert release.flaws(release.newest()) == []


def test_examples_are_valid_by_the_last_release():
    """What is published now passes the schemas that were released."""
    released = release.newest()
    found = {kind.type: msgspec.to_builtins(kind.example) for kind in KINDS if kind.type in released}
    assert [error.message for name, one in found.items() for error in Draft202012Validator(released[name]).iter_errors(one)] == []


BREAKING = {
    "data.count: is gone": lambda s: (data(s)["properties"].pop("count"), data(s)["required"].remove("count")),
    "data.flow: was always there and is not always there": lambda s: data(s)["required"].remove("flow"),
    "data.count: type was 'integer' and is 'number'": lambda s: data(s)["properties"]["count"].update(type="number"),
    "data.count: type was 'integer' and is 'string'": lambda s: data(s)["properties"]["count"].update(type="string"),
    "data.revision: minimum was 1 and is 0": lambda s: data(s)["properties"]["revision"].update(minimum=0),
    "data.start: format was 'date-time' and is None": lambda s: data(s)["properties"]["start"].pop("format"),
    "data.panes: is new and always there": lambda s: (data(s)["properties"].update(panes={}), data(s)["required"].append("panes")),
    "data.group.*: type was 'string' and is 'integer'": lambda s: data(s)["properties"]["group"].update(
        additionalProperties={"type": "integer"}
    ),
    "data.values.*: anyOf was": lambda s: data(s)["properties"]["values"]["additionalProperties"]["anyOf"].pop(),
    "specversion: enum was ['1.0'] and is ['1.0', '1.1']": lambda s: s["properties"]["specversion"]["enum"].append("1.1"),
    "specversion: enum was ['1.0'] and is []": lambda s: s["properties"]["specversion"]["enum"].clear(),
    "data: additionalProperties was None and is False": lambda s: data(s).update(additionalProperties=False),
}


@pytest.mark.parametrize("said", BREAKING)
def test_breaking_change_is_found(schema, said):
    """What some reader, of the old events or of the new, could not take is named with its place."""
    BREAKING[said](schema)
    (found,) = breaking(event_schema(WINDOW), schema)
    assert found.startswith(said)


HARMLESS = {
    "prose": lambda s: (s.update(title="x"), data(s)["properties"]["count"].update(description="How many", examples=[1])),
    "a field that need not be there": lambda s: data(s)["properties"].update(panes={"type": "integer"}),
    "another order": lambda s: (data(s)["required"].reverse(), data(s)["properties"]["values"]["additionalProperties"]["anyOf"].reverse()),
    "another name for a part": lambda s: (
        s["$defs"].update(Pane=s["$defs"].pop("Window")),
        s["properties"]["data"].update({"$ref": "#/$defs/Pane"}),
    ),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_harmless_change_passes(schema, change):
    """What every reader can take is no finding."""
    HARMLESS[change](schema)
    assert breaking(event_schema(WINDOW), schema) == []


def test_type_that_is_gone_needs_a_step_to_a_newer_one(schema, monkeypatch):
    """A released type may be raised to its next version where readers know the way from the old one."""
    schema["properties"]["dataschema"]["enum"] = ["urn:sluice:schema:pane:v1"]
    assert release.flaws({"sluice.pane.v1": schema}) == ["sluice.pane.v1: is gone, and upcast.py has no step from it"]
    monkeypatch.setitem(upcast.STEPS, ("sluice.pane.v1", "urn:sluice:schema:pane:v1"), dict)
    assert release.flaws({"sluice.pane.v1": schema}) == []


def test_newest_release_is_compared(tmp_path):
    """Versions are ordered by their numbers; what was written is read again."""
    for version in ("0.9.0", "0.10.0"):
        release.write(tmp_path / version)
    (tmp_path / "0.9.0" / "sluice.old.v1.json").write_text("{}")
    assert release.newest(tmp_path) == {kind.type: event_schema(kind) for kind in KINDS}
    assert release.newest(tmp_path / "none") == {}
