"""`sluice up` and `sluice init`: run the gateway, and write a config to start from."""

from __future__ import annotations

import sys
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Annotated, TextIO, cast

import typer

from gateway import logs
from gateway.cli.check import all_findings
from gateway.cli.simulate import scenario_path
from gateway.cli.truth import demo_truth
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
    out,
    print_json,
    stop_at_findings,
)
from gateway.findings import ConfigError

if TYPE_CHECKING:
    from gateway.settings import Settings


def up(
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
    seconds: SecondsOption = None,
    demo: Annotated[
        str | None, typer.Option(metavar="SCENARIO", help="Simulate the devices of config/scenarios/SCENARIO.yaml too.")
    ] = None,
    console: Annotated[bool, typer.Option("--console/--no-console", help="The web console (this version has none yet).")] = True,
) -> None:
    """Run the gateway: broker if embedded, link, journal, flows, store, deliveries, commands. Ctrl-C ends it."""
    from gateway.lossy_output import LossyOutput
    from gateway.settings import load
    from gateway.starter import starter
    from gateway.up import Run, StartError
    from gateway.up import up as run_up

    del console
    sys.stderr = cast("TextIO", LossyOutput(sys.stderr))
    logs.configure()
    if demo is not None and not config.exists():
        config = starter()
    findings = all_findings(config)
    if findings:
        stop_at_findings(ConfigError(findings))
    scenario = scenario_path(config, demo) if demo is not None else None
    settings = load(config)
    if scenario is not None:
        _say_unheard(scenario, settings)
    began = time_ns()
    try:
        document = run_up(Run(config, data, scenario, seconds), settings, err)
    except StartError as error:
        fail(str(error))
    judged = demo_truth(config, data, since=began) if scenario is not None else None
    if judged is not None:
        document["truth"] = judged
    if as_json:
        print_json(document)


def _say_unheard(scenario: Path, settings: Settings) -> None:
    """Say which devices of a demo the gateway would not hear: `#` takes in no topic that begins with `$` (MQTT 3.1.1, section 4.7.2)."""
    from simulator.scenario import load_scenario

    unheard = [group.name for group in load_scenario(scenario).devices if group.convention == "aws_shadow"]
    if unheard and not any(subscription.topic.startswith("$aws/") for subscription in settings.broker.subscribe):
        text = f'not heard: {", ".join(unheard)}, on $aws/…, which # does not take in; add {{topic: "$aws/#"}} to broker.subscribe'
        err.print(text, soft_wrap=True, markup=False)


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
