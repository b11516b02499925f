"""Small files by which the parts say how they stand: JSON, replaced as a whole, so that a reader never sees half of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Replace a small JSON file as a whole. Raises OSError where the disk is full: then the file is as it was.

    It is not made durable: after a power cut it may say what it said before, or nothing.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(state))
    fresh.replace(path)


def read_state(path: Path) -> dict[str, Any]:
    """Read a small JSON file; empty where there is none, or what it holds is no such state: who writes it will say it again."""
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}
