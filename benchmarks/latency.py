"""Sensor to command: from a publisher's send to a subscriber's receipt on the actuator's topic, through a real mosquitto.

python benchmarks/latency.py [--rate 1000] [--seconds 60] [--probes 20]

Beside `rate` messages a second at QoS 1 from 100 devices, a probe alternates around the threshold of a flow without windows, `probes` times a
second; each time a command goes out, and the actuator reports its new state, so that the command is confirmed. The journal is durable
(fsync) as by default, one flows worker. Prints one JSON document: latency in ms, what was lost, and what was stored.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import paho.mqtt.client as mqtt

from gateway.broker.embedded import answers, free_port, plan
from gateway.status import status

FLOW = """\
name: probe-limit
select: {metrics: [probe]}
group: [device]
window: {kind: none}
trigger: {when: value > 50.0, clear: value < 50.0}
do:
  - command: {device: valve, set: {state: "ON"}, confirm: {within: 5s, retries: 1}}
    on_clear: {set: {state: "OFF"}}
"""
SUMMARY = """\
name: load-summary
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 10s, lateness: 1s, corrections: 1m}
aggregate: {warm: mean(temperature), hot: max(temperature)}
trigger: {when: warm > 1000.0}
"""
VALVE = "devices: [valve]\nconvention: plain_json\nbase: plant/valve\n"


class Probe:
    """A sensor and the actuator it ends in, in one process and so on one clock."""

    def __init__(self, host: str, port: int) -> None:
        self.latencies: list[float] = []
        self._sent = 0.0
        self._answered = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bench-probe")
        self._client.on_message = self._on_command
        self._client.on_socket_open = lambda _c, _d, opened: opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.connect(host, port)
        self._client.subscribe("plant/valve/set", qos=1)
        self._client.loop_start()

    def _on_command(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.latencies.append((time.perf_counter() - self._sent) * 1000)
        client.publish("plant/valve", message.payload, qos=1)
        self._answered.set()

    def run(self, probes: int, seconds: float) -> int:
        """Send probes in step, each after the one before was answered; give how many got no answer."""
        unanswered = 0
        began = time.perf_counter()
        for number in range(int(probes * seconds)):
            time.sleep(max(0.0, began + number / probes - time.perf_counter()))
            self._answered.clear()
            self._sent = time.perf_counter()
            self._client.publish("plant/probe-1", json.dumps({"probe": 99 if number % 2 == 0 else 1, "n": number}), qos=1)
            unanswered += not self._answered.wait(10)
        return unanswered

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def measure(directory: Path, *, rate: int, seconds: float, probes: int) -> dict[str, object]:
    """Run it all; everything that was started is ended."""
    config, data = directory / "config", directory / "data"
    (config / "flows").mkdir(parents=True)
    (config / "devices").mkdir()
    (config / "flows" / "probe-limit.yaml").write_text(FLOW)
    (config / "flows" / "load-summary.yaml").write_text(SUMMARY)
    (config / "devices" / "valve.yaml").write_text(VALVE)
    broker = plan(directory / "broker", engine="mosquitto", listen=f"127.0.0.1:{free_port('127.0.0.1', 0)}")
    (config / "gateway.yaml").write_text(f'broker: {{url: "{broker.url}"}}\n')
    with ExitStack() as stack:
        stack.enter_context(ended(subprocess.Popen(broker.command)))
        wait(lambda: answers(broker.host, broker.port))
        sluice = [sys.executable, "-c", "from gateway.cli import main; main()", "up", "--config", str(config), "--data", str(data)]
        up = stack.enter_context(ended(subprocess.Popen(sluice, stderr=subprocess.DEVNULL)))
        wait(lambda: status(data).get("link") == "connected")
        probe = Probe(broker.host, broker.port)
        probe.run(10, 1)
        probe.latencies.clear()
        load = [sys.executable, "-m", "simulator.load", "--broker-url", broker.url, "--devices", "100"]
        loading = subprocess.Popen([*load, "--rate", str(rate), "--for", str(seconds)], stdout=subprocess.PIPE, text=True)
        unanswered = probe.run(probes, seconds - 2)
        sent = json.loads(loading.communicate(timeout=seconds + 60)[0])
        wait(lambda: status(data)["ledger"]["pending"] == 0)
        probe.close()
        running = status(data)
        up.terminate()
        up.wait(15)
        after = status(data)
    ordered = sorted(probe.latencies)
    return {
        "rate": rate,
        "seconds": seconds,
        "commands": len(ordered),
        "unanswered": unanswered,
        "p50_ms": round(ordered[len(ordered) // 2], 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
        "max_ms": round(ordered[-1], 2),
        "load": sent,
        "ledger": after["ledger"],
        "commands_ledger": after["commands"],
        "memory_mb": {name: round(size / 2**20, 1) for name, size in running["memory"].items()},
    }


class ended:  # noqa: N801  reads as a word where it is used
    """End a process at the end of a block."""

    def __init__(self, process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> subprocess.Popen[str] | subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(15)


def wait(condition: object, seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    give_up = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > give_up:
            raise TimeoutError("the benchmark's parts did not come up, or did not come to rest")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--probes", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(measure(Path(directory), **vars(options)), indent=2))


if __name__ == "__main__":
    main()
