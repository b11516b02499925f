"""`sluice status` and `sluice doctor`: how a run does, and what is wrong."""

from __future__ import annotations

import typer

from gateway.cli.check import all_findings
from gateway.command_line import BAD, CONFIG, DATA, ConfigOption, DataOption, JsonOption, err, out, print_json


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


def doctor(config: ConfigOption = CONFIG, data: DataOption = DATA, as_json: JsonOption = False) -> None:
    """Look for what is wrong: config, link, ledger, deliveries. Exit 1 where anything is, naming the stage and device."""
    from gateway.doctor import examine, examine_status

    complaints = [str(f) for f in all_findings(config)] if config.exists() else []
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
