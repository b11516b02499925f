"""How fast `sluice backtest` reads: a million readings from a CSV file, and from a journal. Prints one JSON line for each.

python benchmarks/backtest.py [--readings N] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import random
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from devices.catalogue import Catalogue
from flows.backtest import play, replay
from flows.normaliser import Normaliser
from flows.readings_file import ReadingsFile
from flows.spec import read_flow
from gateway.bench.replay import DEVICES, EVERY_MS, FLOW, START_MS, write_csv
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path
from gateway.journal.stretch import Stretch
from gateway.store.effects import Effect

BATCH = 1024
START, EVERY = START_MS * 1_000_000, EVERY_MS * 1_000_000


def write_journal(directory: Path, readings: int) -> None:
    """Write the same as plain JSON messages of one value, in rows as a busy gateway writes them."""
    chance = random.Random(1)
    directory.mkdir()
    segment = Segment(segment_path(directory, 1), write="batched")
    for offset, first in enumerate(range(0, readings, BATCH), 1):
        numbers = range(first, min(first + BATCH, readings))
        entries = [Entry(f"home/t{n % DEVICES}", b'{"temperature": %.2f}' % (20 + 10 * chance.random())) for n in numbers]
        at = START + numbers[-1] * EVERY
        segment.append(Row(offset, Kind.MESSAGES, at, at, 1, 1, True, len(entries), numbers[-1] + 1, pack(entries)))
    segment.close()


def measure(what: str, readings: int, run: Callable[[], Iterable[Effect]], *, profile: bool) -> None:
    """Run to the end and print how fast that was."""
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    began = perf_counter()
    effects = sum(1 for _ in run())
    seconds = perf_counter() - began
    if profile:
        profiler.disable()
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    print(json.dumps({"what": what, "readings": readings, "effects": effects, "readings_per_s": round(readings / seconds)}), flush=True)


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true", help="print where the time goes, on stderr")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        root, readings = Path(folder), options.readings
        (root / "climate.yaml").write_text(FLOW)
        flow, findings = read_flow(root / "climate.yaml", root=root)
        assert flow is not None, findings
        write_csv(root / "readings.csv", readings)
        write_journal(root / "0", readings)
        file, journal = ReadingsFile(root / "readings.csv", Catalogue([])), Stretch(root / "0")
        measure("csv", readings, lambda: play([flow], file), profile=options.profile)
        measure("journal", readings, lambda: replay([flow], Normaliser([flow], []), journal), profile=options.profile)


if __name__ == "__main__":
    main()
