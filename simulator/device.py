"""One simulated device: measures by its signals, speaks by its dialect, acts on the physics."""

from __future__ import annotations

from typing import Any

from simulator.dialect import Heard, Outgoing, Value
from simulator.physics import Greenhouse
from simulator.scenario import DeviceSpec
from simulator.signals import Dice, Signal


class Device:
    """One device of a scenario while it runs. Pure: times are handed in, messages are handed back."""

    def __init__(self, spec: DeviceSpec, *, root: str, seed: int, physics: Greenhouse | None) -> None:
        self.spec = spec
        self.dialect = spec.speak(root=root)
        self._physics = physics
        self._to_miss = spec.drop_commands
        self._signals = {metric: Signal(signal, Dice.of(seed, f"{spec.name}/{metric}")) for metric, signal in spec.metrics.items()}

    def report(self, *, elapsed: int, epoch: int) -> list[Outgoing]:
        """Measure, and say what was measured."""
        return self.dialect.report(self._values(elapsed=elapsed, epoch=epoch), on=self._on(), at=epoch)

    def listens(self) -> list[str]:
        """Name the topics of its commands: none for a device that only measures."""
        return [] if self.spec.acts is None else self.dialect.listens()

    def hear(self, topic: str, payload: bytes, *, elapsed: int, epoch: int) -> list[Outgoing]:
        """Obey a command and answer it. Nothing comes back when it is not understood, missed, or the device is deaf."""
        heard = self.dialect.hear(topic, payload)
        if heard is None or self._misses() or self.spec.acts is None or self._physics is None:
            return []
        on = self._obey(heard, self._physics, self.spec.acts)
        return self.dialect.answer(self._values(elapsed=elapsed, epoch=epoch), on=on, at=epoch)

    def state(self) -> dict[str, Any]:
        return {metric: signal.state() for metric, signal in self._signals.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`; metrics that it does not know begin anew."""
        for metric, signal in self._signals.items():
            if metric in state:
                signal.restore(state[metric])

    def _misses(self) -> bool:
        if self.spec.answers and self._to_miss == 0:
            return False
        self._to_miss = max(0, self._to_miss - 1)
        return True

    def _on(self) -> bool | None:
        if self._physics is None or self.spec.acts is None:
            return None
        return self._physics.is_on(self.spec.acts)

    @staticmethod
    def _obey(heard: Heard, physics: Greenhouse, actuator: str) -> bool:
        on = heard.on
        if heard.toggle:
            on = not physics.is_on(actuator)
        if on is not None:
            physics.switch(actuator, on)
        return physics.is_on(actuator)

    def _values(self, *, elapsed: int, epoch: int) -> dict[str, Value]:
        quantities = self._physics.quantities() if self._physics else {}
        return {
            metric: signal.value(elapsed=elapsed, epoch=epoch, origin=quantities[signal.spec.measures] if signal.spec.measures else 0.0)
            for metric, signal in self._signals.items()
        }
