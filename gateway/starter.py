"""The config that `sluice init` writes, and that a demo runs on where there is no other: the one that Sluice ships."""

from __future__ import annotations

import shutil
from pathlib import Path

_PACKAGED = Path(__file__).parent / "starter"
_CHECKOUT = Path(__file__).parent.parent / "config"
_PARTS = ("gateway.yaml", "flows", "devices", "scenarios", "schema")


def starter() -> Path:
    """Find the shipped config: inside an installed package, or beside it in a checkout."""
    return _PACKAGED if _PACKAGED.exists() else _CHECKOUT


def write_starter(directory: Path) -> list[Path]:
    """Copy the shipped config to a folder; give the files written.

    Raises:
        FileExistsError: the folder exists and is not empty.

    """
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty; init writes only into a new or empty folder")
    for part in _PARTS:
        source = starter() / part
        if source.is_dir():
            shutil.copytree(source, directory / part)
        elif source.exists():
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, directory / part)
    return sorted(p for p in directory.rglob("*") if p.is_file())
