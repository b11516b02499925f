"""The JSON Schemas of the config's files: in step with the models, and of one mind with `sluice check`."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import jsonschema
import pytest

from gateway.cli.config_schemas import FILES, document
from gateway.findings import open_document
from gateway.starter import write_starter

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "config" / "schema"
HEADER = "# yaml-language-server: $schema="
FOLDERS = {"flows": "flow", "devices": "device", "scenarios": "scenario"}


def kind_of(path):
    return FOLDERS.get(path.parent.name, "gateway")


def files(*folders):
    found = [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]
    return [path for path in found if path.parent.name in FOLDERS or path.name == "gateway.yaml"]


SHIPPED = files(ROOT / "config")
SOUND = [
    *SHIPPED,
    *files(ROOT / "tests" / "flows" / "check_cases" / "sound"),
    *sorted((ROOT / "tests" / "flows" / "cases").rglob("*.yaml")),
]


@pytest.fixture(scope="module")
def wrong():
    """Give a function that tells what a schema finds wrong with a file's data."""
    validators = {kind: jsonschema.Draft7Validator(schema) for kind, schema in document().items()}

    def find(kind, data):
        return [f"{error.json_path}: {error.message}"[:200] for error in validators[kind].iter_errors(data)]

    return find


def data_of(path):
    found = open_document(path, root=path.parent, environ={})
    assert found.findings == []
    return found.data


def test_schemas_are_in_step_with_the_models():
    """`make schemas` writes what is there already, and nothing else is there."""
    assert {path.name for path in SCHEMAS.iterdir()} == {f"{kind}.schema.json" for kind in FILES}
    for kind, schema in document().items():
        jsonschema.Draft7Validator.check_schema(schema)
        written = json.loads((SCHEMAS / f"{kind}.schema.json").read_text("utf-8"))
        assert written == json.loads(json.dumps(schema)), f"make schemas: {kind}"


@pytest.mark.parametrize("path", SOUND, ids=lambda path: str(path.relative_to(ROOT)))
def test_sound_files_are_sound_by_their_schema(path, wrong):
    """What is shipped, and what the tests have for sound, with all that `sluice check` lets pass."""
    kind = "flow" if "cases" in path.parts and path.parent.name not in FOLDERS and path.name != "gateway.yaml" else kind_of(path)
    assert wrong(kind, data_of(path)) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_files_name_their_schema(path, tmp_path):
    """By a path that holds in the repository and in what `sluice init` writes."""
    head = path.read_text("utf-8").splitlines()[0]
    assert head.startswith(HEADER)
    named = head.removeprefix(HEADER)
    assert (path.parent / named).resolve() == SCHEMAS / f"{kind_of(path)}.schema.json"
    write_starter(tmp_path / "mine")
    copied = tmp_path / "mine" / path.relative_to(ROOT / "config")
    assert (copied.parent / named).resolve().is_file()


FLOW = {
    "name": "climate",
    "select": {"metrics": ["temperature", "my_own_metric"]},
    "group": ["device"],
    "window": {"kind": "tumbling", "length": "day", "timezone": "Europe/Berlin", "corrections": None},
    "aggregate": {"warm": "mean(temperature)", "c": "correlation(temperature, my_own_metric, 10s)"},
    "trigger": {"when": "warm > 28.0", "hold": "2 windows", "cooldown": 300},
    "do": [{"command": {"device": "fan-{device}", "set": {"state": "ON"}, "expires": "${LIFE}"}}],
}


def test_every_way_to_write_a_thing_is_sound(wrong):
    """Words, numbers of seconds, nothing behind a key, and a variable from the environment."""
    assert wrong("flow", FLOW) == []
    assert wrong("flow", {**FLOW, "window": "none"}) == []
    assert wrong("flow", {**FLOW, "window": {"kind": "count", "length": 10}}) == []
    assert wrong("gateway", {"broker": None, "journal": {"keep": "24h", "max_size": "1GB", "linger": 0.5}}) == []


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("gruop",), ["device"]),
        (("select", "metric"), "temperature"),
        (("select", "metrics"), "temperature"),
        (("select", "metrics"), []),
        (("window", "kind"), "tumblin"),
        (("window", "length"), "soon"),
        (("window", "lateness"), "1 fortnight"),
        (("window",), "nothing"),
        (("aggregate", "warm"), "mean temperature"),
        (("trigger", "hold"), "two windows"),
        (("trigger", "severity"), "bad"),
        (("trigger", "outside"), {"low": "cold"}),
        (("detect",), {"odd": {"by": "guess", "of": "warm"}}),
        (("do", 0, "command", "set"), {}),
        (("do", 0, "command", "confirm"), {"retries": -1}),
        (("name",), "Climate!"),
    ],
    ids=lambda part: "-".join(map(str, part)) if isinstance(part, tuple) else None,
)
def test_broken_flow_is_broken_by_its_schema(at, value, wrong):
    """Misspelt keys and words, wrong types, and what is too short or too small."""
    flow = copy.deepcopy(FLOW)
    holder = flow
    for step in at[:-1]:
        holder = holder[step]
    holder[at[-1]] = value
    assert wrong("flow", flow)


@pytest.mark.parametrize("key", ["name", "select", "group", "window"])
def test_flow_without_a_key_that_it_needs_is_broken(key, wrong):
    """Each is asked for by name."""
    assert wrong("flow", {name: value for name, value in FLOW.items() if name != key})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("gateway", {"borker": {}}),
        ("gateway", {"broker": {"url": "http://broker"}}),
        ("gateway", {"journal": {"durability": "maybe"}}),
        ("gateway", {"journal": {"max_size": "1 elephant"}}),
        ("gateway", {"limits": {"series": 0}}),
        ("gateway", {"influxdb": {"url": "http://influxdb:8086"}}),
        ("device", {"devices": "t-1"}),
        ("device", {"interval": "often"}),
        ("device", {"lables": {}}),
        ("device", {"types": {"level": "numeric"}}),
        ("scenario", {"name": "x"}),
        ("scenario", {"name": "x", "devices": [{"name": "a", "convention": "tasmota", "every": "x"}]}),
    ],
    ids=str,
)
def test_broken_files_of_other_kinds_are_broken_by_their_schema(kind, data, wrong):
    """The gateway's settings, profiles and scenarios too."""
    assert wrong(kind, data)


def test_every_key_of_a_flow_and_of_the_gateway_is_described():
    """An editor that shows a key says what it is for."""
    for kind in ("flow", "gateway", "scenario"):
        schema = document()[kind]
        sections = {"": schema, **schema["$defs"]}
        assert [
            f"{kind} {name}.{key}"
            for name, section in sections.items()
            for key, one in section.get("properties", {}).items()
            if "description" not in one and "const" not in one
        ] == []


def test_command_prints_the_schemas(sluice):
    """One document, by kind."""
    assert sluice.json("schema", "config") == json.loads(json.dumps(document()))
