"""Room for the next snapshot of the flows' state: Bytewax, which writes it, cannot be told to wait."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.disk import free

_SLACK = 4 * 2**20
_NEWEST = "SELECT coalesce(sum(length(ser_change)), 0) FROM snaps WHERE snap_epoch = (SELECT max(snap_epoch) FROM snaps)"


class SnapshotRoom:
    """The disk under the folder of the recovery data."""

    def __init__(self, recovery: Path) -> None:
        self._recovery = recovery

    def check_beginning(self) -> None:
        """Raise OSError (ENOSPC) unless there are 4 MB: with less, a database that is opened may end the process (SIGBUS in its index)."""
        if free(self._recovery) < _SLACK:
            raise OSError(errno.ENOSPC, "there is no room to begin with", str(self._recovery))

    def check(self) -> None:
        """Raise OSError (ENOSPC) unless there is room for twice the newest snapshot and 4 MB: it is written to a log first."""
        if free(self._recovery) < _SLACK + 2 * self._newest():
            raise OSError(errno.ENOSPC, "there is no room for a snapshot of the flows' state", str(self._recovery))

    def _newest(self) -> int:
        """Give the bytes of the newest snapshot; 0 before the first."""
        found = 0
        for part in self._recovery.glob("part-*.sqlite3"):
            with closing(sqlite3.connect(f"{part.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as connection:
                found += int(connection.execute(_NEWEST).fetchone()[0])
        return found
