"""The world of a scenario: its physics and all its devices, moved by a time that is handed in. No network and no clock."""

from __future__ import annotations

import heapq
from typing import Any

from simulator.device import Device
from simulator.dialect import Outgoing
from simulator.physics import Greenhouse
from simulator.scenario import Scenario

_VERSION = 1


class StateError(ValueError):
    """A saved state that does not fit; the text says why."""


class World:
    """A fleet between two moments. The same scenario, beginning and commands give the same messages, byte for byte.

    `elapsed` is ns since the scenario's first start, over all restarts; `epoch` is what the wall clock shows then.
    """

    def __init__(self, scenario: Scenario, *, epoch: int) -> None:
        self.scenario = scenario
        self.physics = Greenhouse(scenario.physics, seed=scenario.seed) if scenario.physics else None
        self.devices = [Device(spec, root=scenario.name, seed=scenario.seed, physics=self.physics) for spec in scenario.devices]
        self.elapsed = 0
        self._offset = epoch
        self._plan()

    def set_clock(self, epoch: int) -> None:
        """Take it that the wall clock shows `epoch` now."""
        self._offset = epoch - self.elapsed

    @property
    def epoch(self) -> int:
        return self._offset + self.elapsed

    def next_due(self) -> int:
        """Say when, in elapsed ns, the next device reports."""
        return self._due[0][0]

    def advance(self, elapsed: int) -> list[tuple[Device, Outgoing]]:
        """Let time pass until `elapsed`, and give what the devices say meanwhile, in order."""
        said: list[tuple[Device, Outgoing]] = []
        while self.next_due() <= elapsed:
            due, index = self._due[0]
            self._pass(due)
            device = self.devices[index]
            heapq.heapreplace(self._due, (due + device.spec.every, index))
            said += [(device, message) for message in device.report(elapsed=self.elapsed, epoch=self.epoch)]
        self._pass(elapsed)
        return said

    def report(self, device: Device) -> list[Outgoing]:
        """Let a device report now, out of turn."""
        return device.report(elapsed=self.elapsed, epoch=self.epoch)

    def hear(self, device: Device, topic: str, payload: bytes) -> list[Outgoing]:
        """Let a device hear a command now, and give its answer."""
        return device.hear(topic, payload, elapsed=self.elapsed, epoch=self.epoch)

    def state(self) -> dict[str, Any]:
        """Say all that is needed to go on later, in plain builtins."""
        return {
            "version": _VERSION,
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "elapsed": self.elapsed,
            "physics": self.physics.state() if self.physics else {},
            "devices": {device.spec.name: device.state() for device in self.devices},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()` of the same scenario and seed; devices may have come and gone. StateError and no change for others."""
        epoch = self.epoch
        kept = self.state()
        try:
            self._take(state)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._take(kept)
            wanted = f"version {_VERSION}, scenario {self.scenario.name}, seed {self.scenario.seed}"
            raise StateError(f"state: must be whole, and of {wanted}; got {error!r}") from error
        self.set_clock(epoch)
        self._plan()

    def _take(self, state: dict[str, Any]) -> None:
        got = (state["version"], state["scenario"], state["seed"])
        if got != (_VERSION, self.scenario.name, self.scenario.seed):
            raise ValueError(got)
        self.elapsed = int(state["elapsed"])
        if self.physics:
            self.physics.restore(state["physics"])
            for actuator in set(self.physics.actuators) - {device.spec.acts for device in self.devices}:
                self.physics.switch(actuator, on=False)  # the device that held it on has left the scenario
        for device in self.devices:
            device.restore(state["devices"].get(device.spec.name, {}))

    def _plan(self) -> None:
        """Spread the first reports over each device's interval, so that they do not all speak at once."""
        count = len(self.devices)
        self._due = [(self.elapsed + device.spec.every * (index + 1) // count, index) for index, device in enumerate(self.devices)]
        heapq.heapify(self._due)

    def _pass(self, elapsed: int) -> None:
        self.elapsed = max(self.elapsed, elapsed)
        if self.physics:
            self.physics.advance(self.elapsed)
