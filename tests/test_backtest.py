"""`sluice backtest` against what was published live: the same events, in the same order, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from gateway.status import status

RATE, SECONDS, DEVICES = 300, 12, 20

FLOW = """\
name: summary
select: {metrics: [temperature]}
group: [device]
window: {kind: sliding, length: 2s, slide: 1s, lateness: 500ms}
aggregate: {warm: mean(temperature), hot: max(temperature), p: p95(temperature), n: count(temperature)}
trigger: {when: hot > 28.0, clear: hot < 27.0}
do:
  - command: {device: valve, set: {state: "ON"}, confirm: {within: 1s, retries: 0}}
    on_clear: {set: {state: "OFF"}}
"""
EVERY = """\
name: every
select: {metrics: [temperature]}
group: [device]
window: none
trigger: {when: value > 27.5, clear: value < 27.0}
do:
  - alert: "{device} at {value:.2f}"
"""


@pytest.fixture
def running():
    """Start a process that does not outlive the test."""
    with ExitStack() as stack:

        def start(words, **settings):
            process = stack.enter_context(subprocess.Popen(words, text=True, **settings))
            stack.callback(process.kill)
            return process

        yield start


def published(path, flow):
    """The bytes of a flow's events in the order in which a subscriber got them."""
    return [line for line in path.read_bytes().splitlines() if json.loads(line)["data"].get("flow") == flow]


def backtest(sluice, flow, *words):
    done = sluice("backtest", flow, "--journal", str(sluice.data), "--config", str(sluice.config), "--json", *words)
    return done.encode().splitlines()


@pytest.mark.parametrize("kills", [0, 3])
def test_backtest_gives_what_was_published_byte_for_byte(kills, sluice, mosquitto, until, tmp_path, running):
    """Thousands of messages at QoS 1, with and without kill -9 of the flows in between: what a subscriber of the broker saw is what a backtest says."""
    for name, text in (("summary", FLOW), ("every", EVERY)):
        (sluice.config / "flows" / f"{name}.yaml").write_text(text)
    (sluice.config / "devices" / "valve.yaml").write_text("devices: [valve]\nconvention: plain_json\nbase: plant/valve\n")
    (sluice.config / "gateway.yaml").write_text(f'site: test-1\nbroker: {{url: "{mosquitto.url}"}}\nflows: {{snapshot: 2s}}\n')
    heard = tmp_path / "heard.jsonl"
    with heard.open("wb") as out:
        topics = ["windows", "alerts", "commands"]
        listening = ["mosquitto_sub", "-p", str(mosquitto.port), "-q", "1", "-c", "-i", "listener", "-F", "%p"]
        running([*listening, *(word for topic in topics for word in ("-t", f"sluice/test-1/{topic}/#"))], stdout=out)
        with sluice.up():
            load = [sys.executable, "-m", "simulator.load", "--broker-url", mosquitto.url, "--devices", str(DEVICES)]
            loading = running([*load, "--rate", str(RATE), "--for", str(SECONDS)], stdout=subprocess.DEVNULL)
            for part in range(kills):
                until(lambda part=part: status(sluice.data)["ledger"]["normalised"] > (part + 1) * RATE * 2, 60)
                killed = sluice.kill("flows")
                until(lambda killed=killed: sluice.status_or_none().get("processes", {}).get("flows") not in (None, killed), 60)
            assert loading.wait(120) == 0
            for flow in ("summary", "every"):
                until(lambda flow=flow: published(heard, flow) == backtest(sluice, flow), 40)
    for flow in ("summary", "every"):
        events = published(heard, flow)
        assert events == backtest(sluice, flow) == backtest(sluice, str(sluice.config / "flows" / f"{flow}.yaml"))
        assert {"sluice.alert.v1"} <= {json.loads(event)["type"] for event in events}
    kinds = [(event["type"], event["data"].get("state")) for event in map(json.loads, published(heard, "summary"))]
    assert {("sluice.window.v1", None), ("sluice.command.v1", "requested"), ("sluice.command.v1", "sent")} <= set(kinds)
