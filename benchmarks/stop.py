"""How long Ctrl-C takes: `sluice up --demo greenhouse`, idle and under a load of QoS 1 messages, from the signal until every process is gone.

python benchmarks/stop.py [--rate 2000] [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway.starter import starter
from gateway.status import read_up, status


def stop_seconds(data: Path, rate: int) -> float:
    """Run the demo for some seconds, with a load where `rate` is not 0, and give how long it takes to end."""
    sluice = [sys.executable, "-c", "from gateway.cli import main; main()"]
    words = ["up", "--demo", "greenhouse", "--config", str(starter()), "--data", str(data)]
    with subprocess.Popen([*sluice, *words], stderr=subprocess.DEVNULL) as up:
        while not (running := read_up(data)) or status(data).get("link") != "connected":
            time.sleep(0.1)
        load = None
        if rate:
            command = [sys.executable, "-m", "simulator.load", "--broker-url", running["broker"], "--rate", str(rate), "--for", "60"]
            load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(8)
        processes = [up.pid, *running["processes"].values()]
        began = time.monotonic()
        up.send_signal(signal.SIGINT)
        up.wait(30)
        seconds = time.monotonic() - began
        left = [pid for pid in processes if Path(f"/proc/{pid}").exists()]
        if load:
            load.kill()
            load.wait()
    if left or up.returncode != 0:
        raise RuntimeError(f"exit {up.returncode}, left behind: {left}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    found = {}
    for name, rate in (("idle", 0), ("under_load", options.rate)):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = sorted(round(stop_seconds(Path(folder), rate), 2) for _ in range(options.runs))
    print(json.dumps({"rate": options.rate, **found}))


if __name__ == "__main__":
    main()
