"""A victoria-metrics of the rig's own: a real server that takes InfluxDB's v2 write API, and says what it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from faults.rig.server import Server
from gateway.broker.embedded import free_port


class History(Server):
    """A time-series server on a port of its own. A point that is written twice stays there twice: repeats can be counted."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.port}"
        address = f"127.0.0.1:{self.port}"
        words = ["victoria-metrics", "-retentionPeriod=100y", f"-storageDataPath={folder}", f"-httpListenAddr={address}"]
        words += ["-memory.allowedBytes=64MB", "-influxTrimTimestamp=1ms"]
        super().__init__(words, self._healthy)

    def _healthy(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def series(self, name: str) -> Iterator[tuple[dict[str, str], dict[int, Any]]]:
        """Give each series of a measurement and field (`seq_value`) with its points by time in ms."""
        for metric, samples in self._export(name):
            yield metric, dict(samples)

    def samples(self, name: str) -> Counter[tuple[str, float]]:
        """Count the points of each device and value."""
        return Counter((metric.get("device", ""), value) for metric, points in self._export(name) for _, value in points)

    def names(self) -> set[str]:
        """Give the names of all that it holds."""
        with urlopen(f"{self.url}/internal/force_flush", timeout=60):
            pass
        with urlopen(f"{self.url}/api/v1/label/__name__/values", timeout=60) as answer:
            return set(json.loads(answer.read())["data"])

    def _export(self, name: str) -> Iterator[tuple[dict[str, str], list[tuple[int, float]]]]:
        with urlopen(f"{self.url}/internal/force_flush", timeout=60):
            pass
        wanted = urlencode({"match[]": f'{{__name__="{name}"}}', "reduce_mem_usage": "1"})
        with urlopen(f"{self.url}/api/v1/export?{wanted}", timeout=120) as answer:
            for line in answer:
                one = json.loads(line)
                yield one["metric"], list(zip(one["timestamps"], one["values"], strict=True))
