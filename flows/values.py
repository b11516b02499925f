"""The names that a flow's expressions see: of a window that has closed, or of a reading where there are no windows."""

from __future__ import annotations

from typing import Any

from devices.reading import Reading
from flows.flow import Flow
from flows.group_state import GroupState
from flows.windows import Closed

Values = dict[str, Any]


def window_values(flow: Flow, state: GroupState, shared: dict[str, list[Any]], closed: Closed, *, first: bool) -> Values:
    """Give the values of a window, derived ones and scores among them.

    A correction (`first` is false) knows no window before it and is not learned: what would need that is missing. A window of no readings, which
    takes an earlier one back, has no values.
    """
    values: Values = {**dict(state.group), **closed.values}
    if not closed.readings:
        return values
    if flow.remembers:
        values["prev"] = state.before.get("values", {}) if first else {}
    if flow.computes:
        _add_surroundings(flow, state, shared, values, closed.end)
        _compute(flow, state, values, learn=first)
    return values


def window_outcome(flow: Flow, closed: Closed, values: Values) -> dict[str, float | str | bool | None]:
    """Give what a window is kept with: its aggregates, derived values and scores."""
    if not flow.derived and not flow.detectors:
        return closed.values
    return closed.values | {name: values.get(name) for name in (*flow.derived, *flow.detectors)}


def reading_values(flow: Flow, state: GroupState, shared: dict[str, list[Any]], reading: Reading) -> Values:
    """Give the values at a reading; `elapsed` is the time since the reading before in the group, in s."""
    if "metrics" in flow.uses:
        state.metrics[reading.metric] = reading.value
    values: Values = {
        **dict(state.group),
        **state.metrics,
        "value": reading.value,
        "metric": reading.metric,
        "unit": reading.unit or "",
        "device": reading.device,
        "channel": reading.channel,
        "labels": dict(reading.labels),
    }
    if flow.remembers:
        values["prev"] = state.before.get("values", {})
        values["elapsed"] = (reading.ts - state.before["time"]) / 1e9 if state.before else None
    if flow.computes:
        _add_surroundings(flow, state, shared, values, reading.ts)
        _compute(flow, state, values, learn=True)
    return values


def _add_surroundings(flow: Flow, state: GroupState, shared: dict[str, list[Any]], values: Values, time: int) -> None:
    """Add the labels and what is looked up; what is older than its `max_age` at `time` (ns) is missing."""
    if "labels" in flow.uses and "labels" not in values:
        values["labels"] = state.labels
    for name, lookup in flow.lookups.items():
        ts, value = (shared if lookup.device else state.looked).get(name, (0, None))
        values[name] = None if lookup.max_age is not None and time - ts > lookup.max_age else value


def _compute(flow: Flow, state: GroupState, values: Values, *, learn: bool) -> None:
    """Add derived values, each of which sees those before it, and scores."""
    for name, formula in flow.derived.items():
        values[name] = formula.value(values)
    for name, detector in flow.detectors.items():
        values[name] = None
        value = values.get(detector.of)
        if learn and isinstance(value, int | float):
            memory = state.detectors.setdefault(name, [])
            if not memory:
                memory.extend(detector.new())
            values[name] = detector.score(memory, float(value))
            detector.learn(memory, float(value))
