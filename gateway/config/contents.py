"""What the files of a config folder hold, told cheaply: by their digests, made again only where a file looks changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

Contents = Mapping[str, str]
"""The digest of what a file holds, by the file's name below the config folder."""

_APPLIED = ("flows", "devices")
"""Folders whose changes take effect while Sluice runs. All that lies in them counts: a flow's tests may name files beside it."""
_NEXT_START = ("gateway.yaml", "gateway.yml", "scenarios/*.yaml", "scenarios/*.yml")

Looks = tuple[int, int, int, int]
"""Times of the last change of contents and of anything else, size, inode: a file with the same ones is taken for the same."""


class Folder:
    """The files of a config folder that mean something to Sluice."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._known: dict[str, tuple[Looks, str]] = {}

    def contents(self, *, afresh: bool = False) -> Contents:
        """Give what the files hold now; `afresh` reads each of them, whatever it looks like. One that cannot be read is not there."""
        known = {} if afresh else self._known
        self._known = {}
        for path in self._files():
            name = path.relative_to(self._config).as_posix()
            try:
                looks = _looks(path)
                before = known.get(name)
                held = before[1] if before and before[0] == looks else _held(path)
            except OSError:
                continue
            self._known[name] = (looks, held)
        return {name: held for name, (_, held) in self._known.items()}

    def _files(self) -> Iterator[Path]:
        for part in _APPLIED:
            folder = self._config / part
            yield from sorted(path for path in folder.rglob("*") if path.is_file() and not _is_editors(path.relative_to(folder)))
        for pattern in _NEXT_START:
            yield from sorted(path for path in self._config.glob(pattern) if path.is_file())


def applied_at_once(name: str) -> bool:
    """Tell whether a file of the config folder takes effect while Sluice runs, and not at its next start."""
    return name.startswith(tuple(f"{part}/" for part in _APPLIED))


def digest(contents: Contents) -> str:
    """Give one digest of them all."""
    return hashlib.blake2b(repr(sorted(contents.items())).encode(), digest_size=16).hexdigest()


def _is_editors(path: Path) -> bool:
    """Tell whether a file is an editor's own, or a tool's: what it swaps, hides, or keeps from before."""
    return path.name.endswith("~") or any(part.startswith(".") for part in path.parts)


def _looks(path: Path) -> Looks:
    now = path.stat()
    return now.st_mtime_ns, now.st_ctime_ns, now.st_size, now.st_ino


def _held(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
