"""A fleet: all devices of a scenario over a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from simulator.broker import Broker
from simulator.clock import Clock
from simulator.device import Device
from simulator.dialect import Outgoing
from simulator.faults.truth import TruthFile
from simulator.line import Counts, Line, Outage, end
from simulator.nanoseconds import SECOND
from simulator.open_files import make_room
from simulator.scenario import Scenario
from simulator.world import Said, World

log = structlog.get_logger()

_SAVE_EVERY = 5 * SECOND
_CLOCK_TOLERANCE = 2 * SECOND
_FIRST_CONNECTION = 5.0
"""Seconds that the world waits for a broker at the start: then time passes whether or not anybody listens."""
_PARTING = 0.5
"""Seconds for last words to a broker that may not answer any more."""
_EACH = 0.002
"""Seconds that each connection adds to the time for all to come up, or to part: a thousand of them keep a small machine busy."""
_EMPTYING = 2.0
"""Seconds for what is on its way when the time is over."""
_LOOK = 1.0
_STRIDE = 60 * SECOND
"""How far a world that is faster than real time moves at once, so that it does not run away from the network."""
_REMEMBERED = 8


@dataclass(frozen=True)
class Heard:
    """A message on a device's command topic; `at` is epoch ns. What it does not understand, or cannot hear, is ignored."""

    at: int
    device: str
    topic: str
    payload: str
    ignored: bool


