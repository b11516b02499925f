"""Small files by which the parts say how they stand: JSON, replaced as a whole, so that a reader never sees half of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Replace a small JSON file as a whole; on a full disk, write over it. Raises OSError where even that has no room.

    It is not made durable: after a power cut it may say what it said before, or nothing.
    """
    fresh, text = path.with_name(path.name + ".new"), json.dumps(state).encode()
    try:
        fresh.write_bytes(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        with path.open("r+b") as file:
            file.write(text)
            file.truncate()


def read_state(path: Path) -> dict[str, Any]:
    """Read a small JSON file; empty where there is none, or what it holds is no such state: who writes it will say it again."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}
