"""The stand: a private mosquitto, a gateway on a folder of its own, and loads against them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.bench.process import Taken
from gateway.bench.waiting import StuckError, until
from gateway.broker.embedded import answers, choosing_ports, plan
from gateway.ledger import balance
from gateway.status import read_books, read_up, status

CLIMATE = """\
name: climate
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 10s}
aggregate:
  warm: mean(temperature)
  hot: max(temperature)
  cold: min(temperature)
  spread: stddev(temperature)
  n: count(temperature)
trigger: {when: hot > 29.9, clear: hot < 29.5}
do: [{alert: "{device} is at {hot:.1f}"}]
"""
TAIL = """\
name: tail
select: {metrics: [temperature]}
group: [device]
window: {kind: sliding, length: 60s, slide: 10s}
aggregate: {high: p95(temperature)}
"""
FLOWS = {"climate": CLIMATE, "tail": TAIL}
SETTINGS: dict[str, Any] = {}
"""Settings of the gateway besides site and broker: those that it has by default."""
METRICS = 4
"""Values in a message of the load, which make it 115 bytes long on average."""


class Stand:
    """A broker whose queues have no limit, and where it is wanted a gateway; everything that was started is ended."""

    def __init__(self, folder: Path, *, limits: Mapping[str, Any] | None = None) -> None:
        """`limits` are the gateway's, where they are not those that it has by default."""
        self.folder = folder
        self._limits = dict(limits or {})
        self.config, self.data = folder / "config", folder / "data"
        self._stack = ExitStack()
        self._up: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)
        with choosing_ports():
            self.broker = plan(folder / "broker", engine="mosquitto", listen="127.0.0.1:0")
            with (folder / "broker" / "mosquitto.conf").open("a") as conf:
                conf.write("max_queued_messages 0\nmax_queued_bytes 0\n")
            self._mosquitto = self._start(self.broker.command)
            until(lambda: answers(self.broker.host, self.broker.port), "the broker answers")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def _start(self, words: list[str], **how: Any) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = subprocess.Popen(words, stderr=subprocess.DEVNULL, **how)  # noqa: S603  our own words
        self._stack.callback(_end, process)
        return process

    def start_gateway(self, flows: Mapping[str, str] = FLOWS, profiles: Mapping[str, str] | None = None) -> None:
        """Start `sluice up` with these flows and profiles; gives when its link is connected and its flows read."""
        for folder, files in (("flows", flows), ("devices", profiles or {})):
            (self.config / folder).mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (self.config / folder / f"{name}.yaml").write_text(text)
        (self.config / "gateway.yaml").write_text(
            json.dumps({"site": "bench", "broker": {"url": self.broker.url}, "limits": self._limits, **SETTINGS})
        )
        words = [sys.executable, "-c", "from gateway.cli import main; main()", "up"]
        folders = ["--config", str(self.config), "--data", str(self.data)]
        self._up = self._start([*words, *folders], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(self._ready, "the gateway is connected, and the flows read")

    def _ready(self) -> bool:
        if self._up is not None and self._up.poll() is not None:
            raise StuckError(f"sluice up ended with {self._up.returncode}")
        known = status(self.data)
        return known.get("link") == "connected" and {"gateway", "flows"} <= set(known.get("memory", {}))

    def processes(self) -> dict[str, int]:
        """Give the pids of the broker and of the gateway's parts."""
        return {"broker": self._mosquitto.pid, **(read_up(self.data) or {}).get("processes", {})}

    def taken(self) -> dict[str, Taken]:
        """Look what every process has taken so far."""
        return {name: Taken.by(pid) for name, pid in self.processes().items()}

    def load(self, *, qos: int, seconds: float, devices: int = 1000, rate: float | None = None) -> subprocess.Popen[bytes]:
        """Start a load, as fast as the broker takes it where no rate is given."""
        words = [sys.executable, "-m", "simulator.load", "--broker-url", self.broker.url, "--qos", str(qos), "--for", str(seconds)]
        words += ["--devices", str(devices), "--metrics", str(METRICS), *(["--rate", str(rate)] if rate else [])]
        return self._start(words, stdout=subprocess.PIPE)

    def read(self, load: subprocess.Popen[bytes]) -> dict[str, Any]:
        """Wait until a load has ended, and all of it has been read by the flows; gives what it came to, as `loaded` does."""
        found = loaded(load)
        until(lambda: self.messages()[1] == 0, "everything has been read", 600)
        return found

    def teach(self, devices: int, *, rate: float) -> None:
        """Let each of so many devices say something, since one that is new costs more. Raises StuckError."""
        sent = int(self.read(self.load(qos=1, seconds=devices / rate + 1, devices=devices, rate=rate))["sent"])
        if sent < devices:
            raise StuckError(f"each of {devices:,} devices must have said something; got {sent:,} messages")

    def messages(self) -> tuple[int, int]:
        """Give how many messages were received, and how many of them are still to be read by the flows."""
        messages = balance(read_books(self.data, at_rest=False)).messages
        return messages["received"], messages["pending"]


def loaded(load: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the end of a load; gives what it came to (`simulator.load.Loaded`)."""
    out, _ = load.communicate(timeout=600)
    if load.returncode:
        raise StuckError(f"the load ended with {load.returncode}")
    found: dict[str, Any] = json.loads(out)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()
