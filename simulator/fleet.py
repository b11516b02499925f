"""A fleet: all devices of a scenario over a real broker, in real time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

import structlog

from simulator.broker import Broker
from simulator.device import Device
from simulator.dialect import Outgoing
from simulator.line import Counts, Line, Outage, end
from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.world import World

log = structlog.get_logger()

_SAVE_EVERY = 5 * SECOND
_CLOCK_TOLERANCE = 2 * SECOND
_PARTING = 0.5
"""Seconds for last words to a broker that may not answer any more."""


class Fleet:
    """Moves a world by the clock, and carries what its devices say and hear. See `Line` for what is lost when the broker is away."""

    def __init__(self, scenario: Scenario, broker: Broker, *, state: Path | None = None) -> None:
        self.counts = Counts()
        self._world = World(scenario, epoch=time.time_ns())
        self._state = state
        outage = Outage(broker)
        self._lines = {
            name: Line(name, devices, broker=broker, hear=self._hear, counts=self.counts, outage=outage)
            for name, devices in self._connections().items()
        }
        self._began = 0
        self._saved = 0

    async def run(self, stop: asyncio.Event) -> Counts:
        """Run until `stop` is set, then save the state and take leave: within a second, whatever the broker does."""
        self._restore()
        self._began = time.monotonic_ns() - self._world.elapsed
        log.info("fleet up", scenario=self._world.scenario.name, devices=len(self._world.devices), connections=len(self._lines))
        lines = [asyncio.create_task(line.hold(stop, greet=self._greet)) for line in self._lines.values()]
        pace = asyncio.create_task(self._pace(stop))
        try:
            await asyncio.wait([pace, *lines], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.set()
            self._save()
            done, late = await asyncio.wait([pace, *lines], timeout=_PARTING)
            await end(late)
        for task in done:
            task.result()
        log.info("fleet down", scenario=self._world.scenario.name, published=self.counts.published, dropped=self.counts.dropped)
        return self.counts

    def _connections(self) -> dict[str, list[Device]]:
        connections: dict[str, list[Device]] = {}
        for device in self._world.devices:
            connections.setdefault(device.dialect.connection, []).append(device)
        return connections

    async def _pace(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._catch_up()
            if self._world.elapsed - self._saved >= _SAVE_EVERY:
                self._save()
            wait = (self._world.next_due() + self._began - time.monotonic_ns()) / SECOND
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(wait, 0.001))

    def _catch_up(self) -> None:
        for device, message in self._world.advance(time.monotonic_ns() - self._began):
            self._lines[device.dialect.connection].say(message)
        wall = time.time_ns()
        if abs(wall - self._world.epoch) > _CLOCK_TOLERANCE:
            log.warning("the wall clock stepped, devices follow it", seconds=round((wall - self._world.epoch) / SECOND, 3))
            self._world.set_clock(wall)

    def _hear(self, device: Device, topic: str, payload: bytes) -> list[Outgoing]:
        self._catch_up()
        return self._world.hear(device, topic, payload)

    def _greet(self, device: Device) -> list[Outgoing]:
        """Let a device say that it is there and, if it acts, how it stands."""
        return device.dialect.hello() + (self._world.report(device) if device.spec.acts else [])

    def _restore(self) -> None:
        if self._state is None or not self._state.exists():
            return
        try:
            self._world.restore(json.loads(self._state.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:  # a StateError too
            log.warning("the saved state cannot be used, the scenario begins anew", file=str(self._state), error=str(error))

    def _save(self) -> None:
        """Replace the state file as a whole, so that a reader, or the next start, never finds half of one."""
        self._saved = self._world.elapsed
        if self._state is None:
            return
        draft = self._state.with_name(self._state.name + ".new")
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(self._world.state()), encoding="utf-8")
            draft.replace(self._state)
        except OSError as error:
            log.warning("the state cannot be saved", file=str(self._state), error=str(error))
