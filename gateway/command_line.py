"""What the commands of `sluice` share: their options, where they print, and how they end."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from gateway.findings import ConfigError

if TYPE_CHECKING:
    from devices.profile import Profile
    from gateway.store.reader import StoreReader

ConfigOption = Annotated[Path, typer.Option("--config", metavar="DIR", help="The config folder.")]
DataOption = Annotated[Path, typer.Option("--data", metavar="DIR", help="The data folder.")]


def _finite(seconds: float | None) -> float | None:
    if seconds is not None and not math.isfinite(seconds):
        raise typer.BadParameter(f"{seconds} is no number of seconds.")
    return seconds


SecondsOption = Annotated[
    float | None, typer.Option("--for", metavar="SECONDS", min=0, callback=_finite, help="End by itself after so long.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CONFIG, DATA = Path("config"), Path("data")
BAD, WRONG = 1, 2

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


def fail(text: str, code: int = BAD) -> NoReturn:
    """Say one sentence and end."""
    err.print(text, soft_wrap=True, markup=False)
    raise typer.Exit(code)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")


def stop_at_findings(error: ConfigError) -> NoReturn:
    """Print what is wrong with the config and end."""
    for finding in error.findings:
        err.print(str(finding), soft_wrap=True, markup=False)
    raise typer.Exit(WRONG)


def open_store(data: Path) -> StoreReader:
    """Open the store of a data folder, or end with a sentence."""
    from gateway.store.errors import StoreError
    from gateway.store.reader import StoreReader

    try:
        return StoreReader(data / "store.db")
    except StoreError as error:
        fail(str(error))


def read_profiles(config: Path) -> list[Profile]:
    """Read the profiles of a config folder, or end with its findings."""
    from devices.profile import Profile
    from gateway.findings import load_folder

    try:
        return load_folder(config / "devices", Profile, root=config)
    except ConfigError as error:
        stop_at_findings(error)
