"""`sluice up` as a user starts it, with handles to kill, freeze and ask it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.bench.waiting import until
from gateway.status import gateway_state, read_up
from gateway.status import status as read_status

_COMMAND = str(Path(sys.executable).with_name("sluice"))


class Sluice:
    """One gateway on a config and a data folder; started and ended as often as a test likes."""

    def __init__(self, config: Path, data: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.config, self.data = config, data
        self.log = config.parent / "sluice.log"
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: dict[str, int] = {}

    def start(self, *, ready: bool = True, within: float = 30.0) -> float:
        """Start it; with `ready`, wait until its link is connected. Gives the seconds that took."""
        self.data.mkdir(parents=True, exist_ok=True)
        began = monotonic()
        words = [_COMMAND, "up", "--config", str(self.config), "--data", str(self.data)]
        with self.log.open("ab") as err:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, env={**os.environ, **self._environment}
            )
        if ready:
            until(self.connected, "the link is connected", within)
        return monotonic() - began

    def connected(self) -> bool:
        """Tell whether the link is; an `up` that ended is an error."""
        assert self._process
        assert self._process.poll() is None, f"sluice up ended with {self._process.returncode}: {self.tail()}"
        return gateway_state(self.data, read_up(self.data)).get("link") == "connected"

    def tail(self) -> str:
        """Give the end of what it said."""
        return self.log.read_text(errors="replace")[-3000:]

    def processes(self) -> dict[str, int]:
        """Give the pids of its parts, and of itself as `up`."""
        process = self._process  # another thread may end it meanwhile
        if process is None or process.poll() is not None:
            return {}
        return {**(read_up(self.data) or {}).get("processes", {}), "up": process.pid}

    def process(self, name: str) -> int | None:
        """Give the pid of a part, None where it does not run."""
        return self.processes().get(name)

    def replaced(self, name: str, before: int | None) -> bool:
        """Tell whether a part runs that is another process than before."""
        return self.processes().get(name, before) != before

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a part a signal; the supervisor brings it back."""
        pid = self.processes().get(name)
        if pid:
            os.kill(pid, number)

    def freeze(self) -> None:
        """Stop every process where it stands; only `kill_everything` may follow."""
        self._frozen = self.processes()
        for pid in self._frozen.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def kill_everything(self) -> None:
        """Kill every process at once, as a power cut does with them, and wait until none is left."""
        pids, self._frozen = self._frozen or self.processes(), {}
        for pid in pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._process
        self._process.wait(20)
        self._process = None
        until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids.values()), "no process is left")

    def stop(self, within: float = 20.0) -> float:
        """Ask it to end (SIGTERM), which must give exit code 0; gives the seconds that took."""
        process, self._process = self._process, None
        if process is None:
            return 0.0
        began = monotonic()
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"sluice up did not end within {within} s: {self.tail()}") from None
        assert code == 0, f"sluice up ended with {code}: {self.tail()}"
        return monotonic() - began

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def status(self) -> dict[str, Any]:
        return read_status(self.data)

    def __call__(self, *words: str, code: int = 0) -> Any:
        """Run a command on its folders, and give the JSON that it prints."""
        return json.loads(self._run(*words, code=code))

    def lines(self, *words: str) -> list[Any]:
        """Run a command that prints JSON Lines."""
        return [json.loads(line) for line in self._run(*words).splitlines()]

    def _run(self, *words: str, code: int = 0) -> str:
        folders = ["--config", str(self.config), "--data", str(self.data), "--json"]
        done = subprocess.run([_COMMAND, *words, *folders], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, f"sluice {' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout
