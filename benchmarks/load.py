"""How many messages a second the load generator gives, beside `mosquitto_pub` and the broker's own ceiling: `python benchmarks/load.py`.

One private mosquitto; every contestant once a round, in turn; medians over the rounds, and ratios within a round. All send payloads of the
same length. `mosquitto_pub` sends one fixed message on one topic, each of the ways that it has: lines from a file (-l), and --repeat, with
its own limit of unacknowledged messages (-M 20) and a higher one. Its time runs from its start until the broker says that it has left, so
that all it sent has been read; ours from the connection to the last PUBACK, or to the answer to a ping behind the last message. What the
broker received is asked of the broker ($SYS): a message that never came is not counted, whoever claims to have sent it. Four of the fastest
`mosquitto_pub` at once show what the broker itself can take. `alone` is without a broker: how fast one core encodes, and how fast it writes
that into a socket that another process empties.

Prints a table, or with --json one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.broker.embedded import answers, free_port, plan
from simulator.broker import Broker
from simulator.load import LoadSpec, run
from simulator.load.reports import BLOCK, Reports

PATIENCE = 60.0
TOGETHER = 4
SINK = "import socket, sys\nend = socket.socket(fileno=int(sys.argv[1]))\nroom = bytearray(1 << 20)\nwhile end.recv_into(room):\n    pass\n"


class Result(NamedTuple):
    """What a contestant came to: messages the broker received in how many seconds, how many fewer than were sent, CPU seconds of its own."""

    received: int
    seconds: float
    lost: int
    cpu: float
    p99_ms: float | None = None

    @property
    def rate(self) -> float:
        return self.received / self.seconds


class Watched:
    """A mosquitto that says when clients leave, and how many messages it has received."""

    def __init__(self, directory: Path) -> None:
        planned = plan(directory, engine="mosquitto", listen=f"127.0.0.1:{free_port('127.0.0.1', 0)}")
        with (directory / "mosquitto.conf").open("a") as config:
            config.write("log_type notice\nsys_interval 1\n")
        self.broker = Broker.at(planned.url)
        self._left: dict[str, float] = {}
        self._counts = {"received": 0, "ticks": 0}
        self._changed = threading.Condition()
        self._process = subprocess.Popen(planned.command, stderr=subprocess.PIPE, text=True)
        self._await(lambda: answers(planned.host, planned.port))
        threading.Thread(target=self._listen, daemon=True).start()
        self._watcher = Client(CallbackAPIVersion.VERSION2)
        self._watcher.on_message = self._hear
        self._watcher.connect(planned.host, planned.port)
        self._watcher.subscribe([("$SYS/broker/publish/messages/received", 0), ("$SYS/broker/uptime", 0)])
        self._watcher.loop_start()

    def left(self, client: str) -> float:
        """Wait until a client has left, and give when, in seconds of the monotonic clock."""
        self._await(lambda: client in self._left)
        return self._left[client]

    def received(self) -> int:
        """Give how many messages were received so far: as published one whole interval from now."""
        ticks = self._counts["ticks"] + 2
        self._await(lambda: self._counts["ticks"] >= ticks)
        return self._counts["received"]

    def close(self) -> None:
        self._watcher.disconnect()
        self._watcher.loop_stop()
        self._process.terminate()
        self._process.wait(15)

    def _await(self, condition: Callable[[], bool]) -> None:
        give_up = time.monotonic() + PATIENCE
        with self._changed:
            while not condition():
                if time.monotonic() > give_up:
                    raise TimeoutError("the broker does not come up, or a client does not leave")
                self._changed.wait(0.05)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            words = line.split()
            if words[1:2] == ["Client"]:  # either "disconnected", or "closed its connection" without taking leave
                with self._changed:
                    self._left[words[2]] = time.monotonic()
                    self._changed.notify_all()

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._changed:
            if message.topic.endswith("uptime"):
                self._counts["ticks"] += 1
            else:
                self._counts["received"] = int(message.payload)
            self._changed.notify_all()


@dataclass(frozen=True)
class Ours:
    """The load generator at full speed."""

    qos: int
    devices: int
    connections: int = 1

    def __str__(self) -> str:
        return f"sluice, {self.devices:,} devices" + (f", {self.connections} connections" if self.connections > 1 else "")

    def go(self, watched: Watched, *, seconds: float) -> Result:
        before, used = watched.received(), _cpu()
        spec = LoadSpec.model_validate({"devices": self.devices, "qos": self.qos, "connections": self.connections})
        loaded = run(spec, watched.broker, seconds=seconds)
        cpu = _cpu() - used
        received = watched.received() - before
        return Result(received, loaded.seconds, loaded.sent - received, cpu, loaded.p99_ms)


@dataclass(frozen=True)
class Theirs:
    """`mosquitto_pub`, one or several at once; `count` messages each."""

    qos: int
    words: tuple[str, ...]
    count: int
    at_once: int = 1

    def __str__(self) -> str:
        return f"mosquitto_pub {' '.join(self.words)}" + (f", {self.at_once} at once" if self.at_once > 1 else "")

    def go(self, watched: Watched, *, seconds: float) -> Result:
        message, count = _message(), round(self.count * seconds)
        before, used = watched.received(), _cpu(resource.RUSAGE_CHILDREN)
        command = ["mosquitto_pub", "-h", watched.broker.host, "-p", str(watched.broker.port), "-q", str(self.qos), "-t", "load/d-0001"]
        names = [f"pub-{time.monotonic_ns()}-{number}" for number in range(self.at_once)]
        with _lines(message, count if "-l" in self.words else 0) as lines:
            words = [*self.words] if "-l" in self.words else [*self.words, str(count), "-m", message]
            began = time.monotonic()
            running = [subprocess.Popen([*command, "-i", name, *words], stdin=lines.open("rb")) for name in names]
            for process in running:
                process.wait(PATIENCE)
            ended = max(watched.left(name) for name in names)
        received = watched.received() - before
        return Result(received, ended - began, count * self.at_once - received, _cpu(resource.RUSAGE_CHILDREN) - used)


CONTESTANTS: tuple[Ours | Theirs, ...] = (
    Ours(0, 1000),
    Theirs(0, ("-l",), 180_000),
    Ours(0, 100_000),
    Theirs(0, ("--repeat",), 120_000),
    Ours(0, 1000, connections=4),
    Theirs(0, ("-l",), 60_000, at_once=TOGETHER),
    Ours(1, 1000),
    Theirs(1, ("--repeat",), 30_000),
    Ours(1, 100_000),
    Theirs(1, ("-M", "1000", "--repeat"), 30_000),
    Ours(1, 1000, connections=4),
    Theirs(1, ("-l",), 60_000),
    Theirs(1, ("--repeat",), 15_000, at_once=TOGETHER),
)


def alone(qos: int, *, seconds: float) -> dict[str, float]:
    """Give how many messages a second one core encodes, and how many it writes into a socket that another process empties."""
    spec = LoadSpec.model_validate({"devices": 100_000, "qos": qos})
    here, there = socket.socketpair()
    with here, there:
        sink = subprocess.Popen([sys.executable, "-c", SINK, str(there.fileno())], pass_fds=[there.fileno()])
        there.close()
        reports = Reports(spec, seed=1)
        rates = {"encoded": _encode(reports, lambda _: None, seconds), "into_a_socket": _encode(reports, here.sendall, seconds)}
        here.close()
        sink.wait(PATIENCE)
    return rates


def _encode(reports: Reports, take: Callable[[bytes], object], seconds: float) -> float:
    number, began = 0, time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        take(reports.encode(number, BLOCK, step=1, position=number, stamp=time.time_ns() // 10**6))
        number += BLOCK
    return number / elapsed


def _message() -> str:
    """Give a payload of our own."""
    packet = Reports(LoadSpec(), seed=1).encode(1000, 1, step=1, position=0, stamp=time.time_ns() // 10**6)
    return packet[packet.index(b"{") :].decode()


@contextmanager
def _lines(message: str, count: int) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(f"{message}\n" * count)
        file.flush()
        yield Path(file.name)


def _cpu(whose: int = resource.RUSAGE_SELF) -> float:
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime


def measure(*, rounds: int, seconds: float) -> dict[str, object]:
    """Run every contestant once a round, beginning with another one each time."""
    results: dict[Ours | Theirs, list[Result]] = {one: [] for one in CONTESTANTS}
    with tempfile.TemporaryDirectory() as directory:
        watched = Watched(Path(directory) / "broker")
        try:
            for turn in range(rounds):
                start = turn * 5 % len(CONTESTANTS)
                for one in CONTESTANTS[start:] + CONTESTANTS[:start]:
                    results[one].append(one.go(watched, seconds=seconds))
        finally:
            watched.close()
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "rounds": rounds,
        "seconds": seconds,
        "contestants": [_row(one, done) for one, done in results.items()],
        "ratios": {f"qos_{qos}": _ratio(results, qos) for qos in (0, 1)},
        "alone": {f"qos_{qos}": {name: round(rate) for name, rate in alone(qos, seconds=seconds).items()} for qos in (0, 1)},
    }


def _row(one: Ours | Theirs, done: list[Result]) -> dict[str, object]:
    rates = sorted(result.rate for result in done)
    latencies = [result.p99_ms for result in done if result.p99_ms is not None]
    return {
        "who": str(one),
        "qos": one.qos,
        "rate": round(statistics.median(rates)),
        "lowest": round(rates[0]),
        "highest": round(rates[-1]),
        "lost": sum(result.lost for result in done),
        "cpu_us_per_message": round(statistics.median(result.cpu / max(result.received, 1) for result in done) * 1e6, 2),
        "p99_ms": round(statistics.median(latencies), 2) if latencies else None,
    }


def _ratio(results: dict[Ours | Theirs, list[Result]], qos: int) -> dict[str, float]:
    """Give our rate with 1,000 devices over that of the best `mosquitto_pub` of the same round, alone and several at once."""
    ours, ratios = [result.rate for result in results[Ours(qos, 1000)]], {}
    for name, at_once in (("to_the_best_mosquitto_pub", 1), (f"to_{TOGETHER}_mosquitto_pub_at_once", TOGETHER)):
        theirs = [done for one, done in results.items() if isinstance(one, Theirs) and (one.qos, one.at_once) == (qos, at_once)]
        best = [max(result.rate for result in turn) for turn in zip(*theirs, strict=True)]
        ratios[name] = round(statistics.median(a / b for a, b in zip(ours, best, strict=True)), 2)
    return ratios


def table(measured: dict[str, object]) -> str:
    """Write it for people."""
    lines = [f"{'QoS':3}  {'messages/s':>10}  {'lowest':>9}  {'highest':>9}  {'lost':>7}  {'CPU µs each':>11}  {'p99 ms':>7}  who"]
    rows = measured["contestants"]
    assert isinstance(rows, list)
    lines += [
        f"{row['qos']:3}  {row['rate']:10,}  {row['lowest']:9,}  {row['highest']:9,}  {row['lost']:7,}  {row['cpu_us_per_message']:11.2f}"
        f"  {'' if row['p99_ms'] is None else row['p99_ms']:>7}  {row['who']}"
        for row in sorted(rows, key=lambda row: (row["qos"], -row["rate"]))
    ]
    return "\n".join([*lines, *(f"{key}: {measured[key]}" for key in ("ratios", "alone", "machine"))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each contestant goes on, more or less")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    options = parser.parse_args()
    measured = measure(rounds=options.rounds, seconds=options.seconds)
    print(json.dumps(measured, indent=2) if options.json else table(measured))


if __name__ == "__main__":
    main()
