"""A flow as far as judging it asks: what it is there to find, in which metrics, and how long it waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.store.effects import AlertChanged, Group
from gateway.truth.fault import Fault

Labels = Mapping[str, Mapping[str, str]]
"""The labels of each device, by its name."""


@dataclass(frozen=True)
class Watcher:
    """What is known of a flow beside its alerts.

    `finds` are the kinds of faults that it says it is there to find; None where it does not say. `metrics` are those that reach it, by way of
    other flows too; None where nobody knows (the flow is gone). `wait` (ns) is how long after a reading it may decide by it: its window,
    lateness, hold and debounce.
    """

    name: str
    finds: frozenset[str] | None = None
    metrics: frozenset[str] | None = None
    wait: int = 0

    def hears(self, fault: Fault) -> bool:
        """Tell whether the flow looks at the metric that is at fault."""
        return fault.metric is None or self.metrics is None or fault.metric in self.metrics

    def concerns(self, group: Group, fault: Fault, labels: Labels) -> bool:
        """Tell whether an alert of a group is about the device and the metric of a fault.

        A group by device or metric names them, one by a label is about every device that has it, one of everything about every device.
        """
        for name, text in group:
            if name == "device":
                same = text == fault.device
            elif name == "metric":
                same = fault.metric in {None, text}
            else:  # a fault has no channel of its own
                same = name == "channel" or labels.get(fault.device, {}).get(name) == text
            if not same:
                return False
        return self.hears(fault)

    def in_time(self, alert: AlertChanged, fault: Fault, grace: int) -> bool:
        """Tell whether an alert was raised in a fault, or so soon after it that it can still be of it: by event time, or by when it was decided.

        Either, since a device whose clock is wrong, or that sends later what it kept, moves them apart.
        """
        last = fault.end + self.wait + grace
        return fault.start <= alert.time <= last or fault.start <= alert.at <= last
