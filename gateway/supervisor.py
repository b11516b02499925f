"""The supervisor: starts the processes of `sluice up`, starts again what dies, and ends all of it."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep

import structlog

from gateway.link.backoff import Backoff

log = structlog.get_logger()

CONFIG_ERROR = 2
"""Exit status of a process that starting again cannot help."""
_FILES = 65_536
_PR_SET_PDEATHSIG = 1
_SETTLED = 30.0
"""Seconds after which a process counts as well started: its back-off begins anew."""


@dataclass
class Part:
    """One process: what it runs, and how long it may take to end, in seconds, before it is killed."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = 2.0
    ready: Callable[[], bool] = lambda: True
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    next_start: float | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(0.5, 30.0))


class Supervisor:
    """Run parts in order, and end them in the opposite order.

    No process outlives the supervisor: each is told by the kernel when the supervisor dies, however that happens (Linux), and runs in a
    session of its own, so that Ctrl-C in a terminal reaches the supervisor alone.
    """

    def __init__(self, parts: Sequence[Part], *, hear: Callable[[str, str], None] | None = None) -> None:
        """`hear` takes what parts write to stderr, by part and line; without it they write to ours."""
        self.parts = list(parts)
        self._hear = hear

    def pids(self) -> dict[str, int]:
        """Give the processes that run, by the names of their parts."""
        return {part.name: part.process.pid for part in self.parts if part.process}

    def start(self, *, ready_within: float = 15.0) -> None:
        """Start the parts, each when the one before is ready.

        Raises:
            ChildProcessError: a part ended, or was not ready in time.

        """
        for part in self.parts:
            self._start(part)
            give_up = monotonic() + ready_within
            while True:
                if part.process is None or part.process.poll() is not None or monotonic() > give_up:
                    self._listen(part)
                    raise ChildProcessError(f"{part.name} did not start")
                if part.ready():
                    break
                sleep(0.02)

    def _start(self, part: Part) -> None:
        part.process = subprocess.Popen(  # noqa: S603  our own programs
            list(part.command),
            env={**os.environ, **part.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if self._hear is None else subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_become_part,  # noqa: PLW1509  the supervisor has one thread
        )
        if part.process.stderr:
            os.set_blocking(part.process.stderr.fileno(), False)
        part.started = monotonic()
        part.next_start = None

    def look(self) -> None:
        """Start again what has died and waited long enough.

        Raises:
            ChildProcessError: a part says that starting it again cannot help.

        """
        for part in self.parts:
            self._listen(part)
            if part.process is None:
                if part.next_start is not None and monotonic() >= part.next_start:
                    self._start(part)
                continue
            status = part.process.poll()
            if status is None:
                continue
            self._listen(part)
            if status == CONFIG_ERROR:
                raise ChildProcessError(f"{part.name} cannot run with this config")
            if monotonic() - part.started > _SETTLED:
                part.backoff.reset()
            self._hang_up(part.process)
            delay = part.backoff.delay()
            log.warning("a process ended and is started again", process=part.name, status=status, seconds=round(delay, 1))
            part.process, part.next_start = None, monotonic() + delay

    def stop(self) -> None:
        """End the parts, the last started first: each is asked, and killed when its grace is over."""
        for part in reversed(self.parts):
            process, part.process = part.process, None
            if process is None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(part.grace)
            except subprocess.TimeoutExpired:
                log.warning("a process did not end in time and was killed", process=part.name)
                process.kill()
                process.wait()
            self._listen(part, process)

    def _listen(self, part: Part, ended: subprocess.Popen[bytes] | None = None) -> None:
        """Pass on what a part has written; after its end, close its pipe."""
        process = ended or part.process
        if process is None or process.stderr is None or self._hear is None:
            return
        for line in (process.stderr.read() or b"").decode(errors="replace").splitlines():
            self._hear(part.name, line)
        if ended:
            self._hang_up(ended)

    def _hang_up(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr:
            process.stderr.close()


def _become_part() -> None:
    """End with the parent, and have room for many connections: a broker takes only as many clients as it may have open files."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
