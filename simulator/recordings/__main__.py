"""Replay a recording: `python -m simulator.recordings FILE --broker-url mqtt://127.0.0.1 --metric temperature --unit °C --shift-to-now`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import structlog

from gateway import logs
from simulator.options import broker_from, broker_options
from simulator.recordings.replay import replay
from simulator.recordings.speed import parse_speed

log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage, a recording that cannot be read, or no broker. The result is JSON on stdout."""
    options = _parser().parse_args(arguments)
    logs.configure()
    try:
        replayed = replay(
            broker_from(options),
            options.path,
            device=options.device,
            metric=options.metric,
            unit=options.unit,
            shift_to_now=options.shift_to_now,
            speed=options.speed,
            timestamps=options.timestamps,
            qos=options.qos,
        )
    except (OSError, ValueError) as error:
        log.error("cannot replay", error=str(error))  # noqa: TRY400  the text says it all
        return 2
    sys.stdout.write(f"{json.dumps(asdict(replayed))}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Replay a recording as devices that speak plain JSON."
    parser = argparse.ArgumentParser(prog="python -m simulator.recordings", description=about, parents=[broker_options()])
    parser.add_argument("path", type=Path, metavar="FILE|DIR", help="a CSV or JSON Lines file, or the folder of a journal")
    parser.add_argument("--device", help="of rows that name none (default: the file's name)")
    parser.add_argument("--metric", help="what values without a name are called (default: value)")
    parser.add_argument("--unit", help="of values that name none")
    parser.add_argument("--shift-to-now", action="store_true", help="add one constant to all times, so that the last row is now")
    parser.add_argument("--speed", type=parse_speed, default=None, help="how many times faster than recorded, or max (default)")
    parser.add_argument("--timestamps", choices=("iso", "ms", "none"), default="iso")
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())
