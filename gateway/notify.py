"""What systemd is told of the service: that it is ready, how it does, that it turns, and that it stops (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from math import inf
from time import monotonic


class Notifier:
    """The notification socket of the service; without one (not under systemd) nothing is told.

    Nothing here raises or blocks: a service goes on though nobody hears it.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Read where to tell it (NOTIFY_SOCKET), and how often a sign of life is wanted (WATCHDOG_USEC), if it is wanted of this process."""
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._status = ""
        self._ready = False
        self._told = -inf
        watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environ.get("WATCHDOG_USEC", "") if watched else ""
        self._every = int(microseconds) / 2e6 if microseconds.isdigit() and int(microseconds) else None
        """Seconds between two signs of life: half of what systemd waits for one."""

    def ready(self) -> None:
        """Tell, once, that the service does its work."""
        if not self._ready:
            self._ready = True
            self._send("READY=1")

    def status(self, text: str) -> None:
        """Tell in a line how it does, where that has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text.replace(chr(10), ' ')}")

    def turn(self) -> None:
        """Tell that the supervisor turns; call it in every turn."""
        if self._every is not None and monotonic() - self._told >= self._every:
            self._told = monotonic()
            self._send("WATCHDOG=1")

    def busy(self, seconds: float) -> None:
        """Ask for so much more time to start or to stop, beyond what the unit allows; call it again while it takes longer."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def stopping(self) -> None:
        """Tell that the service ends."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(text.encode(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL, address)
