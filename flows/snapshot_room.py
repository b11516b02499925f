"""Room for the next snapshot of the flows' state: Bytewax, which writes it, cannot be told to wait."""

from __future__ import annotations

import errno
from pathlib import Path

from gateway.disk import free

_SLACK = 4 * 2**20


class SnapshotRoom:
    """The disk under the folder of the recovery data."""

    def __init__(self, recovery: Path) -> None:
        self._recovery = recovery

    def check_beginning(self) -> None:
        """Raise OSError (ENOSPC) unless there are 4 MB: with less, a database that is opened may end the process (SIGBUS in its index)."""
        if free(self._recovery) < _SLACK:
            raise OSError(errno.ENOSPC, "there is no room to begin with", str(self._recovery))

    def check(self) -> None:
        """Raise OSError (ENOSPC) unless there is room for a snapshot as large as all that is kept of them, and 4 MB: it is written to a log first.

        Told by the files' lengths: whoever opens a database that another library holds open in the same process takes its locks away when it
        closes it (sqlite.org/howtocorrupt.html, 2.2.1).
        """
        if free(self._recovery) < _SLACK + sum(part.stat().st_size for part in self._recovery.glob("part-*.sqlite3")):
            raise OSError(errno.ENOSPC, "there is no room for a snapshot of the flows' state", str(self._recovery))
