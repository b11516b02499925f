"""The guide to flows is true: its flows are sound and do what their tests say, and its tables are those of the code."""

import re
from pathlib import Path

import pytest

from devices.profile import Profile
from flows.check import check
from flows.flow import Flow
from flows.flow_file import WATCHES, Action, FlowSpec, Lookup, Outside, Select, TriggerSpec, Window
from flows.guide import renewed
from flows.mathematics import MATH
from flows.spec import load_flows, read_flow
from flows.trial import failures
from gateway.findings import load_folder

PAGE = (Path(__file__).parents[2] / "docs/flows.md").read_text("utf-8")
FILES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FLOWS = {match[1]: text for text in FILES if (match := re.match(r"(?:#.*\n)*name: (\S+)", text))}
PROFILES = [text for text in FILES if text.startswith("devices:")]
UNTESTED = 4
"""So many flows of the page may go without tests: those that show a key or two."""


def read(folder: Path, name: str) -> Flow:
    """Give a flow of the page."""
    path = folder / f"{name}.yaml"
    path.write_text(FLOWS[name])
    flow, findings = read_flow(path, root=folder)
    assert flow is not None, findings
    return flow


def test_guide_is_up_to_date():
    """The tables in docs/flows.md are what `make docs` writes."""
    assert renewed(PAGE) == PAGE
    assert PAGE.count("made by `make docs`") == 2


@pytest.mark.parametrize("name", FLOWS)
def test_flow_of_the_guide_does_what_it_says(tmp_path, name):
    """Each flow in the guide is sound, and its tests pass."""
    flow = read(tmp_path, name)
    assert [message for case in flow.cases for message in failures(flow, case)] == []


def test_guide_as_one_config(tmp_path):
    """The flows and profiles of the guide can stand in one folder: no two have one name, and none leads back to itself."""
    for kind, texts in {"flows": list(FLOWS.values()), "devices": PROFILES}.items():
        (tmp_path / kind).mkdir()
        for number, text in enumerate(texts):
            (tmp_path / kind / f"{number:02}.yaml").write_text(text)
    assert check(tmp_path) == []
    assert len(load_flows(tmp_path)) == len(FLOWS)
    assert len(load_folder(tmp_path / "devices", Profile, root=tmp_path)) == len(PROFILES) > 0


def test_most_flows_of_the_guide_are_tested(tmp_path):
    """A flow that nobody tests is the exception in the guide too."""
    assert sum(not read(tmp_path, name).cases for name in FLOWS) <= UNTESTED


@pytest.mark.parametrize("part", [FlowSpec, Select, Lookup, Window, TriggerSpec, Outside, Action])
def test_guide_names_every_key(part):
    """What a flow file can have is in the guide."""
    keys = {field.alias or name for name, field in part.model_fields.items()}
    assert {key for key in keys if not re.search(rf"\b{key}\b", PAGE)} == set()


@pytest.mark.parametrize("name", sorted({*MATH, *WATCHES}))
def test_guide_names_every_function_and_watch(name):
    """What expressions can call, and what a trigger can watch, stands in the guide as code."""
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", PAGE)
