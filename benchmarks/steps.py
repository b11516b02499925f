"""What each step costs a message: `python benchmarks/steps.py [--messages 200000] [--devices 1000] [--row 1024]`.

One process, no broker and no Bytewax: the bench's load (115 bytes, 4 values and a number) and its two flows, row by row through the parts that
a live run is made of. Processor time is counted, so that what waits for the disk costs nothing. Prints one JSON document a line: the step,
and its µs a message.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import process_time, time

from devices.catalogue import Catalogue
from devices.reading import Message
from flows.normaliser import Normaliser
from flows.row_order import RowOrder, RowPart
from flows.shard import Shard
from flows.spec import read_flow
from gateway.bench.stand import FLOWS, METRICS
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.row import Entry, Row
from gateway.link.wire import entry_of, variable_integer
from gateway.store.effects import SHARDS
from gateway.store.store import Store
from simulator.load.reports import Reports
from simulator.load.spec import LoadSpec


def batches(messages: int, devices: int, row: int) -> Iterator[list[Entry]]:
    """Give the load's messages at QoS 1, a row at a time."""
    reports = Reports(LoadSpec(rate=None, devices=devices, qos=1, metrics=METRICS), seed=1)
    entries: list[Entry] = []
    for number in range(messages):
        entries.append(published(reports.encode(number, 1, step=1, position=number, stamp=round(time() * 1000))))
        if len(entries) == row:
            yield entries
            entries = []


def published(packet: bytes) -> Entry:
    """Read a whole PUBLISH of QoS 1 (MQTT 3.1.1, 3.3)."""
    length = variable_integer(packet, 1)
    assert length
    at = length[1] + 2
    topic_end = at + int.from_bytes(packet[at - 2 : at], "big")
    packet_id = int.from_bytes(packet[topic_end : topic_end + 2], "big")
    return entry_of(packet[at:topic_end], packet[topic_end + 2 :], packet_id, packet[0])


class Stopwatch:
    """Sums up the seconds of processor spent in each step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._at = process_time()

    def begin(self) -> None:
        """Count from now on."""
        self._at = process_time()

    def end(self, step: str) -> None:
        """Give the time since to a step, and go on."""
        now = process_time()
        self.spent[step] = self.spent.get(step, 0.0) + now - self._at
        self._at = now


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--row", type=int, default=1_024)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        watch, count = measure(Path(folder), asked)
    for step, seconds in watch.spent.items():
        print(json.dumps({"step": step, "us_per_message": round(seconds / count * 1e6, 2)}))
    print(json.dumps({"step": "all", "us_per_message": round(sum(watch.spent.values()) / count * 1e6, 2)}))


def measure(folder: Path, asked: argparse.Namespace) -> tuple[Stopwatch, int]:
    """Take all messages through all steps; the first fifth teaches what there is to learn."""
    watch, count = Stopwatch(), 0
    with closing(Bell(folder / "bell")) as bell:
        journal = Journal(folder / "journal", bell, keep=1 << 62, max_size=1 << 40)
        journal.connected(session_present=False)
        journal.live = True
        reader = JournalReader(folder / "journal", after=journal.offset)
        stream = Stream(folder, watch)
        for number, entries in enumerate(batches(asked.messages, asked.devices, asked.row)):
            if number == asked.messages // asked.row // 5:
                watch.spent.clear()
                count = 0
            watch.begin()
            journal.append_messages(entries)
            watch.end("journal: pack, commit")
            rows = reader.read(16)
            watch.end("journal: read")
            for row in rows:
                stream.take(row)
            count += len(entries)
        journal.close()
    return watch, count


class Stream:
    """Source, shards and store on one thread."""

    def __init__(self, folder: Path, watch: Stopwatch) -> None:
        (folder / "flows").mkdir()
        for name, text in FLOWS.items():
            (folder / "flows" / f"{name}.yaml").write_text(text)
        found = [read_flow(folder / "flows" / f"{name}.yaml", root=folder)[0] for name in FLOWS]
        flows = [flow for flow in found if flow]
        self._watch = watch
        self._catalogue = Catalogue()
        self._normaliser = Normaliser(flows, [])
        self._shards = [Shard(flows) for _ in range(SHARDS)]
        self._order = RowOrder()
        self._store = Store(folder / "store.db")

    def take(self, row: Row) -> None:
        """Take a row through the steps."""
        watch = self._watch
        watch.begin()
        entries = row.entries()
        watch.end("journal: unpack")
        for entry in entries:
            self._catalogue.readings(Message(entry.topic, entry.payload, row.received, False, 0))
        watch.end("decode alone (again in the next)")
        items = list(self._normaliser.take(row))
        watch.end("normalise: unpack, decode, route, count")
        parts = [one if isinstance(one, RowPart) else RowPart(one.offset, self._shards[one.shard].step(one), one.shard) for _, one in items]
        watch.end("shards: windows, triggers")
        for part in parts:
            self._order.put(part)
        self._store.write(self._order.whole())
        watch.end("store")


if __name__ == "__main__":
    main()
