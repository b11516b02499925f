"""What could not be used any more: moved out of the way, kept as it was, and told until a person deletes the folder."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import time_ns
from typing import Any

from gateway.sqlite_file import files

FOLDER = "set-aside"
"""In the data folder: a folder for each time that something was set aside, with the files as they lay in the data folder."""

LOG = "log.jsonl"


class SetAside:
    """Moves files out of a data folder, and remembers what it has said."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._into: Path | None = None
        self.said: list[str] = []

    def __call__(self, path: Path, reason: str, kept: str = "") -> Path:
        """Move a file (with what SQLite keeps beside it) or a folder; give where it is now.

        `reason` says what is wrong with it, `kept` what of it goes on being used.
        """
        name = path.relative_to(self._data)
        place = self._folder() / name
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
        for beside in files(path)[1:]:
            with contextlib.suppress(FileNotFoundError):
                beside.rename(place.with_name(beside.name))
        self.say(name.as_posix(), reason, kept, where=place.relative_to(self._data).as_posix())
        return place

    def say(self, name: str, reason: str, kept: str, *, where: str) -> None:
        """Keep the event in the log; a full disk takes only the log of it."""
        self.said.append(f"{name}: {reason}; it is kept as {where}" + (f"; {kept}" if kept else ""))
        line = json.dumps({"at": time_ns(), "file": name, "reason": reason, "kept": kept})
        with contextlib.suppress(OSError), (self._data / FOLDER / LOG).open("a") as log:
            log.write(f"{line}\n")
            log.flush()
            os.fsync(log.fileno())

    def _folder(self) -> Path:
        """Make this time's own folder when it is first needed."""
        if self._into is None:
            stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            names = (stamp if number == 0 else f"{stamp}-{number}" for number in count())
            self._into = next(path for name in names if not (path := self._data / FOLDER / name).exists())
            self._into.mkdir(parents=True)
        return self._into


def events(data: Path) -> list[Mapping[str, Any]]:
    """Give what was set aside in a data folder, the oldest first: when (epoch ns), which file, why, and what of it was kept."""
    try:
        lines = (data / FOLDER / LOG).read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [one for one in found if isinstance(one, dict) and "file" in one]
