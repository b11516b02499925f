"""A load from the command line: `python -m simulator.load --broker-url mqtt://127.0.0.1 --devices 100 --rate 1000 --for 60`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import structlog
from pydantic import ValidationError

from gateway import logs
from simulator.load import LoadSpec, run
from simulator.load.stopping import told_to_stop
from simulator.options import broker_from, broker_options

log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage or no broker. The result is JSON on stdout. SIGTERM and SIGINT end it early."""
    options = _parser().parse_args(arguments)
    logs.configure()
    try:
        spec = LoadSpec(
            devices=options.devices,
            rate=options.rate,
            qos=options.qos,
            connections=options.connections,
            metrics=options.metrics,
            name=options.name,
        )
        broker = broker_from(options)
        with told_to_stop() as stopped:
            loaded = run(spec, broker, seconds=options.seconds, seed=options.seed, truth=options.truth, stopped=stopped)
    except ValidationError as error:
        log.error("cannot load", error="; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()))  # noqa: TRY400
        return 2
    except (OSError, ValueError) as error:
        log.error("cannot load", error=str(error))  # noqa: TRY400  the text says it all
        return 2
    sys.stdout.write(f"{json.dumps(asdict(loaded))}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "Publish plain JSON at a steady rate."
    parser = argparse.ArgumentParser(prog="python -m simulator.load", description=about, parents=[broker_options()])
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--rate", type=float, help="messages a second, all devices together (default: as fast as the broker takes them)")
    parser.add_argument("--for", dest="seconds", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    parser.add_argument("--connections", type=int, default=1, help="how many connections the devices share")
    parser.add_argument("--metrics", type=int, default=1, help="how many values a message has, beside its time and number")
    parser.add_argument("--name", default="d", help="what devices are called, before their number: two loads on one broker need two names")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same values")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write every acknowledged message here, as JSON Lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
