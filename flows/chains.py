"""Flows that feed each other: a flow republishes a metric that another one selects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows.flow import Flow


def loops(flows: Sequence[Flow]) -> Iterator[tuple[Flow, int, list[str]]]:
    """Give each republished metric that leads back to its own flow: the flow, which of its metrics (counted from 0), and the flows on the way.

    By the names of metrics alone: what `where` leaves out today may be let in by tomorrow's device.
    """
    for flow in flows:
        for number, one in enumerate(flow.republished):
            way = _way(one.metric, flow, flows)
            if way:
                yield flow, number, [flow.name, *way]


def _way(metric: str, goal: Flow, flows: Sequence[Flow]) -> list[str] | None:
    """Find the flows through which a metric comes back to the goal, breadth first; None where it does not."""
    waiting: list[tuple[str, list[str]]] = [(metric, [])]
    seen = {metric}
    while waiting:
        metric, way = waiting.pop(0)
        for flow in flows:
            if metric not in flow.metrics and metric not in {lookup.metric for lookup in flow.lookups.values()}:
                continue
            if flow.name == goal.name:
                return [*way, flow.name]
            for one in flow.republished:
                if one.metric not in seen:
                    seen.add(one.metric)
                    waiting.append((one.metric, [*way, flow.name]))
    return None
