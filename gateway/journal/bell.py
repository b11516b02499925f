"""A bell between processes: one side rings when it has written, the other waits without polling."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
from array import array
from pathlib import Path


class Bell:
    """A FIFO used as a doorbell. Rings while nobody listens are forgotten, so a listener looks for work once before it first waits.

    Guarantee: a ring after `wait` was entered, or since the last `drain`, ends the wait. Many rings may be heard as one.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        # Opened for both ways: never blocks on open, and never sees end-of-file when the other side restarts.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def ring(self) -> None:
        """Wake whoever waits. Never blocks: a full pipe is a bell that is ringing already."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, b"!")

    def unheard(self) -> int:
        """Tell how many rings nobody has heard yet; of very many, only that."""
        waiting = array("i", [0])
        fcntl.ioctl(self._fd, termios.FIONREAD, waiting)
        return waiting[0]

    def drain(self) -> None:
        """Forget the rings so far."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._fd, 65536)) == 65536:
                pass

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most so long; tell whether one came."""
        rung = bool(select.select([self._fd], [], [], seconds)[0])
        if rung:
            self.drain()
        return rung

    def close(self) -> None:
        os.close(self._fd)
