"""The supervisor: starts the processes of `sluice up`, starts again what dies or hangs, and ends all of it."""

from __future__ import annotations

import errno
import signal
import subprocess
from collections.abc import Callable, Sequence
from time import monotonic, time_ns
from typing import Any

import structlog

from gateway.exit_status import CONFIG_ERROR, DAMAGED
from gateway.part import Part, ending, same_word

log = structlog.get_logger()

_SETTLED = 30.0
"""Seconds after which a process counts as well started: it is started again at once, and its back-off begins anew."""
_READY = 15.0
"""Seconds within which a process must be ready."""
_SILENT, _SILENT_AT_START = 30.0, 300.0
"""Seconds without a heartbeat after which a process hangs; before its first one it may be reading a large state."""
_ATTENTION = 2.0
"""Seconds between two looks beyond which it was the supervisor that did not look (stopped, or asleep with the machine)."""
_SHORT, _HOPELESS = 2.0, 20
"""A part that ends so soon (s) so often in a row, always with the same last word, will not do otherwise the next time."""
_ABSENT = frozenset((errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR))


class Supervisor:
    """Run parts in order, each first started when the one before is ready, and end them in the opposite order.

    No process outlives the supervisor: each is told by the kernel when the supervisor dies, however that happens (Linux), and runs in a
    session of its own, so that Ctrl-C in a terminal reaches the supervisor alone. A part that has a heartbeat is killed and started again
    when that stops for 30 s of the supervisor's own attention.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        hear: Callable[[str, str], None] | None = None,
        mend: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`hear` takes what parts write to stderr, by part and line; without it they write to ours. `mend` repairs the data folder."""
        self.parts = list(parts)
        self._hear = hear
        self._mend = mend
        self._clock = clock
        self._looked = clock()

    def pids(self) -> dict[str, int]:
        """Give the processes that run, by the names of their parts."""
        return {part.name: part.process.pid for part in self.parts if part.process}

    def restarts(self) -> dict[str, dict[str, Any]]:
        """Give how often parts were started again, with the last reason and its time (epoch ns); none that never was."""
        return {
            part.name: {"count": part.restarts, "last": part.restarted, "at": part.restarted_at} for part in self.parts if part.restarts
        }

    def all_up(self) -> bool:
        """Tell whether every part runs and has been ready."""
        return all(part.up for part in self.parts)

    def look(self) -> None:
        """Look after every part once: start what is due, and start again what has died, hangs, or was not ready in time.

        Raises:
            ChildProcessError: a part cannot run, and starting it again cannot help; the text says why.

        """
        now = self._clock()
        looked_away = now - self._looked > _ATTENTION
        passed, self._looked = now - self._looked, now
        for part in self.parts:
            self._listen(part)
            if part.process is not None:
                self._look_at(part, passed, looked_away=looked_away)
            elif part.next_start is not None and monotonic() >= part.next_start:
                self._start(part)
            if not part.been_up:
                break

    def _start(self, part: Part) -> None:
        try:
            part.start(piped=self._hear is not None)
        except OSError as error:
            if error.errno in _ABSENT and not part.been_up:
                raise ChildProcessError(f"{part.name} cannot be started: {part.command[0]}: {error.strerror}") from None
            self._again(part, f"could not be started: {error.strerror}", lived=0.0)

    def _look_at(self, part: Part, passed: float, *, looked_away: bool) -> None:
        assert part.process is not None
        status = part.process.poll()
        if status is not None:
            self._ended(part, status)
        elif not part.up and part.ready():
            part.up = part.been_up = True
        elif not part.up and monotonic() - part.started > _READY:
            self._end(part)
            self._again(part, f"was not ready within {_READY:.0f} s", lived=_READY)
        elif _hangs(part, passed, looked_away=looked_away):
            lived = monotonic() - part.started
            part.process.kill()
            part.process.wait()
            self._listen(part)
            part.let_go()
            self._again(part, "gave no sign of life and was killed", lived=lived)

    def _ended(self, part: Part, status: int) -> None:
        self._listen(part)
        lived = monotonic() - part.started
        part.let_go()
        if status == CONFIG_ERROR:
            raise ChildProcessError(f"{part.name} cannot run with this config")
        why = ending(status, part.last_line)
        self._count_short_life(part, why, lived)
        if status == DAMAGED:
            self._repair(part, why, lived)
        else:
            self._again(part, why, lived=lived)

    def _count_short_life(self, part: Part, why: str, lived: float) -> None:
        part.short_lives = part.short_lives + 1 if lived < _SHORT and same_word(why, part.short_word) else int(lived < _SHORT)
        part.short_word = why
        if part.short_lives >= _HOPELESS:
            raise ChildProcessError(f"{part.name} cannot run: {_HOPELESS} times in a row it {why}")

    def _repair(self, part: Part, why: str, lived: float) -> None:
        """Mend the data folder while nobody works on it."""
        others = [other for other in self.parts if other.keeps_data and other.process is not None]
        for other in reversed(others):
            self._end(other)
            other.next_start = monotonic()
        self._mend()
        self._again(part, why, lived=lived)

    def _again(self, part: Part, why: str, *, lived: float) -> None:
        """Have a part started again: at once where it had run for long, else after its back-off."""
        if lived > _SETTLED:
            part.backoff.reset()
        delay = 0.0 if lived > _SETTLED else part.backoff.delay()
        part.restarts, part.restarted, part.restarted_at = part.restarts + 1, why, time_ns()
        part.process, part.up, part.next_start = None, False, monotonic() + delay
        log.warning("a process is started again", process=part.name, because=why, seconds=round(delay, 1))

    def stop(self) -> None:
        """End the parts, the last started first: each is asked, and killed when its grace is over."""
        for part in reversed(self.parts):
            self._end(part)
            part.next_start = None

    def _end(self, part: Part) -> None:
        process = part.process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)  # one that is stopped would not hear
        try:
            process.wait(part.grace)
        except subprocess.TimeoutExpired:
            log.warning("a process did not end in time and was killed", process=part.name)
            process.kill()
            process.wait()
        self._listen(part)
        part.let_go()
        part.up = False

    def _listen(self, part: Part) -> None:
        """Pass on what a part has written."""
        for line in part.lines():
            if self._hear is not None:
                self._hear(part.name, line)


def _hangs(part: Part, passed: float, *, looked_away: bool) -> bool:
    """Tell whether a part's heart has stopped. Only time counts in which the supervisor looked: after a sleep, all have theirs again."""
    if part.heart is None:
        return False
    part.heart.listen(passed)
    if looked_away:
        part.heart.forgive()
    return part.heart.silent > (_SILENT if part.heart.beaten else _SILENT_AT_START)
