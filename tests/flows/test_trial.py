"""Tests in flow files: where their readings come from, how far time goes, and what is held against what."""

from __future__ import annotations

import textwrap

import pytest

from flows.spec import read_flow
from flows.trial import compare, failures

FLOW = """
    name: heat
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: none}
    trigger: {when: value > 30.0, severity: critical}
    do:
      - alert: "{device} at {value:.0f}"
      - republish: {metric: comfort, value: "40.0 - value", unit: "%"}
    tests:
"""
SILENT = """
    name: watch
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: none}
    trigger: {silent: {for: 10m}}
    tests:
"""
CSV = "time,device,metric,value\n2026-01-01T00:00:01Z,t-1,temperature,29\n2026-01-01T00:00:02Z,t-1,temperature,31\n"


@pytest.fixture
def read(tmp_path):
    """Read a flow file with these tests in it; give the flow and its findings."""
    (tmp_path / "flows").mkdir()

    def make(flow, *cases):
        path = tmp_path / "flows" / "f.yaml"
        path.write_text(textwrap.dedent(flow).lstrip() + "".join(textwrap.indent(textwrap.dedent(case).lstrip(), "  ") for case in cases))
        return read_flow(path, root=tmp_path, environ={})

    return make


def test_readings_come_from_a_file_beside_the_flow(read, tmp_path):
    """A CSV as a backtest takes it, found from the flow file's folder; labels of the test come on top."""
    (tmp_path / "flows" / "hot.csv").write_text(CSV)
    flow, findings = read(
        FLOW,
        """
        - name: from a file
          readings_file: hot.csv
          labels: {t-1: {room: shed}}
          expect:
            alerts: [{state: raised, at: "00:00:02", group: {device: t-1}, message: "t-1 at 31", severity: critical}]
            republished:
              - {metric: comfort, value: 11, device: t-1, unit: "%"}
              - {metric: comfort, value: 9}
        """,
    )
    assert findings == []
    assert failures(flow, flow.cases[0]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "must be a file that can be read: no such file"), (CSV + "soon,t-1,temperature,1\n", "hot.csv:4"), ("a,b\n", "header")],
)
def test_file_of_readings_that_cannot_be_read_is_a_finding(read, tmp_path, text, words):
    """At the key that names it, with the line of the file that is wrong."""
    if text is not None:
        (tmp_path / "flows" / "hot.csv").write_text(text)
    _, findings = read(FLOW, "- {name: x, readings_file: hot.csv, expect: {alerts: []}}\n")
    (finding,) = findings
    assert (finding.line, words in finding.message) == (10, True), finding


def test_readings_stand_in_one_place(read):
    """Neither none, nor both."""
    _, none = read(FLOW, "- {name: x, expect: {alerts: []}}\n")
    assert [finding.message for finding in none] == ["missing key 'readings' (or 'readings_file')"]


def test_time_goes_on_until_nothing_waits_or_as_far_as_the_test_says(read):
    """Silence is raised by the clock alone; with `until` before that, it is not."""
    cases = [
        f"""
        - name: {name}
          readings: "00:00:10 t-1 temperature 20"
          {until}
          expect: {{alerts: {alerts}}}
        """
        for name, until, alerts in [
            ("to the end", "labels: {}", '[{state: raised, at: "00:10:10", group: {device: t-1}}]'),
            ("not so far", 'until: "00:10:09"', "[]"),
            ("just so far", 'until: "00:10:10"', "[{state: raised}]"),
        ]
    ]
    flow, findings = read(SILENT, *cases)
    assert findings == []
    assert [failures(flow, case) for case in flow.cases] == [[], [], []]


def test_what_differs_is_shown_beside_what_does_not(read):
    """Every expectation gives a row: what was expected, what was got, and whether that is the same."""
    flow, _ = read(
        FLOW,
        """
        - name: not so
          readings: |
            00:00:01 t-1 temperature 31
            00:00:02 t-1 temperature 20
          expect:
            alerts:
              - {state: raised, message: "t-1 at 31"}
              - {state: cleared, severity: info}
              - {state: raised, group: {device: t-2}}
            commands: [{device: fan, set: {state: "ON"}}]
            republished: []
        """,
    )
    rows = compare(flow, flow.cases[0])
    assert [(one.what, one.same) for one in rows] == [
        ("command 1", False),
        ("alert 1", True),
        ("alert 2", False),
        ("alert 3", False),
        ("republished 1", False),
        ("republished 2", False),
    ]
    assert str(rows[0]) == "command 1: expected fan {'state': 'ON'}, got none"
    assert rows[2].expected == "cleared (info)"
    assert rows[2].got == "cleared at 00:00:02 {'device': 't-1'} 't-1 at 20' (critical)"
    assert str(rows[4]) == "republished 1: expected none, got t-1 comfort 9.0 % at 00:00:01"
