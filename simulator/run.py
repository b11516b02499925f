"""Run a scenario: `python -m simulator.run --scenario config/scenarios/greenhouse.yaml --broker-url mqtt://127.0.0.1`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog

from gateway import logs
from gateway.findings import ConfigError
from simulator.options import broker_from, broker_options
from simulator.scenario import load_scenario
from simulator.simulation import Simulation

log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage or a scenario with findings, which are on stdout one per line."""
    options = _parser().parse_args(arguments)
    logs.configure()
    try:
        broker, scenario = broker_from(options), load_scenario(options.scenario)
        if scenario.load is not None:
            Simulation(scenario, broker, seconds=options.seconds).load()
        else:
            Simulation(scenario, broker, state=options.state, truth=options.truth, seconds=options.seconds).in_foreground()
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
