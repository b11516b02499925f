"""kill -9 in the middle of traffic: every reading stored once, every window as in an undisturbed run, every command id once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import ExitStack
from statistics import fmean

import pytest

from devices.profile import Profile
from flows.backtest import replay
from flows.normaliser import Normaliser
from flows.spec import load_flows
from gateway.findings import load_folder
from gateway.journal.stretch import Stretch
from gateway.status import status
from gateway.store.effects import AlertChanged, CommandRequested, WindowClosed
from gateway.store.reader import StoreReader

RATE, SECONDS, DEVICES = 1000, 21, 20
WINDOW = 2_000_000_000

FLOW = """\
name: summary
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 2s, lateness: 1s}
aggregate: {warm: mean(temperature), hot: max(temperature), n: count(temperature)}
trigger: {when: hot > 29.0, clear: hot < 28.0}
do:
  - command: {device: valve, set: {state: "ON"}, confirm: {within: 1s, retries: 0}}
    on_clear: {set: {state: "OFF"}}
"""


@pytest.fixture
def running():
    """Start a process that does not outlive the test."""
    with ExitStack() as stack:

        def start(words):
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield start


@pytest.mark.parametrize("victim", ["gateway", "flows"])
def test_kill_9_loses_nothing_and_doubles_nothing(victim, sluice, mosquitto, until, tmp_path, running):
    """Four kills of one process during 21,000 messages at QoS 1."""
    (sluice.config / "flows" / "summary.yaml").write_text(FLOW)
    (sluice.config / "devices" / "valve.yaml").write_text("devices: [valve]\nconvention: plain_json\nbase: plant/valve\n")
    (sluice.config / "gateway.yaml").write_text(f'broker: {{url: "{mosquitto.url}"}}\nflows: {{snapshot: 2s}}\n')
    truth = tmp_path / "truth.jsonl"
    with sluice.up():
        load = [sys.executable, "-m", "simulator.load", "--broker-url", mosquitto.url, "--devices", str(DEVICES), "--truth", str(truth)]
        loading = running([*load, "--rate", str(RATE), "--for", str(SECONDS)])
        for part in (3_000, 7_000, 11_000, 15_000):
            until(lambda part=part: status(sluice.data)["ledger"]["normalised"] > part, 60)
            killed = sluice.kill(victim)
            until(lambda killed=killed: sluice.status_or_none().get("running") and _restarted(sluice, victim, killed), 60)
        sent = json.loads(loading.communicate(timeout=120)[0])
        said = [json.loads(line) for line in truth.read_text().splitlines()]
        assert sent["acknowledged"] == len(said) == RATE * SECONDS
        expected = _windows(said)
        until(lambda: _stored_windows(sluice).keys() == expected.keys(), 60)
        until(lambda: status(sluice.data)["ledger"]["pending"] == 0, 60)
    _check_readings(sluice, said)
    stored = _stored_windows(sluice)
    for key, (count, mean, hot) in expected.items():
        window = stored[key]
        assert (window.count, window.values["hot"]) == (count, hot), key
        assert window.values["warm"] == pytest.approx(mean, rel=1e-12)
    _check_against_an_undisturbed_run(sluice)
    after = sluice.json("status", code=1)
    assert after["ledger"]["balanced"], after["ledger"]
    commands = after["commands"]
    assert commands["requested"] == sum(commands[s] for s in ("confirmed", "failed", "expired", "superseded", "refused", "waiting"))
    assert sluice.json("doctor")["complaints"] == []


def _restarted(sluice, victim, killed):
    from gateway.status import read_up

    return (read_up(sluice.data) or {}).get("processes", {}).get(victim, killed) != killed


def _windows(said):
    values = defaultdict(list)
    for one in said:
        ts = one["ts"] * 1_000_000
        values[one["device"], ts - ts % WINDOW + WINDOW].append(one["temperature"])
    return {key: (len(v), fmean(v), max(v)) for key, v in values.items()}


def _stored_windows(sluice):
    with StoreReader(sluice.data / "store.db") as reader:
        newest = {}
        for window in reader.windows(newest=1_000_000):
            key = (dict(window.group)["device"], window.end)
            if key not in newest or window.revision > newest[key].revision:
                newest[key] = window
    return newest


def _check_readings(sluice, said):
    """Each reading of the truth is in the store once, and nothing else is."""
    with StoreReader(sluice.data / "store.db") as reader:
        stored = Counter((k.reading.device, k.reading.value) for k in reader.readings_after(0, 10_000_000) if k.reading.metric == "seq")
    assert stored == Counter((one["device"], one["seq"]) for one in said)


def _check_against_an_undisturbed_run(sluice):
    """The journal, read once from its start by the same logic without any crash, decides the very same effects, in the same order."""
    flows = load_flows(sluice.config)
    normaliser = Normaliser(flows, load_folder(sluice.config / "devices", Profile, root=sluice.config))
    effects = replay(flows, normaliser, Stretch(sluice.data / "journal" / "0"))
    decided = [e for e in effects if isinstance(e, WindowClosed | AlertChanged | CommandRequested)]
    with StoreReader(sluice.data / "store.db") as store:
        kept = [e for _, e in store.effects_after(0, 10_000_000) if isinstance(e, WindowClosed | AlertChanged | CommandRequested)]
    assert len(kept) == len({e.id for e in kept})
    assert kept == decided
    assert any(isinstance(e, CommandRequested) for e in kept)
