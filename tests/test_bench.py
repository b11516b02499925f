"""`sluice bench` measures what really went all the way: a short run of each part, on real processes."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from gateway.bench import throughput
from gateway.bench.cost import with_devices, with_flows
from gateway.bench.flash import flash
from gateway.bench.latency import latency
from gateway.bench.replay import backtest
from gateway.bench.restart import restart
from gateway.bench.table import lines
from gateway.bench.workers import shared
from gateway.cli import app

MISSING = [name for name in ("mosquitto_sub", "mosquitto_pub") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.mark.parametrize("qos", [0, 1])
def test_what_is_sustained_was_received_to_the_last_message(tmp_path, monkeypatch, qos):
    """Rates, lag and costs are those of messages that were counted on the way; nothing was lost."""
    monkeypatch.setattr(throughput, "_PROBE", 0.2)
    found = throughput.sustained(tmp_path / "stand", qos=qos, seconds=1.0, devices=50)
    assert found.sent > 0
    assert found.lost == 0
    assert found.lag <= throughput.LAG
    assert set(found.cpu) == set(found.written) == {"broker", "gateway", "flows"}
    assert found.cpu["gateway"] > 0
    assert found.memory["flows"] > 1_000_000


def test_what_a_c_client_receives_is_counted(tmp_path):
    assert throughput.received_by_c(tmp_path / "c", qos=1, seconds=2.0) > 0
    assert throughput.generator_alone(tmp_path / "alone", qos=1, seconds=0.5) > 0


def test_every_value_beyond_the_threshold_is_answered(tmp_path):
    found = latency(tmp_path / "stand", rate=100, seconds=2.0)
    assert (found.commands, found.unanswered) == (40, 0)
    assert 0 < found.p50 <= found.p99 <= found.longest


def test_what_is_written_is_told_by_process(tmp_path):
    found = flash(tmp_path / "stand", rate=200, seconds=2.0)
    assert found.messages == 400
    assert set(found.written) == {"gateway", "flows"}


def test_workers_read_the_same_journal(tmp_path):
    """Each number of workers reads it to its end, and gives the same windows."""
    found = [shared(tmp_path / f"{workers}", workers=workers, messages=120_000) for workers in (1, 2)]
    assert [one.workers for one in found] == [1, 2]
    assert found[0].windows == found[1].windows > 0
    assert all(one.rate > 0 for one in found)


def test_what_a_message_costs_is_told_by_process(tmp_path):
    found = with_devices(tmp_path / "devices", devices=50, seconds=1.0)
    assert (found.devices, found.flows, set(found.cpu)) == (50, 2, {"gateway", "flows"})
    assert found.cpu["flows"] > 0
    assert with_flows(tmp_path / "flows", flows=3, seconds=1.0).flows == 3


def test_backtest_is_timed(tmp_path):
    found = backtest(tmp_path / "backtest", readings=2_000)
    assert found.readings == 2_000
    assert found.rate > 0


def test_killed_flows_are_timed_until_they_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.bench.stand.SETTINGS", {"flows": {"snapshot": "1s"}})
    found = restart(tmp_path / "stand", windows=300)
    assert (found.windows, found.memory > 1_000_000) == (300, True)
    assert 0 < found.seconds < 30


def test_sections_that_are_not_there_are_told():
    done = CliRunner().invoke(app, ["bench", "speed"])
    assert done.exit_code == 2
    assert "must be of throughput, latency, devices, flows, workers, hosts, flash, restart, backtest; got speed" in done.output


def test_table_says_what_was_found():
    one = {"qos": 1, "rate": 5000, "seconds": 30.0, "lag": 0.5, "received_by_c": 10_000, "ratio": 0.5, "generator": 20_000, "headroom": 2.0}
    one |= {"cpu": {"broker": 2.5, "flows": 40.0}, "written": {"gateway": 45.0}, "memory": {"gateway": 50 << 20}}
    delay = {"rate": 1000, "commands": 600, "unanswered": 0, "p50": 2.5, "p99": 5.5, "longest": 9.0}
    found = {
        "throughput": [one],
        "latency": [delay],
        "flash": [{"rate": 10, "messages": 300, "written": {"gateway": 4096.0, "flows": 90.5}}],
    }
    found["flows"] = [{"devices": 1000, "flows": 10, "rate": 200, "cpu": {"gateway": 20.5, "flows": 80.0}, "memory": {"flows": 70 << 20}}]
    found["backtest"] = {"readings": 1_000_000, "seconds": 4.0, "rate": 250_000}
    found["workers"] = [{"workers": 2, "rate": 20_000, "windows": 7_000, "times": 1.5}]
    found["restart"] = {"windows": 100_000, "seconds": 1.25, "memory": 90 << 20}
    said = "\n".join(lines(json.loads(json.dumps(found))))
    assert "at    10 messages/s  4186.5 bytes: gateway 4096, flows 90.5" in said
    assert "1,000 devices,  10 flows, 200/s: processor a message 100.5 µs: gateway 20.5, flows 80; memory 70.0 MB: flows 70" in said
    assert "backtest of 1,000,000 readings: 250,000 readings/s, 4.0 s" in said
    assert "100,000 windows open: live again after 1.2 s, 90 MB" in said
    assert "2 of flows.workers:    20,000 messages/s from the journal, 1.50 × one" in said
    assert "5,000 messages/s for 30 s, lag 0.50 s" in said
    assert "42.5 µs: broker 2.5, flows 40" in said
    assert "beside 1,000 messages/s: p50 2.5 ms, p99 5.5 ms, longest 9.0 ms of 600" in said