class Fleet:
    """Moves a world by the clock, and carries what its devices say and hear. See `Line` for what is lost when the broker is away.

    The world stands still until all devices are connected, so that the same seed and start give the same messages from the first one on.
    """

    def __init__(
        self,
        scenario: Scenario,
        broker: Broker,
        *,
        clock: Clock | None = None,
        state: Path | None = None,
        truth: Path | None = None,
        seconds: float | None = None,
    ) -> None:
        """`seconds` is how long it runs, `state` a file that the world is kept in, and `truth` one that its faults are written to."""
        self.counts = Counts()
        self.heard: deque[Heard] = deque(maxlen=_REMEMBERED)
        self._clock = clock or Clock(now=time.time_ns(), seconds=seconds)
        self.world = World(scenario, epoch=self._clock.start)
        self._state = state
        self._truth = TruthFile(truth, fresh=state is None) if truth else None
        self._seconds = seconds
        self._line_of = self._connect_by(Outage(broker), broker)
        self._lines = list(dict.fromkeys(self._line_of.values()))
        self._began = self._before = self._saved = 0

    @property
    def connections(self) -> tuple[int, int]:
        """How many connections are open, and how many there should be."""
        return sum(line.open for line in self._lines), len(self._lines)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set or the time is over, then save the state and take leave: within seconds, whatever the broker does.

        OSError when the process may not have so many connections.
        """
        make_room(self.connections[1])
        self._restore()
        self._before = self.world.elapsed
        log.info("fleet up", scenario=self.world.scenario.name, devices=len(self.world.devices), connections=self.connections[1])
        leave = asyncio.Event()
        lines = [asyncio.create_task(line.hold(leave, greet=self._greet)) for line in self._lines]
        pace = asyncio.create_task(self._pace(stop))
        try:
            await asyncio.wait([pace, *lines], return_when=asyncio.FIRST_COMPLETED)
            self._save()
            self._say(self.world.end())
            await self._empty()
        finally:
            leave.set()
            done, late = await asyncio.wait([pace, *lines], timeout=_PARTING + len(lines) * _EACH)
            await end(late)
        for task in done:
            task.result()
        log.info("fleet down", scenario=self.world.scenario.name, published=self.counts.published, dropped=self.counts.dropped)

    def _connect_by(self, outage: Outage, broker: Broker) -> dict[str, Line]:
        """Give the line of every device, by the device's name. Devices of one connection share a line."""
        sharing: dict[str, list[Device]] = {}
        members: Counter[str] = Counter()
        for device in self.world.devices:
            group, name = device.group, device.dialect.connection
            if group.connections is not None:
                name = f"{group.name}/{members[group.name] % group.connections}"
            members[group.name] += 1
            sharing.setdefault(name, []).append(device)
        lines: dict[str, Line] = {}
        for name, devices in sharing.items():
            line = Line(name, devices, broker=broker, hear=self._hear, counts=self.counts, outage=outage)
            lines |= {device.name: line for device in devices}
        return lines

    async def _pace(self, stop: asyncio.Event) -> None:
        await self._greeted(stop)
        self._began = time.monotonic_ns()
        if self._clock.follows:  # it stood still until here
            self.world.set_clock(time.time_ns())
        while not stop.is_set() and not self._over():
            self._catch_up()
            if self._clock.fast:
                await self._empty()  # faster than real time, the world waits for the network
            if self.world.elapsed - self._saved >= _SAVE_EVERY:
                self._save()
            wait = self._clock.until(self.world.next_due() - self._before, real=time.monotonic_ns() - self._began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(max(wait, 0.001), _LOOK))

    async def _greeted(self, stop: asyncio.Event) -> None:
        """Wait until every device is connected, or it has become clear that the broker is away."""
        patience = _FIRST_CONNECTION + self.connections[1] * _EACH
        if self._seconds is not None:
            patience = min(patience, self._seconds)
        waiting = [asyncio.create_task(line.greeted.wait()) for line in self._lines]
        every, stopped = asyncio.create_task(_all(waiting)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([every, stopped], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end([every, *waiting, stopped])

    def _until(self, real: float) -> int:
        """Give the world's time when so many real ns have passed, and not more than the run has."""
        most = real if self._seconds is None else min(real, self._seconds * SECOND)
        return self._before + self._clock.passed(round(most))

    def _over(self) -> bool:
        return self._seconds is not None and self.world.elapsed >= self._until(self._seconds * SECOND)

    def _catch_up(self) -> None:
        if not self._began:
            return
        until = self._until(time.monotonic_ns() - self._began)
        self._say(self.world.advance(min(until, self.world.elapsed + _STRIDE) if self._clock.fast else until))
        wall = time.time_ns()
        if self._clock.follows and abs(wall - self.world.epoch) > _CLOCK_TOLERANCE:
            log.warning("the wall clock stepped, devices follow it", seconds=round((wall - self.world.epoch) / SECOND, 3))
            self.world.set_clock(wall)

    def _say(self, said: Said) -> None:
        for line in self._lines if self.world.switched() else ():
            line.look()
        for device, message in said:
            self._line_of[device.name].say(message)
        self.counts.answers = self.world.answered
        if self._truth is not None:
            self._truth.add(self.world.truth())

    async def _empty(self) -> None:
        """Let what is on its way reach the broker."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EMPTYING):
                for line in self._lines:
                    await line.emptied()

    def _hear(self, device: Device, topic: str, payload: bytes) -> list[Outgoing]:
        self._catch_up()
        text = payload[:80].decode(errors="replace")
        before = self.world.ignored
        answers = self.world.hear(device, topic, payload)
        heard = Heard(self.world.epoch, device.name, topic, text, ignored=self.world.ignored > before)
        self.heard.append(heard)
        log.info("command heard", device=device.name, topic=topic, payload=text, ignored=heard.ignored)
        return answers

    def _greet(self, device: Device) -> list[Outgoing]:
        """Let a device say that it is there and, if it acts, how it stands."""
        return device.dialect.hello() + (self.world.report(device) if device.group.acts else [])

    def _restore(self) -> None:
        if self._state is None or not self._state.exists():
            return
        try:
            self.world.restore(json.loads(self._state.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:  # a StateError too
            log.warning("the saved state cannot be used, the scenario begins anew", file=str(self._state), error=str(error))

    def _save(self) -> None:
        """Replace the state file as a whole, so that a reader, or the next start, never finds half of one."""
        self._saved = self.world.elapsed
        if self._state is None:
            return
        draft = self._state.with_name(self._state.name + ".new")
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(self.world.state()), encoding="utf-8")
            draft.replace(self._state)
        except OSError as error:
            log.warning("the state cannot be saved", file=str(self._state), error=str(error))


async def _all(waiting: list[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*waiting)
