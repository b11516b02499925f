"""The last good config, kept in the data folder: what a process starts on that dies while the config folder is broken."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from gateway.config.contents import Contents, Folder, applied_at_once


class LastGood:
    """A copy of the config that runs: flows and profiles as last taken, everything else as it was when Sluice started.

    Replaced as a whole, so that it is never a mixture of two.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / "config"

    def start(self, config: Path) -> None:
        """Take a whole config, at a start. It has been checked: what changes meanwhile is found by whoever looks next."""
        folder = Folder(config)
        while not self._replace(contents := folder.contents(afresh=True), dict.fromkeys(contents, config)):
            pass

    def take(self, config: Path, contents: Contents) -> bool:
        """Take its flows and profiles, unless they no longer hold what `contents` says; tell whether they were taken."""
        kept = {name: held for name, held in Folder(self.path).contents().items() if not applied_at_once(name)}
        taken = {name: held for name, held in contents.items() if applied_at_once(name)}
        return self._replace({**kept, **taken}, {**dict.fromkeys(kept, self.path), **dict.fromkeys(taken, config)})

    def waiting(self, contents: Contents) -> list[str]:
        """Give the files that do not hold what they did at the start, and take effect at the next."""
        kept = Folder(self.path).contents()
        return sorted(name for name in {*kept, *contents} if not applied_at_once(name) and kept.get(name) != contents.get(name))

    def _replace(self, contents: Contents, sources: Mapping[str, Path]) -> bool:
        """Copy each file from its source, and put them in the place of the ones before if they hold what they should."""
        if self.path.exists() and Folder(self.path).contents() == contents:  # as at most starts: that must not need room on the disk
            now = {source: Folder(source).contents(afresh=True) for source in set(sources.values())}
            return all(now[source].get(name) == contents[name] for name, source in sources.items())
        fresh, old = self.path.with_name("config.new"), self.path.with_name("config.old")
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name, source in sources.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(source / name, fresh / name)
        if Folder(fresh).contents() != contents:
            return False
        if self.path.exists():
            self.path.rename(old)
        fresh.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)
        return True
