"""The command line: `sluice`. Results on stdout, everything else on stderr; exit 0 fine, 1 the thing asked about is bad, 2 wrong usage or config."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway import logs
from gateway.command_line import (
    BAD,
    CONFIG,
    DATA,
    WRONG,
    ConfigOption,
    DataOption,
    JsonOption,
    err,
    fail,
    open_store,
    out,
    print_json,
    read_profiles,
    stop_at_findings,
)
from gateway.events.command_line import schema
from gateway.findings import ConfigError
from gateway.letters.command import dead_letters

if TYPE_CHECKING:
    from gateway.profile_check import FailedTest

app = typer.Typer(
    name="sluice",
    help="An IoT edge event gateway and stream processor.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(schema, name="schema")


def main() -> None:
    """Run the command line."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        out.print(version("sluice-gateway"))
        raise typer.Exit


@app.callback()
def sluice(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")] = False,
) -> None:
    """Run Sluice: an IoT edge event gateway and stream processor."""


@app.command()
def up(
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
    seconds: Annotated[float | None, typer.Option("--for", metavar="SECONDS", min=0, help="End by itself after so long.")] = None,
    demo: Annotated[
        str | None, typer.Option(metavar="SCENARIO", help="Simulate the devices of config/scenarios/SCENARIO.yaml too.")
    ] = None,
    console: Annotated[bool, typer.Option("--console/--no-console", help="The web console (this version has none yet).")] = True,
) -> None:
    """Run the gateway: broker if embedded, link, journal, flows, store, deliveries, commands. Ctrl-C ends it."""
    from gateway.settings import load
    from gateway.starter import starter
    from gateway.up import Run, StartError
    from gateway.up import up as run_up

    del console
    logs.configure()
    if demo is not None and not config.exists():
        config = starter()
    findings = _all_findings(config)
    if findings:
        stop_at_findings(ConfigError(findings))
    scenario = _scenario(config, demo) if demo is not None else None
    try:
        document = run_up(Run(config, data, scenario, seconds), load(config), err)
    except StartError as error:
        fail(str(error))
    if as_json:
        print_json(document)


def _scenario(config: Path, name: str) -> Path:
    path = Path(name) if name.endswith(".yaml") else config / "scenarios" / f"{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in (config / "scenarios").glob("*.yaml"))
        fail(f"there is no scenario {name!r} ({path}); there {'is' if len(known) == 1 else 'are'}: {', '.join(known) or 'none'}", WRONG)
    return path


def _all_findings(config: Path) -> list[Any]:
    from flows.check import check as check_config
    from gateway.profile_check import check as check_profiles
    from gateway.settings import check as check_settings
    from simulator.scenario import check as check_scenarios

    return check_config(config, others=[check_settings, check_profiles, check_scenarios])


