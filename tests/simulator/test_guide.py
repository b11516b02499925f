"""The guide to the simulator is true: its scenarios are sound and say something, and its tables are those of the code."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from gateway.findings import load_folder
from simulator.broker import Broker
from simulator.faults import KINDS
from simulator.fleet import Fleet
from simulator.guide import PARTS, renewed
from simulator.physics import PHYSICS
from simulator.scenario import Scenario, load_scenario
from simulator.view import view
from simulator.world import World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/simulator.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
WHOLE = {match[1]: text for text in BLOCKS if (match := re.match(r"name: (\S+)", text))}
PARTIAL = {text.split(":")[0]: text for text in BLOCKS if not text.startswith("name:")}
MINUTE = 60 * 10**9


def scenario(folder, text):
    file = folder / "scenario.yaml"
    file.write_text(text, "utf-8")
    return load_scenario(file, root=folder)


def test_guide_is_up_to_date():
    """The tables in docs/simulator.md are what `make docs` writes, and each has its place."""
    assert renewed(PAGE) == PAGE
    assert PAGE.count("made by `make docs`") == len(PARTS)


def test_every_block_is_checked():
    """A block is a whole scenario, or one of the parts that a test completes."""
    assert set(PARTIAL) == {"metrics", "faults"}
    assert len(WHOLE) + len(PARTIAL) == len(BLOCKS)


@pytest.mark.parametrize("name", WHOLE)
def test_scenario_of_the_guide_runs(tmp_path, name):
    """Each scenario in the guide is sound, and all of its devices say something within a minute."""
    read = scenario(tmp_path, WHOLE[name])
    if read.load is None:
        said = World(read, epoch=0).advance(MINUTE)
        assert {device.name for device, _ in said} == {device for _, device in read.members()}


def test_signals_of_the_guide(tmp_path):
    """The metrics that are shown as signals can be one device's."""
    indented = PARTIAL["metrics"].replace("\n", "\n    ")
    read = scenario(tmp_path, f"name: shown\ndevices:\n  - name: all\n    convention: plain_json\n    {indented}")
    [(device, message), *_] = World(read, epoch=0).advance(MINUTE)
    assert all(f'"{metric}":'.encode() in message.payload for metric in device.group.gives())


def test_faults_of_the_guide(tmp_path):
    """The faults that are shown can be those of the first scenario."""
    first = WHOLE["press-line"]
    assert scenario(tmp_path, first[: first.index("faults:")] + PARTIAL["faults"]).faults


def test_shipped_scenarios_are_in_the_guide():
    """The table of scenarios has each that is shipped, and no other."""
    shipped = load_folder(ROOT / "config/scenarios", Scenario, root=ROOT / "config")
    table = PAGE[PAGE.index("| shipped scenario |") : PAGE.index("## A first scenario")]
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) == {one.name for one in shipped}


@pytest.mark.parametrize("kind", KINDS)
def test_guide_says_where_a_fault_shows(kind):
    """Each kind of fault has a row that says where it shows."""
    table = PAGE[PAGE.index("| faults | where they show |") : PAGE.index("### The truth file")]
    assert re.search(rf"^\| [^|]*`{kind}`", table, re.MULTILINE)


def test_guide_names_the_flows_that_find_a_fault():
    """Where a shipped flow says that it finds a kind of fault, the row of that kind names the flow."""
    table = PAGE[PAGE.index("| faults | where they show |") : PAGE.index("### The truth file")]
    rows = [row.split("|")[1:3] for row in table.splitlines()[2:] if row]
    for file in sorted((ROOT / "config/flows").glob("*.yaml")):
        finds = (YAML(typ="safe", pure=True).load(file.read_text("utf-8")).get("trigger") or {}).get("finds") or []
        for kind in finds:
            assert any(f"`{kind}`" in faults and f"`{file.stem}`" in where for faults, where in rows), (file.stem, kind)


@pytest.mark.parametrize("kind", PHYSICS)
def test_guide_says_units_of_physics(kind):
    """Each model has a row with the units of its quantities."""
    assert re.search(rf"^\| `{kind}` \| [^`]*(°C|%)", PAGE, re.MULTILINE)


def test_guide_names_every_key_of_the_view(greenhouse):
    """What `sluice simulate --json` prints is in the guide."""
    table = PAGE[PAGE.index("With `--json`") : PAGE.index("## Load")]
    fleet = Fleet(greenhouse, Broker.at("mqtt://127.0.0.1"))
    assert {key for key in view(fleet) if f"`{key}`" not in table} == set()
