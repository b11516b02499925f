"""The workers beside the one that reads the journal: processes of their own, which that one starts, tells what to run, and ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGABRT
from socket import AF_INET, SOCK_STREAM, socket
from time import monotonic, sleep

from flows.exchange.witness import Witness
from flows.pace import Pace
from gateway.exit_status import ALONE, CONFIG_ERROR, DAMAGED

FULL = 4
"""What the exit status of a worker tells: the disk takes nothing more."""
LOAD, LOADED, RUN, ENDED = "load", "loaded", "run", "ended"
"""Lines that they say to each other: read the config; done; run, at the addresses that follow; done."""
_HOST = "127.0.0.1"
_LISTENS = 5.0
"""Seconds to wait at most until another worker listens; Bytewax itself would try again every second, and say so each time."""
_LISTENING = "0A"
"""proc_pid_net(5): the state of a socket that takes connections."""
_GRACE = 2.0
"""Seconds within which a worker ends that has nothing more to do, or whose neighbour is gone."""


def misses_another(error: BaseException) -> bool:
    """Tell whether an error is what Bytewax raises where the connection to another worker has ended."""
    return type(error).__name__ == "PanicException"


class WorkerError(Exception):
    """A worker has ended by itself, with this status; it has said why, where there is more to say."""

    def __init__(self, number: int, status: int) -> None:
        said = {CONFIG_ERROR: "cannot run with this config", DAMAGED: "a file is damaged", FULL: "the disk takes nothing more"}
        how = f"killed (signal {-status})" if status < 0 else f"ended with status {status}"
        super().__init__(f"worker {number}: {said.get(status, how)}")
        self.status = status


class Workers:
    """Workers 0, 1, ... of a dataflow whose last worker is this process. With one worker in all there are none, and nothing happens.

    None outlives this process. When one ends, what it had under way is lost, and the others end: all begin again at the last snapshot.
    """

    def __init__(self, count: int, config: Path, data: Path) -> None:
        """`count` is that of all workers."""
        self.count = count
        self.witness = Witness()
        self.pace = Pace.shared() if count > 1 else Pace()
        self._command = [sys.executable, "-m", "flows.worker", "--config", str(config), "--data", str(data)]
        self._processes: list[subprocess.Popen[str]] = []

    def load(self) -> None:
        """Start those that do not run, and have each read the config that was good last. Raises WorkerError."""
        if not self._processes and self.count > 1:
            self._processes = [self._start(number) for number in range(self.count - 1)]
        self._tell(LOAD)
        self._hear(LOADED)

    def run(self) -> list[str]:
        """Have each run the dataflow with the config that it has read; give the addresses of all workers, when the others listen.

        Raises WorkerError.
        """
        addresses = [f"{_HOST}:{port}" for port in _free_ports(self.count)]
        self._tell(f"{RUN} {' '.join(addresses)}")
        wait_for(addresses[:-1], self.look)
        return addresses

    def ended(self) -> None:
        """Wait until each has ended the dataflow. Raises WorkerError."""
        self._hear(ENDED)

    def look(self) -> None:
        """Raise WorkerError where one has ended."""
        for number, process in enumerate(self._processes):
            if (status := process.poll()) is not None:
                raise WorkerError(number, status)

    def cause(self, error: BaseException) -> BaseException:
        """End all, since the dataflow has failed; give what it failed of: what failed here, or, where only a neighbour was missed, that one."""
        failed, self.witness.error = self.witness.error or error, None
        ended: list[WorkerError] = []
        if misses_another(failed) or isinstance(failed, WorkerError):  # the first that ended may have missed another itself
            for number, process in enumerate(self._processes):
                with suppress(subprocess.TimeoutExpired):
                    ended.append(WorkerError(number, process.wait(_GRACE)))
        self.end()
        return min(ended, key=lambda one: one.status in {ALONE, -SIGABRT}, default=failed)

    def end(self) -> None:
        """End all; those that do something still are killed."""
        for process in self._processes:
            assert process.stdin
            assert process.stdout
            with suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        self._processes = []

    def _start(self, number: int) -> subprocess.Popen[str]:
        descriptor = self.pace.descriptor
        assert descriptor is not None
        words = [*self._command, "--number", str(number), "--pace", str(descriptor)]
        return subprocess.Popen(words, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[descriptor])  # noqa: S603  our own

    def _tell(self, line: str) -> None:
        for process in self._processes:
            assert process.stdin
            with suppress(BrokenPipeError):  # it has ended, which is heard
                process.stdin.write(f"{line}\n")
                process.stdin.flush()

    def _hear(self, line: str) -> None:
        for number, process in enumerate(self._processes):
            assert process.stdout
            if process.stdout.readline() != f"{line}\n":
                raise WorkerError(number, process.wait())


def wait_for(addresses: list[str], look: Callable[[], None] = lambda: None) -> None:
    """Wait until all of these are listened at; `look` is called in between."""
    ends = monotonic() + _LISTENS
    while monotonic() < ends and not all(_listened_at(int(address.rpartition(":")[2])) for address in addresses):
        look()
        sleep(0.005)


def _listened_at(port: int) -> bool:
    """Tell whether someone on this machine takes connections at a port: to ask by a connection would take the place of the one that is awaited."""
    sockets = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(fields[1].endswith(f":{port:04X}") and fields[3] == _LISTENING for fields in sockets)


def _free_ports(count: int) -> list[int]:
    """Give ports that are free now."""
    sockets = [socket(AF_INET, SOCK_STREAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind((_HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
