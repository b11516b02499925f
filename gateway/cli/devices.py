"""`sluice devices`, `history` and `send`: what devices there are, what they measured, and what they are told."""

from __future__ import annotations

from time import time_ns
from typing import Annotated

import typer

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
)


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
