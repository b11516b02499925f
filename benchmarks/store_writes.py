"""How many readings a second the store takes: `python benchmarks/store_writes.py [--series 1000] [--batch 1000] [--readings 500000]`.

Prints one JSON document: readings per second, the slowest write, and the bytes written to the store's files per reading.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from devices.reading import Reading
from gateway.store.effects import ReadingKept
from gateway.store.store import Store

START = 1_760_000_000_000_000_000


def batches(readings: int, series: int, batch: int) -> Iterator[list[ReadingKept]]:
    """Give batches of readings, round-robin over the series, a millisecond apart."""
    chance = random.Random(1)
    for first in range(1, readings + 1, batch):
        made = []
        for number in range(first, min(first + batch, readings + 1)):
            value, ts = chance.uniform(10, 30), START + number * 1_000_000
            settings = {"unit": "°C", "raw_unit": "°C", "received": ts + 2_345_678, "time_source": "device", "convention": "zigbee2mqtt"}
            names = {"device": f"device-{number % series:05}", "metric": "temperature", "key": "temperature"}
            made.append(ReadingKept(number << 20, Reading(**names, value=value, raw_value=value, ts=ts, **settings)))
        yield made


def written() -> int:
    """Give the bytes that this process has written (proc_pid_io(5))."""
    return int(Path("/proc/self/io").read_text().split("wchar:")[1].split()[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("series", 1_000), ("batch", 1_000), ("readings", 500_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--linger", type=float, default=0.0)
    asked = parser.parse_args()
    spent, slowest, before = 0.0, 0.0, written()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.db", linger=asked.linger) as store:
        for made in batches(asked.readings, asked.series, asked.batch):
            start = perf_counter()
            store.write(made)
            spent, slowest = spent + perf_counter() - start, max(slowest, perf_counter() - start)
        store.sync()
        size = store.path.stat().st_size
    print(
        json.dumps(
            vars(asked)
            | {
                "readings_per_second": round(asked.readings / spent),
                "slowest_write_ms": round(slowest * 1000, 1),
                "written_bytes_per_reading": round((written() - before) / asked.readings, 1),
                "file_bytes_per_reading": round(size / asked.readings, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
