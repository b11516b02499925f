"""One simulated device: measures by its signals, speaks by its dialect, acts on the physics, and has faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from simulator.dialect import Dialect, Heard, Outgoing, Value
from simulator.faults import Fault
from simulator.faults.traces import Traces
from simulator.physics import Physics
from simulator.scenario import GroupSpec
from simulator.signals import Dice, Signals


class Device:
    """One device of a scenario while it runs. Pure: times are handed in, messages are handed back.

    A report goes through the faults that it has, in the order in which they began: what is measured, what the clock shows, whether
    anything is said, and what becomes of the messages.
    """

    def __init__(self, group: GroupSpec, name: str, *, root: str, seed: int, physics: Physics | None) -> None:
        self.group = group
        self.name = name
        self.dialect = group.speak(name, root=root)
        self.faults: list[Fault[Any]] = []
        self.last: Mapping[str, Value] = {}
        self.reports = 0
        self._root = root
        self._physics = physics
        self._to_miss = group.drop_commands
        self._signals = Signals(group.metrics, seed=seed, device=name)
        self._timing = Dice.of(seed, f"{name}/timing")

    @property
    def online(self) -> bool:
        """Whether it holds its connection."""
        return all(fault.online for fault in self.faults)

    @property
    def on(self) -> bool | None:
        """Whether what acts is on; None for a device that only measures."""
        if self._physics is None or self.group.acts is None:
            return None
        return self._physics.is_on(self.group.acts)

    def lateness(self) -> int:
        """Roll by how many ns the next report is late."""
        return int(self._timing.uniform() * self.group.jitter) if self.group.jitter else 0

    def report(self, *, elapsed: int, epoch: int) -> list[Outgoing]:
        """Measure, and say what was measured."""
        values: dict[str, Value] = {**self._signals.values(elapsed=elapsed, epoch=epoch, quantities=self._quantities())}
        at, on, traces = epoch, self.on, Traces()
        for fault in self.faults:
            measured, stamp = fault.measured(values, elapsed=elapsed), fault.stamped(at, elapsed=elapsed)
            measured = {metric: self._as_written(metric, value, values.get(metric)) for metric, value in measured.items()}
            traces.note(fault, values, measured, clock=stamp != at)
            values, at = measured, stamp
        self.last = values
        swallowed = [fault.swallows(values, on=on, at=at) for fault in self.faults]  # each of them counts what it touches
        if any(swallowed):
            return []
        if not values and on is None:
            traces.count_missing()
            return []
        self.reports += 1
        said = [self._carried(message) for message in self.dialect.report(values, on=on, at=at)]
        return self._on_its_way(said, traces)

    def _on_its_way(self, said: list[Outgoing], traces: Traces) -> list[Outgoing]:
        """Let faults change the messages: first what they say, then how they travel."""
        whole = said
        for fault in self.faults:
            said = fault.spoilt(said)
        if said == whole:  # nobody can read values in a damaged report
            traces.count()
        for fault in self.faults:
            said = fault.said(said)
        return said

    def _as_written(self, metric: str, value: Value, before: Value | None) -> Value:
        """Give a value that a fault has changed with the digits that the sensor has."""
        if value == before or not isinstance(value, float):
            return value
        spec = self.group.metrics.get(metric)
        return round(value, 2 if spec is None or spec.decimals is None else spec.decimals)

    def begin(self, fault: Fault[Any], *, epoch: int) -> list[Outgoing]:
        """Have a fault from now on, and say what it makes the device say."""
        self.faults.append(fault)
        return fault.begin(self, epoch=epoch)

    def finish(self, fault: Fault[Any]) -> list[Outgoing]:
        """Be rid of a fault, and say what follows from that."""
        self.faults.remove(fault)
        return fault.finish(self)

    def like(self, name: str) -> Dialect:
        """Give a dialect as it speaks, for a device of another name."""
        return self.group.speak(name, root=self._root)

    def listens(self) -> list[str]:
        """Name the topics of its commands: none for a device that only measures."""
        return [] if self.group.acts is None else self.dialect.listens()

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Understand a command. None when it is not understood, missed, or the device is deaf."""
        heard = self.dialect.hear(topic, payload)
        if heard is None or self.group.acts is None or self._physics is None or self._misses():
            return None
        return heard

    def delay(self) -> int:
        """Say how many ns after a command it acts."""
        for fault in self.faults:
            fault.touched += bool(fault.delay)
        return self.group.delay + sum(fault.delay for fault in self.faults)

    def act(self, heard: Heard, *, elapsed: int, epoch: int) -> list[Outgoing]:
        """Obey a command, or refuse it, and say so."""
        physics, actuator = self._physics, self.group.acts
        assert physics is not None, "only a device that acts hears"
        assert actuator is not None
        asks = heard.on is not None or heard.toggle
        refuses = asks and any(fault.refuses() for fault in self.faults)
        if asks and not refuses:
            physics.switch(actuator, not physics.is_on(actuator) if heard.toggle else bool(heard.on))
        values = self._signals.values(elapsed=elapsed, epoch=epoch, quantities=self._quantities())
        answer = self.dialect.refuse if refuses else self.dialect.answer
        return answer(values, on=physics.is_on(actuator), at=epoch)

    def state(self) -> dict[str, Any]:
        return {"signals": self._signals.state(), "timing": self._timing.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`; metrics that it does not know begin anew."""
        self._signals.restore(state["signals"])
        self._timing.state = int(state["timing"])

    def _carried(self, message: Outgoing) -> Outgoing:
        group = self.group
        if group.qos is None and group.retain is None:
            return message
        return replace(
            message,
            qos=message.qos if group.qos is None else group.qos,
            retain=message.retain if group.retain is None else group.retain,
        )

    def _misses(self) -> bool:
        if any(fault.misses() for fault in self.faults):
            return True
        if self.group.answers and self._to_miss == 0:
            return False
        self._to_miss = max(0, self._to_miss - 1)
        return True

    def _quantities(self) -> Mapping[str, float]:
        return self._physics.quantities() if self._physics else {}
