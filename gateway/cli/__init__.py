"""The command line: `sluice`. Results on stdout, everything else on stderr; exit 0 fine, 1 the thing asked about is bad, 2 wrong usage or config."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from gateway.cli.backtest import backtest
from gateway.cli.bench import bench
from gateway.cli.check import check
from gateway.cli.decode import decode
from gateway.cli.devices import devices, history, send
from gateway.cli.schema import schema
from gateway.cli.simulate import simulate
from gateway.cli.status import doctor, status
from gateway.cli.truth import truth
from gateway.cli.up import init, up
from gateway.cli.why import why
from gateway.command_line import BAD, err, out
from gateway.letters.command import dead_letters

app = typer.Typer(
    name="sluice",
    help="An IoT edge event gateway and stream processor.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (up, check, decode, init, status, doctor, devices, history, send, simulate, backtest, why, truth, bench):
    app.command()(_command)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(schema, name="schema")


def main() -> None:
    """Run the command line; a file that cannot be used is told in a sentence, and ends it with status 1."""
    try:
        app()
    except OSError as error:
        if error.filename is None:
            raise
        err.print(f"{error.filename}: cannot be used: {error.strerror}", markup=False, highlight=False)
        sys.exit(BAD)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(version("sluice-gateway"))
        raise typer.Exit


@app.callback()
def sluice(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")] = False,
) -> None:
    """Run Sluice: an IoT edge event gateway and stream processor."""
