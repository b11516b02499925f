"""`sluice backtest`: what a flow would have done with what was recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.command_line import CONFIG, DATA, WRONG, ConfigOption, DataOption, JsonOption, fail, out, print_json

if TYPE_CHECKING:
    from gateway.store.outcomes import Published


def backtest(
    flow: Annotated[str, typer.Argument(metavar="FLOW", help="A flow file, or the name of a flow in the config.")],
    journal: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Over a journal: a data folder, a journal's, or one partition's.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what was received then or later (ISO, or how long ago: 1d); nothing is known of before."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only what was received before; with --input, when time ends.")] = None,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Over a CSV file (time, value; device, metric, channel, unit, labels), or JSON Lines of those or of messages.",
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="With --input: the device of lines that name none (default: the file's name).")] = None,
    metric: Annotated[
        str | None, typer.Option(help="With --input: the metric of lines that name none (default: the flow's first).")
    ] = None,
    diff: Annotated[
        str | None, typer.Option(metavar="OTHER", help="Another flow: show what only FLOW (-) or only OTHER (+) would have decided.")
    ] = None,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show what a flow would have done with what was recorded: alerts, commands, sums; with --json the events that a live run publishes."""
    from gateway.backtest import Difference, decisions, summary, table
    from gateway.cli.recording import Recording

    del data
    if (journal is None) == (input_file is None):
        fail("backtest takes --journal DIR or --input FILE", WRONG)
    recording = Recording(config, journal=journal, file=input_file, since=since, until=until, device=device, metric=metric)
    one, other = recording.flow(flow), None if diff is None else recording.flow(diff)
    if other is None:
        run = recording.over(one)
        if as_json:
            _print_events(run, recording.site)
        else:
            for line in table(run):
                out.print(line, markup=False)
            out.print(summary(recording.sums), markup=False)
        return
    ours, theirs = decisions(recording.over(one)), decisions(recording.over(other))
    difference = Difference.between(ours, theirs)
    if as_json:
        print_json({"one": one.file, "other": other.file, **difference.document()})
        return
    for line in difference.lines():
        out.print(line, markup=False)
    out.print(
        f"{len(difference.one):,} only {one.file}, {len(difference.other):,} only {other.file}, {difference.both:,} both", markup=False
    )


def _print_events(run: Iterable[Published], site: str) -> None:
    from gateway.delivery.cloudevents import body, event

    write = sys.stdout.buffer.write
    for outcome in run:
        write(body(event(outcome, site)) + b"\n")
    sys.stdout.flush()
