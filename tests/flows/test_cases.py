"""Flows for what other systems document: each folder of `cases` is a config folder whose flows carry their tests."""

from collections import Counter
from pathlib import Path

import pytest

from flows.aggregates.registry import AGGREGATES
from flows.check import check
from flows.detectors import DETECTORS
from flows.flow_file import WATCHES
from flows.scopes import WINDOWED
from flows.spec import load_flows
from flows.trial import failures

CASES = sorted((Path(__file__).parent / "cases").iterdir())
FLOWS = [(folder, flow) for folder in CASES for flow in load_flows(folder / "config", environ={})]
TESTS = [pytest.param(flow, case, id=f"{flow.name}: {case.name}") for _, flow in FLOWS for case in flow.spec.tests]


def test_there_are_cases():
    """An empty folder would make the other tests pass without a look at anything."""
    assert len(CASES) >= 20
    assert {flow.name for _, flow in FLOWS if not flow.spec.tests} == set()


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_case_has_no_findings(folder):
    """`sluice check` has nothing to say about it."""
    assert check(folder / "config", environ={}) == []


@pytest.mark.parametrize(("flow", "case"), TESTS)
def test_case_gives_what_it_expects(flow, case):
    """What a flow's test expects follows from its readings."""
    assert failures(flow, case) == []


def test_flow_that_stands_beside_another_is_fed_by_it():
    """Where a folder holds several flows, one republishes what another selects."""
    beside = Counter(folder for folder, _ in FLOWS)
    for folder in (folder for folder, flows in beside.items() if flows > 1):
        together = [flow for of, flow in FLOWS if of == folder]
        made = {one.metric for flow in together for one in flow.republished}
        assert made & {metric for flow in together for metric in flow.metrics}, folder.name


def test_cases_speak_the_whole_language():
    """Every kind of window, every trigger and every detector is in a case, and at least half of the aggregates with a name of their own."""
    specs = [flow.spec for _, flow in FLOWS]
    assert {spec.window.kind for spec in specs} == {*WINDOWED, "none"}
    assert {kind for spec in specs if spec.trigger for kind in WATCHES if getattr(spec.trigger, kind) is not None} == set(WATCHES)
    assert {detector.by for spec in specs for detector in spec.detect.values()} == set(DETECTORS)
    named = {name for name in AGGREGATES if not name[1:].isdigit()}
    assert len(named & {call.function for spec in specs for call in spec.aggregate.values()}) >= len(named) / 2
