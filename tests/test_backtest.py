"""`sluice backtest` against what was published live: the same events, in the same order, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from gateway.status import read_up, status

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
    return [line for line in path.read_bytes().split(b"\n")[:-1] if json.loads(line)["data"].get("flow") == flow]


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
                until(lambda killed=killed: (read_up(sluice.data) or {}).get("processes", {}).get("flows", killed) != killed, 60)
            assert loading.wait(120) == 0
            until(lambda: status(sluice.data)["commands"]["requested"] and not status(sluice.data)["commands"]["waiting"], 40)
            for flow in ("summary", "every"):
                until(lambda flow=flow: published(heard, flow) == backtest(sluice, flow), 40)
    for flow in ("summary", "every"):
        events = published(heard, flow)
        assert events == backtest(sluice, flow) == backtest(sluice, str(sluice.config / "flows" / f"{flow}.yaml"))
        assert {"sluice.alert.v1"} <= {json.loads(event)["type"] for event in events}
    kinds = [(event["type"], event["data"].get("state")) for event in map(json.loads, published(heard, "summary"))]
    assert {("sluice.window.v1", None), ("sluice.command.v1", "requested"), ("sluice.command.v1", "sent")} <= set(kinds)


def at_input(sluice, flow, *words, code=0):
    """Backtest a flow over a file of a minute, in which two devices grow warm and cool again."""
    lines = [f"{1767225600 + n},t{n % 2},temperature,{26 + (n // 2 % 6) / 2}" for n in range(60)]
    file = sluice.config.parent / "readings.csv"
    file.write_text("time,device,metric,value\n" + "\n".join(lines) + "\n")
    return sluice("backtest", flow, "--input", str(file), "--config", str(sluice.config), *words, code=code)


def test_backtest_prints_decisions_and_sums(sluice):
    """A line for each alert's change and each command, then what it all came to; the same each time."""
    (sluice.config / "flows" / "every.yaml").write_text(EVERY)
    said = at_input(sluice, "every").splitlines()
    assert len([line for line in said if " raised " in line]) == 10
    assert "t0 at 28.00 (value > 27.5)" in said[0]
    assert said[-1] == "60 readings, 60 of them selected, 0 late; 0 windows, 0 corrections; alerts: 10 raised, 8 cleared; 0 commands"
    assert at_input(sluice, "every", "--json") == at_input(sluice, str(sluice.config / "flows" / "every.yaml"), "--json")
    until_half = at_input(sluice, "every", "--until", "2026-01-01T00:00:30Z").splitlines()
    assert until_half[-1].startswith("30 readings, 30 of them selected")


def test_backtest_shows_what_another_flow_would_have_done_differently(sluice, tmp_path):
    """With a higher limit each alert is raised a second later: ten that only the one has, ten that only the other has."""
    (sluice.config / "flows" / "every.yaml").write_text(EVERY)
    other = tmp_path / "other.yaml"
    other.write_text(EVERY.replace("27.5", "28.0"))
    said = at_input(sluice, "every", "--diff", str(other)).splitlines()
    assert [line[:1] for line in said[:-1]].count("-") == [line[:1] for line in said[:-1]].count("+") == 10
    assert said[-1] == "10 only flows/every.yaml, 10 only other.yaml, 8 both"
    document = json.loads(at_input(sluice, "every", "--diff", str(other), "--json"))
    assert (len(document["only_one"]), len(document["only_other"]), document["both"]) == (10, 10, 8)
    assert document["only_one"][0] == {"time": "2026-01-01T00:00:08.000000000Z", "group": "t0", "what": "raised"}


def test_backtest_refuses_what_it_cannot_read(sluice, tmp_path):
    """A flow that is not there or not sound, no input or both, a journal where there is none, a line that is none: exit 2 each."""
    (sluice.config / "flows" / "every.yaml").write_text(EVERY)
    (tmp_path / "broken.yaml").write_text(EVERY.replace("value > 27.5", "valeu > 27.5"))
    at_input(sluice, "nothing", code=2)
    at_input(sluice, str(tmp_path / "nothing.yaml"), code=2)
    at_input(sluice, str(tmp_path / "broken.yaml"), code=2)
    at_input(sluice, "every", "--journal", str(tmp_path), code=2)
    at_input(sluice, "every", "--since", "soon", code=2)
    config = ("--config", str(sluice.config))
    sluice("backtest", "every", *config, code=2)
    sluice("backtest", "every", "--journal", str(tmp_path), *config, code=2)
    sluice("backtest", "every", "--input", str(tmp_path / "nothing.csv"), *config, code=2)
    (tmp_path / "bad.csv").write_text("time,value\nsoon,1\n")
    sluice("backtest", "every", "--input", str(tmp_path / "bad.csv"), *config, code=2)
