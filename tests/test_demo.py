"""The demos as a newcomer has them.

The greenhouse: a closed loop within a minute, on both embedded brokers, and what must not happen when it cannot close. Chaos: every fault that
the shipped flows watch for is found, every damaged payload is a dead letter, and nothing else is harmed.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gateway.starter import starter
from gateway.store.reader import StoreReader
from simulator.faults import KINDS
from simulator.scenario import load_scenario

SECONDS = 50
COMMAND = str(Path(sys.executable).with_name("sluice"))


def copied(folder):
    """Copy the shipped config, and give a function that edits one of its files."""
    shutil.copytree(starter(), folder)

    def edit(name, old, new):
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return edit


def without_fan(folder):
    edit = copied(folder)
    text = (folder / "scenarios/greenhouse.yaml").read_text()
    fan = next(line for line in text.splitlines() if "fan-1" in line and "name:" in line)
    entry = text[text.index(fan) :]
    rest = entry.split("\n  - ", 1)
    edit("scenarios/greenhouse.yaml", entry, f"  - {rest[1]}" if len(rest) > 1 else "")


def unreachable_threshold(folder):
    copied(folder)("flows/greenhouse-climate.yaml", "warm > 28.0", "warm > 100.0")


def with_amqtt(folder):
    copied(folder)
    (folder / "gateway.yaml").write_text("broker: {engine: amqtt}\n")


VARIANTS = {
    "shipped": copied,
    "without fan": without_fan,
    "unreachable threshold": unreachable_threshold,
    "amqtt": with_amqtt,
    "chaos": copied,
}
CHAOS_SECONDS = 110


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run all variants side by side, each on a broker and a data folder of its own, and give what each printed."""
    folder = tmp_path_factory.mktemp("demo")
    running = {}
    for name, make in VARIANTS.items():
        config, data = folder / name / "config", folder / name / "data"
        config.parent.mkdir()
        make(config)
        demo, seconds = ("chaos", CHAOS_SECONDS) if name == "chaos" else ("greenhouse", SECONDS)
        words = [COMMAND, "up", "--demo", demo, "--for", str(seconds), "--config", str(config), "--data", str(data), "--json"]
        running[name] = data, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    done = {}
    for name, (data, process) in running.items():
        out, err = process.communicate(timeout=CHAOS_SECONDS + 60)
        assert process.returncode == 0, err
        done[name] = data, json.loads(out), err
    return done


@pytest.mark.parametrize("name", ["shipped", "amqtt"])
def test_demo_closes_the_loop(runs, name):
    """An alert is raised with its reason, a command is confirmed, the temperature falls, the alert clears, and the ledger balances."""
    data, document, err = runs[name]
    assert document["alerts"]["raised"] >= 1
    assert document["alerts"]["cleared"] >= 1
    assert document["commands"]["confirmed"] >= 1
    assert document["commands"]["failed"] == document["commands"]["expired"] == 0
    assert document["ledger"]["balanced"]
    assert document["ledger"]["dead_letters"] == 0
    assert document["store"]["points"] > 100
    with StoreReader(data / "store.db") as reader:
        raised = reader.alerts(newest=100)[-1]
        fan = reader.commands(newest=100)[-1]
        after = [w.values["warm"] for w in reversed(reader.windows("greenhouse-climate", newest=1000)) if w.end > raised.time]
    assert (raised.state, raised.why["rule"]) == ("raised", "warm > 28.0")
    assert "because warm > 28.0" in err
    assert (fan.device, fan.settings, fan.state) == ("fan-1", {"state": "ON"}, "confirmed")
    assert min(after) < 26.0


def test_demo_without_its_fan_does_not_cool(runs):
    """Nobody answers: the command is tried again, fails, and the greenhouse stays warm."""
    data, document, _ = runs["without fan"]
    assert document["commands"]["confirmed"] == 0
    assert document["commands"]["failed"] + document["commands"]["expired"] >= 1
    assert document["alerts"] == {"raised": 1, "cleared": 0}
    assert document["ledger"]["balanced"]
    with StoreReader(data / "store.db") as reader:
        warm = [w.values["warm"] for w in reversed(reader.windows("greenhouse-climate", newest=1000))]
    assert warm[-1] == max(warm) or warm[-1] > 30.0


def test_demo_with_an_unreachable_threshold_raises_nothing(runs):
    """The same readings, another number: no alert, no command."""
    _, document, _ = runs["unreachable threshold"]
    assert document["alerts"] == {"raised": 0, "cleared": 0}
    assert document["commands"]["requested"] == 0
    assert document["windows"]["emitted"] > 5
    assert document["ledger"]["balanced"]


def test_demo_says_that_amqtt_keeps_nothing(runs):
    """Where the embedded broker forgets, `up` says so in a line."""
    assert "amqtt keeps nothing while Sluice is away" in runs["amqtt"][2]


def test_demo_goes_on_where_it_stopped(runs):
    """Started again on the same data, counters and journal continue, and the ledger still balances."""
    data, before, _ = runs["shipped"]
    words = [COMMAND, "up", "--demo", "greenhouse", "--for", "8", "--config", str(starter()), "--data", str(data), "--json"]
    after = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert after["ledger"]["received"] > before["ledger"]["received"]
    assert after["windows"]["emitted"] > before["windows"]["emitted"]
    assert after["ledger"]["balanced"]


def test_chaos_balances(runs):
    """Whatever devices do wrong, no process dies, every message is accounted for, and each damaged payload is kept with its reason."""
    data, document, err = runs["chaos"]
    assert "started again" not in err
    assert document["ledger"]["balanced"], document["ledger"]["flaws"]
    damaged = document["truth"]["dead_letters"]
    assert {kind: one["dead_lettered"] - one["sent"] for kind, one in damaged.items()} == {"malformed": 0, "truncated": 0}
    assert document["ledger"]["dead_letters"] == sum(one["sent"] for one in damaged.values()) > 20
    assert document["ledger"]["duplicates"] > 0
    assert (data / "truth.jsonl").read_text().count('"kind": "dropout"') == 3


def test_chaos_finds_every_fault(runs):
    """Each scheduled fault of the kinds that flows watch for is found, with hardly a false alarm; the scenario has every kind that there is."""
    _, document, err = runs["chaos"]
    scenario = load_scenario(starter() / "scenarios" / "chaos.yaml")
    scheduled = Counter(fault.kind for fault in scenario.faults)
    assert scheduled.keys() == KINDS.keys()
    kinds = document["truth"]["kinds"]
    assert len(kinds) == 10
    assert {kind: (one["found"], one["faults"]) for kind, one in kinds.items()} == {kind: (scheduled[kind],) * 2 for kind in kinds}
    assert min(one["precision"] for one in kinds.values()) >= 0.8, document["truth"]["false_alerts"]
    assert "recall  precision" in err
    judged = [COMMAND, "truth", "--data", str(runs["chaos"][0]), "--recall", "0.9", "--precision", "0.8"]
    assert subprocess.run(judged, capture_output=True, text=True, check=False, timeout=60).returncode == 0


def test_chaos_an_actuator_that_refuses_is_told_again(runs):
    """The fan refuses the first attempt; a later one is confirmed."""
    data, document, _ = runs["chaos"]
    assert document["commands"]["confirmed"] >= 2
    with StoreReader(data / "store.db") as reader:
        first = reader.commands(newest=100)[-1]
    assert (first.device, first.settings, first.state) == ("fan-1", {"state": "ON"}, "confirmed")
    assert first.attempt > 1
