"""The demo as a newcomer has it: a closed loop within a minute, on both embedded brokers, and what must not happen when it cannot close."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.starter import starter
from gateway.store.reader import StoreReader

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


VARIANTS = {"shipped": copied, "without fan": without_fan, "unreachable threshold": unreachable_threshold, "amqtt": with_amqtt}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run all variants side by side, each on a broker and a data folder of its own, and give what each printed."""
    folder = tmp_path_factory.mktemp("demo")
    running = {}
    for name, make in VARIANTS.items():
        config, data = folder / name / "config", folder / name / "data"
        config.parent.mkdir()
        make(config)
        words = [COMMAND, "up", "--demo", "greenhouse", "--for", str(SECONDS), "--config", str(config), "--data", str(data), "--json"]
        running[name] = data, subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    done = {}
    for name, (data, process) in running.items():
        out, err = process.communicate(timeout=SECONDS + 60)
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
