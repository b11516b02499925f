"""`sluice truth` as a person has it, and what it takes from the flows' files."""

from __future__ import annotations

import json
import subprocess

import pytest

from gateway.cli.truth import demo_truth, watchers
from gateway.store.effects import AlertChanged, DeviceLearned, Progressed
from gateway.store.store import Store
from gateway.truth.watcher import Watcher

S = 10**9
T0 = 1_760_000_000 * S
SPIKES = """
name: spikes
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 10s, lateness: 2s}
aggregate: {hot: max(temperature)}
trigger: {when: hot > 90.0, hold: 30s, debounce: 1s, finds: [spike]}
"""
COST = """
name: cost
select: {metrics: [power], where: device != "main"}
group: [device]
window: none
lookup: {price: {device: grid, metric: tariff}}
do:
  - republish: {metric: cost, value: value * price}
"""
DEAR = """
name: dear
select: {metrics: [cost]}
group: [device]
window: none
trigger: {when: value > 3.0}
"""


@pytest.fixture
def judged(sluice):
    """Give the command on a config with flows, a store with alerts, and a truth file."""
    for name, text in (("spikes", SPIKES), ("cost", COST), ("dear", DEAR)):
        (sluice.config / "flows" / f"{name}.yaml").write_text(text)
    group = (("device", "d"),)
    alerts = [
        AlertChanged(f"a-{n}", f"e-{n}", "spikes", group, "raised", "warning", "hot", {}, T0 + t * S, T0 + t * S)
        for n, t in ((0, 12), (1, 900))
    ]
    with Store(sluice.data / "store.db") as store:
        store.write([DeviceLearned("d", "plain_json", "", {}, T0), *alerts, Progressed(9, 9, T0 + 1000 * S)])
    fault = {"device": "d", "metric": "temperature", "kind": "spike", "start": T0 + 10 * S, "end": T0 + 20 * S}
    (sluice.data / "truth.jsonl").write_text(f"{json.dumps(fault)}\n")
    return sluice


def test_watchers_are_the_flows_with_triggers(judged):
    """How long a flow waits is its window, lateness, hold and debounce; what it republishes leads on to what that was made of."""
    assert watchers(judged.config, judged.data) == [
        Watcher("dear", None, frozenset({"cost", "power", "tariff"}), 0),
        Watcher("spikes", frozenset({"spike"}), frozenset({"temperature"}), 43 * S),
    ]


def test_watchers_without_a_config_are_those_that_ran(judged):
    """As a demo without a folder of its own leaves them in its data folder."""
    judged.config.rename(judged.data / "config")
    assert [one.name for one in watchers(judged.config, judged.data)] == ["dear", "spikes"]


def test_truth_prints_a_document_and_exits_1_below_what_is_asked(judged):
    """The same document with every exit; nothing is asked by default."""
    document = judged.json("truth")
    assert (document["kinds"]["spike"]["recall"], document["kinds"]["spike"]["precision"]) == (1.0, 0.5)
    assert judged.json("truth", "--recall", "0.9", "--precision", "0.8", code=1) == document
    assert judged.json("truth", "--flow", "dear")["kinds"] == {}
    assert judged.json("truth", "--since", "2025-10-09T09:00:00Z")["kinds"]["spike"]["faults"] == 0
    assert judged.json("truth", "--grace", "15m")["false_alerts"] == []
    assert "\nspike  1       1      1.00    0.50 " in judged("truth", "--config", str(judged.config), "--data", str(judged.data))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--flow", "spike"], "there is no flow 'spike' with a trigger; there are: dear, spikes"),
        (["--grace", "soon"], "--grace must be a duration such as 10s, 5m, 2h; got 'soon'"),
        (["--since", "soon"], "--since: a time must be like 2025-10-09"),
        (["absent.jsonl"], "absent.jsonl: cannot be read: No such file or directory"),
        (["DATA/bad.jsonl"], "bad.jsonl:1: must be a JSON object; got '?'"),
    ],
)
def test_truth_with_wrong_usage_is_refused(judged, words, said):
    """Exit 2 and one sentence."""
    (judged.data / "bad.jsonl").write_text("?")
    words = [word.replace("DATA", str(judged.data)) for word in words]
    command = [judged.command, "truth", *words, "--config", str(judged.config), "--data", str(judged.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_truth_without_a_store_says_so(judged):
    """Exit 1: nothing has run."""
    (judged.data / "store.db").unlink()
    judged("truth", "--config", str(judged.config), "--data", str(judged.data), code=1)


def test_demo_is_judged_where_something_was_labelled(judged, capsys):
    """The table is on stderr, the document is given."""
    document = demo_truth(judged.config, judged.data, since=T0 + 5 * S)
    assert document is not None
    assert (document["since"], document["kinds"]["spike"]["found"]) == ("2025-10-09T08:53:25.000+00:00", 1)
    assert capsys.readouterr().err.startswith("kind ")
    (judged.data / "truth.jsonl").write_text("")
    assert demo_truth(judged.config, judged.data, since=T0) is None
    (judged.data / "truth.jsonl").unlink()
    assert demo_truth(judged.config, judged.data, since=T0) is None
