"""Publishers that know what was acknowledged to them: the ground truth of every account."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.bench.waiting import until


class Sent(NamedTuple):
    """A message that the broker has acknowledged to its publisher; `ts` is the device's own time in ms."""

    device: str
    seq: int
    ts: int
    temperature: float


class Publishers:
    """A load of plain JSON on `load/<device>`, which comes back after every outage of the broker and sends again what was not acknowledged."""

    def __init__(self, url: str, folder: Path, *, rate: float, seconds: float, devices: int = 20, qos: int = 1, seed: int = 1) -> None:
        self.rate, self.qos = rate, qos
        self.truth = folder / f"truth-{seed}.jsonl"
        words = [sys.executable, "-m", "simulator.load", "--broker-url", url, "--devices", str(devices), "--rate", str(rate)]
        words += ["--for", str(seconds), "--qos", str(qos), "--name", f"d{seed}", "--seed", str(seed), "--truth", str(self.truth)]
        self._said = (folder / f"publishers-{seed}.txt").open("wb")
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self._said)
        self.figures: dict[str, Any] = {}
        until(lambda: not self.running() or (self.truth.exists() and self.truth.stat().st_size), "the load has begun")

    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, deadline: float = 300.0) -> dict[str, Any]:
        """Wait until all is sent and acknowledged; give the load's own figures."""
        said, _ = self._process.communicate(timeout=deadline)
        assert self._process.returncode == 0, f"the load ended with {self._process.returncode}: {Path(self._said.name).read_text()}"
        self.figures = json.loads(said)
        self._said.close()
        return self.figures

    def stop(self) -> None:
        if self.running():
            self._process.kill()
            self._process.communicate()
        self._said.close()

    def sent(self) -> Iterator[Sent]:
        """Give what was acknowledged."""
        return told(self.truth)


def told(truth: Path) -> Iterator[Sent]:
    """Read what was acknowledged from a file of JSON Lines."""
    with truth.open() as lines:
        for line in lines:
            one = json.loads(line)
            yield Sent(one["device"], one["seq"], one["ts"], one["temperature"])
