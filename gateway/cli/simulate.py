"""`sluice simulate`: simulated devices, or a recording, against a broker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway import logs
from gateway.command_line import CONFIG, DATA, WRONG, ConfigOption, DataOption, JsonOption, fail, print_json, stop_at_findings
from gateway.findings import ConfigError


def simulate(
    scenario: Annotated[str | None, typer.Argument(help="A scenario of config/scenarios, or a file.")] = None,
    broker_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Default: the broker of the `sluice up` on --data, else the config's.")
    ] = None,
    username: Annotated[str | None, typer.Option(help="The account at the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Holds its password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificates to trust.")] = None,
    seconds: Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="End by itself after so long.")] = None,
    recording: Annotated[Path | None, typer.Option(metavar="FILE", help="Replay a CSV recording of timestamp,value instead.")] = None,
    device: Annotated[str | None, typer.Option(help="With --recording: the device's name.")] = None,
    metric: Annotated[str, typer.Option(help="With --recording: the metric's name.")] = "value",
    unit: Annotated[str | None, typer.Option(help="With --recording: the unit.")] = None,
    shift_to_now: Annotated[
        bool, typer.Option("--shift-to-now", help="With --recording: shift all times so that the last is now.")
    ] = False,
    speed: Annotated[str, typer.Option(help="With --recording: times faster than recorded, or max.")] = "1",
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Run simulated devices, or replay a recording, against a broker."""
    from gateway.starter import starter

    logs.configure()
    if (scenario is None) == (recording is None):
        fail("simulate takes a scenario, or --recording FILE", WRONG)
    config = config if config.exists() else starter()
    broker = _simulator_broker(config, data, broker_url, username, password_file, ca_file)
    if scenario is not None:
        counts = _run_scenario(scenario_path(config, scenario), broker, seconds)
    else:
        assert recording is not None
        counts = _replay(recording, broker, device=device, metric=metric, unit=unit, shift_to_now=shift_to_now, speed=speed)
    if as_json:
        print_json(counts)
    if not counts.get("published", 1):
        fail(f"nothing could be published: no broker answers at {broker}")


def scenario_path(config: Path, name: str) -> Path:
    """Give the file of a scenario by its name in the config, or by its path; or end with those that there are."""
    path = Path(name) if name.endswith(".yaml") else config / "scenarios" / f"{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in (config / "scenarios").glob("*.yaml"))
        fail(f"there is no scenario {name!r} ({path}); there {'is' if len(known) == 1 else 'are'}: {', '.join(known) or 'none'}", WRONG)
    return path


def _simulator_broker(config: Path, data: Path, url: str | None, username: str | None, password: Path | None, ca_file: Path | None) -> Any:
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


def _run_scenario(path: Path, broker: Any, seconds: float | None) -> dict[str, Any]:
    from dataclasses import asdict

    from simulator.run import run
    from simulator.scenario import load_scenario

    try:
        return asdict(run(load_scenario(path), broker, seconds=seconds))
    except ConfigError as error:
        stop_at_findings(error)


def _replay(recording: Path, broker: Any, *, speed: str, **settings: Any) -> dict[str, Any]:
    from dataclasses import asdict

    from simulator.publisher import PublishError
    from simulator.recording import RecordingError, parse_speed, replay

    try:
        return asdict(replay(broker, recording, speed=parse_speed(speed), **settings))
    except (OSError, RecordingError, PublishError, ValueError) as error:
        fail(str(error))
