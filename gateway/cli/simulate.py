"""`sluice simulate`: simulated devices, or a recording, against a broker."""

from __future__ import annotations

from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import logs
from gateway.command_line import (
    CONFIG,
    DATA,
    WRONG,
    ConfigOption,
    DataOption,
    JsonOption,
    SecondsOption,
    err,
    fail,
    print_json,
    stop_at_findings,
)
from gateway.findings import ConfigError
from gateway.history import moment

if TYPE_CHECKING:
    from simulator.broker import Broker
    from simulator.scenario import Scenario
    from simulator.simulation import Simulation


def simulate(
    scenario: Annotated[str | None, typer.Argument(help="A scenario of config/scenarios, or a file.")] = None,
    broker_url: Annotated[
        str | None,
        typer.Option(
            "--broker", "--broker-url", metavar="URL", help="Default: the broker of the `sluice up` on --data, else the config's."
        ),
    ] = None,
    username: Annotated[str | None, typer.Option(help="The account at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Holds its password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificates to trust.")] = None,
    seconds: SecondsOption = None,
    devices: Annotated[int | None, typer.Option(metavar="N", min=1, help="So many devices in all; each group keeps its share.")] = None,
    rate: Annotated[float | None, typer.Option(metavar="MSGS/S", min=0.001, help="So many reports a second, all together.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="S", help="Other dice: the same seed gives the same messages.")] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="What the devices' clocks show at first (ISO, or how long ago: 2h).")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gets a line for each fault that is over; with a load, for each message.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option(metavar="FILE|DIR", help="Replay a recording instead: CSV, JSON Lines, or a journal's folder.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="With --recording: the device of rows that name none; default: the file's name.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="With --recording: what values without a name are called; default: value.")] = None,
    unit: Annotated[str | None, typer.Option(help="With --recording: the unit of values that name none.")] = None,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="With --recording: shift all times so that the last row is now.")
    ] = False,
    speed: Annotated[
        str,
        typer.Option(
            metavar="X", help="So many times faster than real time; a recording also max. The devices' clocks then begin earlier."
        ),
    ] = "1",
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Run simulated devices, a load, or a recording, against a broker.

    On a terminal a table shows the fleet, what is wrong with it just now, and the commands that it hears. With --json the same comes as a line
    every second, and the last line has the totals; a recording has one line, when it is over.
    """
    from gateway.starter import starter
    from simulator.simulation import Simulation

    logs.configure()
    if (scenario is None) == (recording is None):
        fail("simulate takes a scenario, or --recording FILE", WRONG)
    config = config if config.exists() else starter()
    broker = _simulator_broker(config, data, broker_url, username, password_file, ca_file)
    if recording is not None:
        counts = _replay(recording, broker, device=device, metric=metric, unit=unit, shift_to_now=shift_to_now, speed=speed)
        if as_json:
            print_json(counts)
        return
    assert scenario is not None
    chosen = _scenario(scenario_path(config, scenario), devices=devices, rate=rate, seed=seed)
    simulation = Simulation(chosen, broker, truth=truth, seconds=seconds, speed=_speed(speed), start=_start(start))
    if not _run(simulation, as_json=as_json):
        fail(f"nothing could be published: no broker answers at {broker}")


def scenario_path(config: Path, name: str) -> Path:
    """Give the file of a scenario by its name in the config, or by its path; or end with those that there are."""
    path = Path(name) if name.endswith(".yaml") else config / "scenarios" / f"{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in (config / "scenarios").glob("*.yaml"))
        fail(f"there is no scenario {name!r} ({path}); there {'is' if len(known) == 1 else 'are'}: {', '.join(known) or 'none'}", WRONG)
    return path


def _simulator_broker(
    config: Path, data: Path, url: str | None, username: str | None, password: Path | None, ca_file: Path | None
) -> Broker:
    from gateway.settings import load
    from gateway.status import read_up
    from simulator.broker import Broker

    try:
        settings = load(config).broker
    except ConfigError as error:
        stop_at_findings(error)
    running = read_up(data)
    fallback = f"mqtt://{settings.listen}" if settings.embedded else settings.url
    try:
        return Broker.at(
            url or ((running or {}).get("broker", fallback)),
            username=username or settings.username,
            password_file=password or settings.password_file,
            ca_file=ca_file or settings.ca_file,
        )
    except (OSError, ValueError) as error:
        fail(str(error), WRONG)


def _scenario(path: Path, *, devices: int | None, rate: float | None, seed: int | None) -> Scenario:
    from simulator.scenario import load_scenario
    from simulator.scenario.scaled import ScaleError, scaled

    try:
        return scaled(load_scenario(path), devices=devices, rate=rate, seed=seed)
    except ConfigError as error:
        stop_at_findings(error)
    except ScaleError as error:
        fail(f"{path}: {error}", WRONG)


def _speed(written: str) -> float:
    from simulator.recordings.speed import parse_speed

    try:
        speed = parse_speed(written)
    except ValueError as error:
        fail(str(error), WRONG)
    if speed is None:
        fail("speed: max is for recordings; a load without a rate is as fast as can be", WRONG)
    return speed


def _start(written: str | None) -> int | None:
    try:
        start = None if written is None else moment(written, now=time_ns())
    except ValueError as error:
        fail(f"start: {error}", WRONG)
    if start is not None and not 0 <= start <= time_ns():
        fail(f"start: must lie between 1970 and now; got {written}", WRONG)
    return start


def _run(simulation: Simulation, *, as_json: bool) -> int:
    """Run it and show it. Gives how many messages were published; whatever is wrong ends the command."""
    from gateway.cli.fleet_panel import FleetPanel

    with FleetPanel(err, as_json=as_json) as panel:
        if panel.live:
            logs.configure(warnings_only=True)
        try:
            if simulation.scenario.load is not None:
                loaded = simulation.load(on_progress=panel.load)
                panel.load(loaded, ended=True)
                return loaded.sent
            fleet = simulation.in_foreground(observe=panel.fleet)
            panel.fleet(fleet, ended=True)
        except ValueError as error:
            fail(str(error), WRONG)
        except OSError as error:
            if error.filename is not None and error.filename == str(simulation.truth):
                fail(f"truth: {error.filename}: {error.strerror}", WRONG)
            fail(str(error))
        return fleet.counts.published


def _replay(recording: Path, broker: Any, *, speed: str, **settings: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from simulator.publisher import PublishError
    from simulator.recordings.replay import replay
    from simulator.recordings.speed import parse_speed

    try:
        return asdict(replay(broker, recording, speed=parse_speed(speed), **settings))
    except (PublishError, ValueError) as error:  # a RecordingError too
        fail(str(error))
    except OSError as error:
        fail(f"{recording}: {error.strerror or error}")
