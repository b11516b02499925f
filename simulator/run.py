"""Run a scenario: `python -m simulator.run --scenario config/scenarios/greenhouse.yaml --broker-url mqtt://127.0.0.1`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import structlog

from gateway import logs
from gateway.findings import ConfigError
from simulator.broker import Broker
from simulator.clock import Clock
from simulator.fleet import Fleet
from simulator.load import Loaded
from simulator.load import run as run_load
from simulator.load.stopping import told_to_stop
from simulator.options import broker_from, broker_options
from simulator.scenario import Scenario, load_scenario

log = structlog.get_logger()

_OBSERVE_EVERY = 1.0


async def run_scenario(
    scenario: Scenario,
    broker: Broker,
    *,
    state: Path | None = None,
    truth: Path | None = None,
    seconds: float | None = None,
    speed: float = 1.0,
    start: int | None = None,
    stop: asyncio.Event | None = None,
    observe: Callable[[Fleet], object] = lambda _: None,
) -> Fleet:
    """Run a fleet until `stop` is set or `seconds` have passed, and give it as it then is.

    `state` is a file that the world is kept in: a fleet that starts with it goes on where the last one stopped. `truth` is a file that gets
    a line for each fault that is over. `speed` and `start` (epoch ns) are the devices' clock's, see `Clock`. `observe` is shown the fleet
    every second. ValueError for a start ahead of now, OSError for a truth file that cannot be written.
    """
    clock = Clock(now=time.time_ns(), speed=speed, seconds=seconds, start=start)
    fleet = Fleet(scenario, broker, clock=clock, state=state, truth=truth, seconds=seconds)
    async with _observing(fleet, observe):
        await fleet.run(stop or asyncio.Event())
    return fleet


@contextlib.asynccontextmanager
async def _observing(fleet: Fleet, observe: Callable[[Fleet], object]) -> AsyncIterator[None]:
    async def look() -> None:
        while True:
            await asyncio.sleep(_OBSERVE_EVERY)
            observe(fleet)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


def run(
    scenario: Scenario,
    broker: Broker,
    *,
    state: Path | None = None,
    truth: Path | None = None,
    seconds: float | None = None,
    speed: float = 1.0,
    start: int | None = None,
    observe: Callable[[Fleet], object] = lambda _: None,
) -> Fleet:
    """Run a fleet in the foreground, as `run_scenario` does; SIGTERM and SIGINT end it as `seconds` would."""

    async def foreground() -> Fleet:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await run_scenario(
            scenario, broker, state=state, truth=truth, seconds=seconds, speed=speed, start=start, stop=stop, observe=observe
        )

    return asyncio.run(foreground())


def run_as_load(
    scenario: Scenario,
    broker: Broker,
    *,
    truth: Path | None = None,
    seconds: float | None = None,
    start: int | None = None,
    on_progress: Callable[[Loaded], object] | None = None,
) -> Loaded:
    """Run a scenario that is a load; SIGTERM and SIGINT end it early. Raises as `simulator.load.run` does."""
    assert scenario.load is not None
    with told_to_stop() as stopped:
        return run_load(
            scenario.load,
            broker,
            seconds=seconds,
            seed=scenario.seed,
            start=start,
            truth=truth,
            stopped=stopped,
            on_progress=on_progress,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage or a scenario with findings, which are on stdout one per line."""
    options = _parser().parse_args(arguments)
    logs.configure()
    try:
        broker = broker_from(options)
        scenario = load_scenario(options.scenario)
        if scenario.load is not None:
            run_as_load(scenario, broker, seconds=options.seconds)
        else:
            run(scenario, broker, state=options.state, truth=options.truth, seconds=options.seconds)
    except ConfigError as error:
        sys.stdout.writelines(f"{finding}\n" for finding in error.findings)
        return 2
    except (OSError, ValueError) as error:
        log.error("cannot start", error=str(error))  # noqa: TRY400  the text says it all
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    about = "A fleet of simulated devices over a real broker, until stopped."
    parser = argparse.ArgumentParser(prog="python -m simulator.run", description=about, parents=[broker_options()])
    parser.add_argument("--scenario", type=Path, required=True, metavar="FILE", help="a file of config/scenarios/")
    parser.add_argument("--state", type=Path, metavar="FILE", help="where the world is kept between runs")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="gets a line for each fault that is over")
    parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="how long to run")
    return parser


if __name__ == "__main__":
    sys.exit(main())