@app.command()
def check(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Find everything that is wrong with the config, before anything connects; then run the tests in flow files and the samples in profiles."""
    from flows.spec import load_flows

    del data
    findings = _all_findings(config)
    failed = [] if findings else list(_failed_tests(config))
    if as_json:
        tests = [one._asdict() for one in failed]
        print_json({"findings": [finding.document() for finding in findings], "failed_tests": tests})
    else:
        for finding in findings:
            out.print(str(finding), markup=False)
        for one in failed:
            where = one.file if one.line is None else f"{one.file}:{one.line}"
            out.print(f"{where}: {one.kind} {one.test!r}: {one.message}", markup=False)
    if findings:
        raise typer.Exit(WRONG)
    if failed:
        raise typer.Exit(BAD)
    if not as_json:
        flows, samples = load_flows(config), sum(len(profile.samples) for profile in read_profiles(config))
        err.print(f"{config}: fine: {len(flows)} flows, {sum(len(f.cases) for f in flows) + samples} tests passed")


def _failed_tests(config: Path) -> Iterator[FailedTest]:
    """Give each thing that is not as a test in a flow file, or a sample in a profile, says."""
    from flows.spec import load_flows
    from flows.trial import failures
    from gateway.profile_check import FailedTest, failed_samples

    for flow in load_flows(config):
        for case in flow.cases:
            yield from (FailedTest(flow.file, None, "test", case.name, message) for message in failures(flow, case))
    yield from failed_samples(config)


@app.command()
def decode(
    topic: Annotated[str | None, typer.Option(help="The topic of one message.")] = None,
    payload: Annotated[str | None, typer.Option(help="Its payload, as text.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Many messages, a JSON object a line: topic, payload or payload_b64, received.")
    ] = None,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show which readings a message becomes, or why it becomes none."""
    from devices.catalogue import Catalogue
    from gateway.decode import decode_jsonl

    del data, as_json
    if (jsonl is None) == (topic is None or payload is None):
        fail("decode takes --topic and --payload, or --jsonl FILE", WRONG)
    catalogue = Catalogue(read_profiles(config) if config.exists() else [])
    if jsonl is None:
        lines: Iterable[str] = [json.dumps({"topic": topic, "payload": payload})]
    else:
        try:
            lines = jsonl.read_text("utf-8", errors="surrogateescape").split("\n")
        except OSError as error:
            fail(f"{jsonl}: {error.strerror}", WRONG)
    for document in decode_jsonl(lines, catalogue, now=time_ns()):
        print_json(document)


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")], as_json: JsonOption = False) -> None:
    """Write a commented config to start from."""
    from gateway.starter import write_starter

    try:
        written = write_starter(directory)
    except OSError as error:
        fail(str(error), WRONG)
    if as_json:
        print_json({"written": [str(p) for p in written]})
        return
    for path in written:
        out.print(str(path), markup=False)
    err.print(f"next: sluice check --config {directory}, then sluice up --config {directory}")


@app.command()
def status(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Show what runs and how the ledger stands; exit 1 where nothing runs."""
    from gateway.status import status as read_status
    from gateway.terminal import status_text

    del config
    document = read_status(data)
    if as_json:
        print_json(document)
    else:
        out.print(status_text(document))
    if not document["running"]:
        raise typer.Exit(BAD)


@app.command()
def doctor(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Look for what is wrong: config, link, ledger, deliveries. Exit 1 where anything is, naming the stage and device."""
    from gateway.doctor import examine, examine_status

    complaints = [str(f) for f in _all_findings(config)] if config.exists() else []
    complaints += examine(data) + examine_status(data, config)
    if as_json:
        print_json({"healthy": not complaints, "complaints": complaints})
    else:
        for complaint in complaints:
            out.print(complaint, markup=False)
        if not complaints:
            err.print("healthy: the ledger balances")
    if complaints:
        raise typer.Exit(BAD)


@app.command()
def devices(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """List the devices that have been seen, with their last readings."""
    from devices.profile import Profiles
    from gateway.inventory import inventory_document, inventory_table

    profiles = Profiles(read_profiles(config) if config.exists() else [])
    with open_store(data) as reader:
        found = reader.devices()
    if as_json:
        print_json(inventory_document(found, profiles, now=time_ns()))
    else:
        out.print(inventory_table(found, profiles, now=time_ns()))


@app.command()
def history(
    device: Annotated[str, typer.Argument(help="A device's name.")],
    metric: Annotated[str | None, typer.Argument(help="One of its metrics; metric/channel for one channel.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="An ISO time, or how long ago: 1h.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="As since; default now.")] = None,
    every: Annotated[str | None, typer.Option(metavar="DURATION", help="Mean, min, max and count of each such stretch.")] = None,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show what a device has measured."""
    from gateway import history as past

    del config
    with open_store(data) as reader:
        try:
            asked = past.Question.parse(device, metric, since=since, until=until, every=every, now=time_ns())
        except ValueError as error:
            fail(str(error), WRONG)
        answer = past.answer(reader, asked)
        known = bool(reader.series(device))
    if not known:
        fail(f"{device}: no such device has been seen; `sluice devices` lists those that have")
    if as_json:
        print_json(past.history_document(answer))
    else:
        past.show(answer, out)


@app.command()
def send(
    device: Annotated[str, typer.Argument(help="A device's name.")],
    settings: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="What to set: state=ON brightness=120.")],
    within: Annotated[str, typer.Option(metavar="DURATION", help="How long the device has to report it.")] = "5s",
    retries: Annotated[int, typer.Option(min=0, max=100, help="How often to try again.")] = 2,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Send a command to a device in its own dialect, and follow it until the device confirms it."""
    from gateway.commands.hand import follow, parse_settings
    from gateway.findings import parse_duration
    from gateway.status import read_up

    del config
    if read_up(data) is None:
        fail(f"{data}: no `sluice up` runs on this data folder, and so nobody who could send")
    try:
        wanted, patience = parse_settings(settings), parse_duration(within)
    except ValueError as error:
        fail(str(error), WRONG)
    last = None
    for command in follow(data, device, wanted, within=patience, retries=retries):
        last = command
        if not as_json:
            detail = f": {command.detail}" if command.detail else ""
            err.print(f"{command.device} {command.state}{detail}", markup=False)
    assert last is not None
    if as_json:
        print_json({"id": last.id, "device": device, "set": wanted, "state": last.state, "attempts": last.attempt, "detail": last.detail})
    if last.state != "confirmed":
        raise typer.Exit(BAD)


@app.command()
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
        counts = _run_scenario(_scenario(config, scenario), broker, seconds)
    else:
        assert recording is not None
        counts = _replay(recording, broker, device=device, metric=metric, unit=unit, shift_to_now=shift_to_now, speed=speed)
    if as_json:
        print_json(counts)
    if not counts.get("published", 1):
        fail(f"nothing could be published: no broker answers at {broker}")


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
