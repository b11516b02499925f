"""The world of a scenario: its physics, its devices and their faults, moved by a time that is handed in. No network and no clock."""

from __future__ import annotations

from collections import Counter
from typing import Any

from simulator.agenda import Agenda
from simulator.device import Device
from simulator.dialect import Heard, Outgoing
from simulator.faults import KINDS, Fault, FaultSpec
from simulator.faults.schedule import Schedule
from simulator.faults.truth import label
from simulator.physics import made
from simulator.scenario import Scenario

_VERSION = 2

Said = list[tuple[Device, Outgoing]]


class StateError(ValueError):
    """A saved state that does not fit; the text says why."""


class World:
    """A fleet between two moments. The same scenario, beginning and commands give the same messages, byte for byte.

    `elapsed` is ns since the scenario's first start, over all restarts; `epoch` is what a clock shows then that is right.
    Whatever is to happen stands on an agenda, and happens at its own moment, however seldom anybody looks.
    """

    def __init__(self, scenario: Scenario, *, epoch: int) -> None:
        self.scenario = scenario
        self.physics = made(scenario.physics, seed=scenario.seed) if scenario.physics else None
        self.devices = [
            Device(group, name, root=scenario.name, seed=scenario.seed, physics=self.physics) for group, name in scenario.members()
        ]
        self.elapsed = 0
        self.answered = 0
        self.ignored = 0
        self._switched = False
        self._truth: list[dict[str, Any]] = []
        self._offset = epoch
        self._agenda = Agenda[Said]()
        self._plan()

    def set_clock(self, epoch: int) -> None:
        """Take it that a right clock shows `epoch` now."""
        self._offset = epoch - self.elapsed

    @property
    def epoch(self) -> int:
        return self._offset + self.elapsed

    @property
    def active(self) -> list[Fault[Any]]:
        """The faults that last now."""
        return [fault for device in self.devices for fault in device.faults]

    def next_due(self) -> int:
        """Say when, in elapsed ns, something happens next."""
        return self._agenda.next

    def advance(self, elapsed: int) -> Said:
        """Let time pass until `elapsed`, and give what the devices say meanwhile, in order."""
        said: Said = []
        while (due := self._agenda.due(elapsed)) is not None:
            moment, happen = due
            self._pass(moment)
            said += happen()
        self._pass(elapsed)
        return said

    def report(self, device: Device) -> list[Outgoing]:
        """Let a device report now, out of turn."""
        return device.report(elapsed=self.elapsed, epoch=self.epoch)

    def hear(self, device: Device, topic: str, payload: bytes) -> list[Outgoing]:
        """Let a device hear a command now. It answers at once, or `advance` gives its answer once its delay is over."""
        heard = device.hear(topic, payload)
        if heard is None:
            self.ignored += 1
            return []
        delay = device.delay()
        if not delay:
            return [message for _, message in self._act(device, heard)]
        self._agenda.at(self.elapsed + delay, lambda: self._act(device, heard))
        return []

    def switched(self) -> bool:
        """Tell whether a device may have gone offline or come back since the last call."""
        switched, self._switched = self._switched, False
        return switched

    def truth(self) -> list[dict[str, Any]]:
        """Give the labels of the faults that are over since the last call."""
        over, self._truth = self._truth, []
        return over

    def end(self) -> Said:
        """End all faults that last, as if their time were over."""
        return [one for device in self.devices for fault in list(device.faults) for one in self._finish(fault, device)]

    def state(self) -> dict[str, Any]:
        """Say all that is needed to go on later, in plain builtins."""
        return {
            "version": _VERSION,
            "scenario": self.scenario.name,
            "seed": self.scenario.seed,
            "elapsed": self.elapsed,
            "physics": self.physics.state() if self.physics else {},
            "devices": {device.name: device.state() for device in self.devices},
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
            for actuator in set(self.physics.actuators) - {device.group.acts for device in self.devices}:
                self.physics.release(actuator)  # the device that held it has left the scenario
        for device in self.devices:
            if device.name in state["devices"]:
                device.restore(state["devices"][device.name])

    def _plan(self) -> None:
        """Write the agenda: the first reports, and the faults.

        Reports are spread over each device's interval, those of a group evenly, so that they do not all speak at once.
        """
        self._agenda.clear()
        places: Counter[str] = Counter()
        for index, device in enumerate(self.devices, 1):
            group = device.group
            places[group.name] += 1
            place, of = (places[group.name], group.count) if group.count > 1 else (index, len(self.devices))
            self._await_report(device, self.elapsed + group.every * place // of)
        for index, spec in enumerate(self.scenario.faults):
            for device in self.devices:
                if spec.hits(device.name):
                    self._await_fault(
                        spec, device, Schedule(spec, seed=self.scenario.seed, name=f"fault/{index}/{device.name}"), self.elapsed
                    )

    def _await_report(self, device: Device, due: int) -> None:
        def happen() -> Said:
            self._await_report(device, due + device.group.every)
            return [(device, message) for message in self.report(device)]

        self._agenda.at(due + device.lateness(), happen)

    def _await_fault(self, spec: FaultSpec, device: Device, schedule: Schedule, after: int) -> None:
        occurrence = schedule.after(after)
        if occurrence is None:
            return
        # A fault that a restart finds under way begins again with what is left of it.
        start = max(occurrence.start, self.elapsed)
        metric = _metric(spec, device)
        fault = KINDS[spec.kind](spec, device=device.dialect.called, metric=metric, start=start, end=occurrence.end, dice=occurrence.dice)
        fault.continued = start > occurrence.start

        def over() -> Said:
            self._await_fault(spec, device, schedule, occurrence.end)
            return self._finish(fault, device) if fault in device.faults else []

        def happen() -> Said:
            self._agenda.at(occurrence.end, over)
            return self._begin(fault, device)

        self._agenda.at(start, happen)

    def _begin(self, fault: Fault[Any], device: Device) -> Said:
        self._switched |= not fault.online
        if fault.interval is not None:
            self._await_extra(fault, device)
        return [(device, message) for message in device.begin(fault, epoch=self.epoch)]

    def _await_extra(self, fault: Fault[Any], device: Device) -> None:
        def happen() -> Said:
            if fault not in device.faults:
                return []
            self._await_extra(fault, device)
            return [(device, message) for message in self.report(device)]

        assert fault.interval is not None
        self._agenda.at(self.elapsed + fault.interval, happen)

    def _finish(self, fault: Fault[Any], device: Device) -> Said:
        self._switched |= not fault.online
        self._truth.append(label(fault, start=self._offset + fault.start, end=self.epoch))
        said = device.finish(fault)
        if not fault.online and device.group.acts:
            said = [*said, *self.report(device)]  # it says how it stands, as after any start
        return [(device, message) for message in said]

    def _act(self, device: Device, heard: Heard) -> Said:
        said = device.act(heard, elapsed=self.elapsed, epoch=self.epoch)
        self.answered += bool(said)
        return [(device, message) for message in said]

    def _pass(self, elapsed: int) -> None:
        self.elapsed = max(self.elapsed, elapsed)
        if self.physics:
            self.physics.advance(self.elapsed)


def _metric(spec: FaultSpec, device: Device) -> str | None:
    """Name the metric that a fault is about: the one it names, or the only one there is."""
    metric: str | None = getattr(spec, "metric", None)
    if metric is None and "metric" in type(spec).model_fields and len(device.group.gives()) == 1:
        return device.group.gives()[0]
    return metric
