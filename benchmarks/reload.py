"""Edits under load: how long from a saved file to its effect, and whether anything is lost or forgotten meanwhile.

python benchmarks/reload.py [--rate 1000] [--edits 20]

Beside `rate` messages a second at QoS 1 through a real mosquitto, files of the config are edited one after the other, as soon as the one
before is in effect: a file that is broken, its mended version with another threshold (the flow keeps its state), another window (the flow
starts afresh), a flow that comes and goes. Prints one JSON document: seconds to effect, and to the finding where the file is broken; what
was lost; and, against every reading stored, which of the windows that closed are whole.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gateway.broker.embedded import answers, free_port, plan
from gateway.status import config_document, status
from gateway.store.reader import StoreReader

_SECOND = 1_000_000_000
_MOST = 10_000_000
LENGTHS = (4, 5)
"""Seconds that the window of `reshaped` is long, in turn; those of the others are 4 s."""


def flow(name: str, *, limit: float = 1000.0, length: int = LENGTHS[0]) -> str:
    """Write a flow that counts what each device says."""
    return f"""\
name: {name}
select: {{metrics: [temperature]}}
group: [device]
window: {{kind: tumbling, length: {length}s, lateness: 1s}}
aggregate: {{n: count(temperature), warm: mean(temperature)}}
trigger: {{when: warm > {limit}}}
"""


def edits(count: int) -> Iterator[tuple[str, str | None, str]]:
    """Give a file's name, its new text (None: it is deleted), and what it must come to."""
    for number in range(count):
        turn, kind = divmod(number, 4)
        if kind == 0:
            yield "tuned", flow("tuned").replace("mean(", "maen("), "invalid"
        elif kind == 1:
            yield "tuned", flow("tuned", limit=1001.0 + turn), "kept"
        elif kind == 2:
            yield "reshaped", flow("reshaped", length=LENGTHS[(turn + 1) % 2]), "restarted"
        else:
            yield "extra", None if turn % 2 else flow("extra"), "removed" if turn % 2 else "added"


def edit(config: Path, data: Path, name: str, text: str | None) -> tuple[float, str]:
    """Save a file; give the seconds until that shows, and what became of the flow."""
    path, before = config / "flows" / f"{name}.yaml", config_document(data)
    began = time.monotonic()
    path.unlink() if text is None else path.write_text(text)
    while True:
        now = config_document(data)
        if now["version"] > before["version"]:
            return time.monotonic() - began, next(what for what, names in now["changes"].items() if what != "profiles" and name in names)
        if before["ok"] and not now["ok"]:
            return time.monotonic() - began, "invalid"
        time.sleep(0.005)


def whole_windows(data: Path) -> dict[str, dict[str, int]]:
    """Count, by flow, the windows that closed with every reading that is stored of their time, and the others."""
    with StoreReader(data / "store.db") as reader:
        readings = [kept.reading for kept in reader.readings_after(0, _MOST)]
        newest = {(one.flow, one.group, one.start, one.end): one for one in sorted(reader.windows(newest=_MOST), key=lambda w: w.revision)}
    of = {length: Counter((r.device, r.ts // (length * _SECOND)) for r in readings if r.metric == "temperature") for length in LENGTHS}
    found: dict[str, Counter[str]] = {}
    for (name, group, start, end), window in newest.items():
        length = (end - start) // _SECOND
        expected = of[length][dict(group)["device"], start // (end - start)]
        found.setdefault(name, Counter(whole=0, partial=0))["whole" if window.values["n"] == expected else "partial"] += 1
    return {name: dict(counts) for name, counts in sorted(found.items())}


def measure(directory: Path, *, rate: int, count: int) -> dict[str, Any]:
    """Run it all; everything that was started is ended."""
    config, data = directory / "config", directory / "data"
    (config / "flows").mkdir(parents=True)
    for name in ("steady", "tuned", "reshaped"):
        (config / "flows" / f"{name}.yaml").write_text(flow(name))
    broker = plan(directory / "broker", engine="mosquitto", listen=f"127.0.0.1:{free_port('127.0.0.1', 0)}")
    (config / "gateway.yaml").write_text(f'broker: {{url: "{broker.url}"}}\n')
    with ExitStack() as stack:
        stack.enter_context(ended(subprocess.Popen(broker.command)))
        wait(lambda: answers(broker.host, broker.port))
        sluice = [sys.executable, "-c", "from gateway.cli import main; main()", "up", "--config", str(config), "--data", str(data)]
        up = stack.enter_context(ended(subprocess.Popen(sluice, stderr=subprocess.DEVNULL)))
        wait(lambda: status(data).get("link") == "connected" and bool(config_document(data)))
        seconds = 5 + 2 * count
        load = [sys.executable, "-m", "simulator.load", "--broker-url", broker.url, "--devices", "20"]
        loading = stack.enter_context(
            ended(subprocess.Popen([*load, "--rate", str(rate), "--for", str(seconds)], stdout=subprocess.PIPE, text=True))
        )
        wait(lambda: status(data)["ledger"]["received"] > rate)
        took: dict[bool, list[float]] = {True: [], False: []}
        wrong = []
        for name, text, expected in edits(count):
            elapsed, what = edit(config, data, name, text)
            took[what != "invalid"].append(elapsed)
            wrong += [] if what == expected else [f"{name}: expected {expected}, got {what}"]
        edited_until = loading.poll() is None
        sent = json.loads(loading.communicate(timeout=seconds + 60)[0])
        wait(lambda: status(data)["ledger"]["normalised"] + status(data)["ledger"]["dead_letters"] >= sent["acknowledged"])
        up.terminate()
        up.wait(15)
        ledger = status(data)["ledger"]
    return {
        "rate": rate,
        "edits": count,
        "seconds_to_effect": figures(took[True]),
        "seconds_to_finding": figures(took[False]),
        "not_as_expected": wrong,
        "load_ran_on": edited_until,
        "acknowledged": sent["acknowledged"],
        "lost": sent["acknowledged"] - ledger["normalised"],
        "flaws": ledger["flaws"],
        "windows": whole_windows(data),
    }


def figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50": round(ordered[len(ordered) // 2], 2), "max": round(ordered[-1], 2)}


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[subprocess.Popen[Any]]:
    """End a process at the end of a block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(15)


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError("the benchmark's parts did not come up, or did not come to rest")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--edits", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(measure(Path(directory), rate=options.rate, count=options.edits), indent=2))


if __name__ == "__main__":
    main()
