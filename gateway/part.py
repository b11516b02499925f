"""A part of `sluice up`: a process that the supervisor runs, and what is known of how it does."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from gateway.heartbeat import Heart
from gateway.link.backoff import Backoff
from gateway.with_parent import end_with_parent

_FILES = 65_536
_AT_A_TIME, _READS = 65_536, 16
"""Bytes that are read of what a process says, and how often at one look: one that never stops must not keep the others waiting."""
_SYSTEMD = frozenset(("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"))
"""Variables by which systemd speaks to the supervisor alone: a mosquitto would answer in its place."""
_LONGEST = 300
"""Characters of a last word that are kept: it goes into a state file and onto a terminal."""
_SERVER_TIME = re.compile(r"^\d{9,}: ")
"""What mosquitto begins its lines with: seconds since 1970."""


@dataclass
class Part:
    """One process: what it runs, and how long it may take to end, in seconds, before it is killed.

    `alive` is the file of its heartbeat, if it has one. `keeps_data`: it holds files of the data folder open, and ends before those are mended.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = 2.0
    ready: Callable[[], bool] = lambda: True
    alive: Path | None = None
    keeps_data: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    next_start: float | None = 0.0
    heart: Heart | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))
    up: bool = False
    """Whether this process has been ready; `been_up`: whether one of this part ever was."""
    been_up: bool = False
    last_line: str = ""
    unread: bytes = b""
    """The beginning of a line that is not ended yet."""
    restarts: int = 0
    restarted: str = ""
    """Why it was started again the last time, at `restarted_at` (epoch ns)."""
    restarted_at: int = 0
    short_lives: int = 0
    """How often in a row it ended within moments of its start, each time with `short_word`."""
    short_word: str = ""

    def start(self, *, piped: bool) -> None:
        """Start the process, in a session of its own, so that Ctrl-C in a terminal does not reach it; raises OSError where that fails."""
        self.process = subprocess.Popen(  # noqa: S603  our own programs
            list(self.command),
            env={name: value for name, value in os.environ.items() if name not in _SYSTEMD} | dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if piped else None,
            start_new_session=True,
            preexec_fn=_become_part,  # noqa: PLW1509  no other thread of the supervisor holds a lock that this would need
        )
        if self.process.stderr:
            os.set_blocking(self.process.stderr.fileno(), False)
        self.started, self.next_start = monotonic(), None
        self.up, self.last_line, self.unread = False, "", b""
        self.heart = Heart(self.alive) if self.alive else None

    def lines(self) -> list[str]:
        """Give the lines that the process has written to stderr since the last time; the last one is remembered."""
        if self.process is None or self.process.stderr is None:
            return []
        ended = self.process.poll() is not None
        self.unread += b"".join(_available(self.process.stderr.fileno()))
        whole, newline, rest = self.unread.rpartition(b"\n")
        if ended or len(rest) > _AT_A_TIME:
            whole, newline, rest = self.unread, b"", b""
        self.unread = rest
        lines = [line for line in (whole + newline).decode(errors="replace").splitlines() if line.strip()]
        if lines:
            self.last_line = _word(lines[-1])
        return lines

    def let_go(self) -> None:
        """Forget a process that has ended, and close its pipe."""
        if self.process is not None and self.process.stderr:
            self.process.stderr.close()
        self.process = None


def _available(descriptor: int) -> Iterator[bytes]:
    for _ in range(_READS):
        try:
            chunk = os.read(descriptor, _AT_A_TIME)
        except BlockingIOError:
            return
        if not chunk:
            return
        yield chunk


def ending(status: int, last_line: str) -> str:
    """Say how a process ended; what it said last is the reason only where it ended by itself.

    >>> ending(-9, "all is well"), ending(1, "no memory"), ending(0, "")
    ('killed (signal 9)', 'ended with status 1: no memory', 'ended with status 0')
    """
    if status < 0:
        return f"killed (signal {-status})"
    return f"ended with status {status}{': ' if last_line else ''}{last_line}"


def same_word(one: str, other: str) -> bool:
    """Tell whether two last words say the same, whatever times, ports and process numbers stand in them.

    >>> same_word("pid 12: port 1883 is taken", "pid 15: port 1883 is taken")
    True
    """
    return re.sub(r"\d+", "0", one) == re.sub(r"\d+", "0", other)


def _word(line: str) -> str:
    """Give what a line says: a log entry's event and error, or the line as it stands."""
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict) and "event" in entry:
        line = ": ".join(str(entry[key]) for key in ("event", "error") if entry.get(key))
    return _SERVER_TIME.sub("", line.strip())[:_LONGEST]


def _become_part() -> None:
    """End with the parent, and have room for many connections: a broker takes only as many clients as it may have open files."""
    end_with_parent(signal.SIGTERM)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
