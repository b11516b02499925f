"""`sluice status` and `sluice doctor`: how a run does, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from gateway.cli.check import all_findings
from gateway.command_line import BAD, CONFIG, DATA, ConfigOption, DataOption, JsonOption, out, print_json
from gateway.screen import shown

if TYPE_CHECKING:
    from gateway.doctor.check import Check


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


def doctor(
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
    full: Annotated[bool, typer.Option("--full", help="Read every file to its end, however long that takes.")] = False,
) -> None:
    """Look at config, ledger, files, disk, clock, broker and history, and say what to do. Exit 1 where anything is wrong."""
    from gateway.doctor.examine import examine
    from gateway.doctor.subject import Subject

    findings = [str(one) for one in all_findings(config)] if config.exists() else []
    checks = examine(Subject.of(data, config, findings=findings, full=full))
    complaints = [one.said for one in checks if not one.ok]
    if as_json:
        print_json({"healthy": not complaints, "complaints": complaints, "checks": [one.document() for one in checks]})
    else:
        for one in checks:
            _show(one)
    if complaints:
        raise typer.Exit(BAD)


def _show(check: Check) -> None:
    """Print one line, and below a complaint what to do about it."""
    mark, style = ("✓", "green") if check.ok else ("✗", "red")
    if not out.is_terminal:
        mark = "ok " if check.ok else "bad"
    out.print(Text.assemble((mark, style), f" {check.name:<13} {shown(check.said)}"))
    if not check.ok:
        out.print(Text(f"{' ' * len(mark)} {'':<13} → {shown(check.advice)}"))
