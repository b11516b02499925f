"""Run a scenario: `python -m simulator.run --scenario config/scenarios/greenhouse.yaml --broker-url mqtt://127.0.0.1`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from gateway import logs
from gateway.findings import ConfigError
from simulator.broker import Broker
from simulator.fleet import Fleet
from simulator.line import Counts
from simulator.options import broker_from, broker_options
from simulator.scenario import Scenario, load_scenario

log = structlog.get_logger()


async def run_scenario(
    scenario: Scenario,
    broker: Broker,
    *,
    state: Path | None = None,
    seconds: float | None = None,
    stop: asyncio.Event | None = None,
) -> Counts:
    """Run a fleet until `stop` is set or `seconds` have passed, and say what was published and heard.

    `state` is a file that the world is kept in: a fleet that starts with it goes on where the last one stopped.
    """
    stop = stop or asyncio.Event()
    timer = asyncio.get_running_loop().call_later(seconds, stop.set) if seconds is not None else None
    try:
        return await Fleet(scenario, broker, state=state).run(stop)
    finally:
        if timer is not None:
            timer.cancel()


def run(scenario: Scenario, broker: Broker, *, state: Path | None = None, seconds: float | None = None) -> Counts:
    """Run a fleet in the foreground; SIGTERM and SIGINT end it as `seconds` would, within a second."""

    async def foreground() -> Counts:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await run_scenario(scenario, broker, state=state, seconds=seconds, stop=stop)

    return asyncio.run(foreground())


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage or a scenario with findings, which are on stdout one per line."""
    options = _parser().parse_args(arguments)
    logs.configure()
    try:
        broker = broker_from(options)
        scenario = load_scenario(options.scenario)
    except ConfigError as error:
        sys.stdout.writelines(f"{finding}\n" for finding in error.findings)
        return 2
    except (OSError, ValueError) as error:
        log.error("cannot start", error=str(error))  # noqa: TRY400  the text says it all
        return 2
    run(scenario, broker, state=options.state, seconds=options.seconds)
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "A fleet of simulated devices over a real broker, until stopped."
    parser = argparse.ArgumentParser(prog="python -m simulator.run", description=about, parents=[broker_options()])
    parser.add_argument("--scenario", type=Path, required=True, metavar="FILE", help="a file of config/scenarios/")
    parser.add_argument("--state", type=Path, metavar="FILE", help="where the world is kept between runs")
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="how long to run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
