"""What the faults of a device leave of themselves in one report: a fault counts only where it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Value
from simulator.faults.fault import Fault


class Traces:
    """Which faults changed which metrics, or the stamp, of one report; later faults may hide what earlier ones did."""

    def __init__(self) -> None:
        self._metrics: list[tuple[Fault[Any], set[str]]] = []
        self._clocks: list[Fault[Any]] = []
        self._missing: list[Fault[Any]] = []

    def note(self, fault: Fault[Any], before: Mapping[str, Value], after: Mapping[str, Value], *, clock: bool) -> None:
        """Take down what one fault made of the values, and whether it moved the stamp."""
        removed, held = before.keys() - after.keys(), fault.holds(before)
        for _, metrics in self._metrics:
            metrics.difference_update(removed, held)
        self._metrics.append((fault, held.union(metric for metric in before if after.get(metric) != before[metric])))
        if removed:
            self._missing.append(fault)
        if clock:
            self._clocks.append(fault)

    def count(self) -> None:
        """Count the report for every fault that shows in it."""
        for fault in {fault for fault, metrics in self._metrics if metrics} | set(self._clocks):
            fault.touched += 1

    def count_missing(self) -> None:
        """Count a report that is not there, for every fault that took away what it would have said."""
        for fault in self._missing:
            fault.touched += 1
