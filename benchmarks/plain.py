"""What one would write by hand: aiomqtt, pydantic and Bytewax's own windows, for the load and the two flows of `sluice bench`.

python benchmarks/plain.py [--qos 1] [--rate 20000] [--seconds 5]

Prints one JSON line: messages a second from the first to the last that is in its windows. Nothing is kept: no journal, no fsync, no store, no
recovery. A crash loses what was in memory; readings are neither stored nor told from repeats.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean, pstdev, quantiles
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import aiomqtt
import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from pydantic import BaseModel

from gateway.bench.process import Taken
from gateway.bench.stand import Stand, loaded
from gateway.bench.waiting import until

Said = tuple[str, "Report"]
_BATCH = 1000


class Report(BaseModel):
    """A message of the load."""

    ts: int
    seq: int
    temperature: float
    humidity: float
    pressure: float
    illuminance: float


class Heard(StatelessSourcePartition[Said]):
    """Messages from a thread that runs aiomqtt."""

    def __init__(self, host: str, port: int, qos: int) -> None:
        self._came: queue.Queue[Said] = queue.Queue()
        threading.Thread(target=lambda: asyncio.run(self._hear(host, port, qos)), daemon=True).start()

    async def _hear(self, host: str, port: int, qos: int) -> None:
        async with aiomqtt.Client(host, port) as client:
            await client.subscribe("load/#", qos=qos)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            async for message in client.messages:
                payload = message.payload
                assert isinstance(payload, bytes)
                self._came.put((message.topic.value, Report.model_validate_json(payload)))

    def next_batch(self) -> list[Said]:
        found: list[Said] = []
        while len(found) < _BATCH and not self._came.empty():
            found.append(self._came.get())
        return found


class Subscription(DynamicSource[Said]):
    """One connection, in the one worker there is."""

    def __init__(self, host: str, port: int, qos: int) -> None:
        self._where = host, port, qos

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Heard:  # noqa: ARG002  Bytewax's signature
        return Heard(*self._where)


class Nowhere(StatelessSinkPartition[Any]):
    def write_batch(self, items: list[Any]) -> None:
        """Forget them."""


class Nothing(DynamicSink[Any]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Nowhere:  # noqa: ARG002  Bytewax's signature
        return Nowhere()


class Counted(StatelessSinkPartition[Any]):
    """Says how many have come this far."""

    def __init__(self) -> None:
        self._count = 0

    def write_batch(self, items: list[Any]) -> None:
        self._count += len(items)
        sys.stdout.write(f"{self._count}\n")
        sys.stdout.flush()


class Count(DynamicSink[Any]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Counted:  # noqa: ARG002  Bytewax's signature
        return Counted()


def dataflow(host: str, port: int, qos: int) -> Dataflow:
    """Ten seconds with five aggregates and a trigger; sixty, every ten, with a 95th percentile; both by device."""
    flow = Dataflow("plain")
    said = op.input("mqtt", flow, Subscription(host, port, qos))
    clock = win.EventClock[Report](lambda one: datetime.fromtimestamp(one.ts / 1000, UTC), timedelta(seconds=1))
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    tumbling = win.TumblingWindower(timedelta(seconds=10), begin)
    sliding = win.SlidingWindower(timedelta(seconds=60), timedelta(seconds=10), begin)

    def put(values: list[float], one: Report) -> list[float]:
        values.append(one.temperature)
        return values

    def climate(closed: tuple[str, tuple[int, list[float]]]) -> tuple[str, bool]:
        device, (_, values) = closed
        found = fmean(values), max(values), min(values), pstdev(values), len(values)
        return device, found[1] > 29.9

    def tail(closed: tuple[str, tuple[int, list[float]]]) -> tuple[str, float]:
        device, (_, values) = closed
        return device, quantiles(values, n=20)[-1] if len(values) > 1 else values[0]

    short = win.fold_window("climate", said, clock, tumbling, list, put, list.__add__)
    long = win.fold_window("tail", said, clock, sliding, list, put, list.__add__)
    op.output("alerts", op.map("decide", short.down, climate), Nothing())
    op.output("tails", op.map("percentile", long.down, tail), Nothing())
    op.output("count", said, Count())
    return flow


def measure(*, qos: int, rate: float, seconds: float) -> dict[str, Any]:
    """Run it against a broker of its own, and wait until all that was sent is in its windows."""
    with TemporaryDirectory() as folder, Stand(Path(folder) / "stand") as stand:
        words = [sys.executable, __file__, "--broker", f"{stand.broker.host}:{stand.broker.port}", "--qos", str(qos)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            out, counted = process.stdout, [0]
            out.readline()

            def follow() -> None:
                for line in out:
                    counted[0] = int(line)

            threading.Thread(target=follow, daemon=True).start()
            before, began = Taken.by(process.pid), monotonic()
            sent = int(loaded(stand.load(qos=qos, seconds=seconds, rate=rate))["sent"])
            until(lambda: counted[0] >= sent, "all have come", 600)
            took, spent = monotonic() - began, Taken.by(process.pid).since(before)
            process.kill()
    return {"qos": qos, "sent": sent, "rate": round(sent / took), "cpu_us_per_message": round(spent.cpu / sent * 1e6, 1)}


def main() -> None:
    """Measure, or be what is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--qos", type=int, default=1)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--broker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.broker:
        host, _, port = asked.broker.rpartition(":")
        run_main(dataflow(host, int(port), asked.qos))
    else:
        print(json.dumps(measure(qos=asked.qos, rate=asked.rate, seconds=asked.seconds)))


if __name__ == "__main__":
    main()
