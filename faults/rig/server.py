"""A server of the rig's own: a process that is stopped, killed, frozen and started again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence

from gateway.bench.waiting import until


class Server:
    """What runs is `words`; it has started when it `answers`."""

    def __init__(self, words: Sequence[str], answers: Callable[[], bool]) -> None:
        self._words = list(words)
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers, f"{self._words[0].rpartition('/')[2]} answers")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP."""
        assert self._process
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it: SIGTERM lets it write down what it holds, SIGKILL does not."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        process.wait(30)
