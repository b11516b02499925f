"""Which flows want a reading, and in which group."""

from __future__ import annotations

from collections.abc import Sequence

from devices.reading import Reading
from flows.flow import Flow
from flows.identity import shard_of
from flows.slice import Looked
from gateway.store.effects import SHARDS, Group

Route = tuple[str, Group | Looked, int]
"""Flow, group (or what stands for it where the flow only looks the reading up), shard."""


class Router:
    """Resolve routes from what never changes within a series: device, metric, channel, unit and labels. Ask once for each series."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        self._flows = flows
        self.failed: list[tuple[str, Group, Exception]] = []
        """Flows that failed to say whether they want a series (a bug), with the group it would be in: for whoever asked, to tell and clear."""

    def routes(self, reading: Reading) -> tuple[Route, ...]:
        """Give the flows that select this reading's series."""
        found: list[Route] = []
        for flow in self._flows:
            group = _group(flow, reading)
            try:
                found += _wanted(flow, reading, group)
            except Exception as error:  # noqa: BLE001  (one flow's bug must not stop the others)
                self.failed.append((flow.name, group, error))
        return tuple(found)


def _wanted(flow: Flow, reading: Reading, group: Group) -> list[Route]:
    found = _looked(flow, reading, group) if flow.lookups else []
    if flow.selects(reading):
        found.append((flow.name, group, shard_of(flow.name, group)))
    return found


def _group(flow: Flow, reading: Reading) -> Group:
    known = {"device": reading.device, "metric": reading.metric, "channel": reading.channel}
    return tuple((name, known[name] if name in known else reading.labels.get(name, "")) for name in flow.group)


def _looked(flow: Flow, reading: Reading, group: Group) -> list[Route]:
    """Give where a reading is looked up: in its own group, or, where the flow names the device, in all groups and so in all shards."""
    names = flow.looked_up(reading)
    own = tuple(name for name in names if flow.lookups[name].device is None)
    shared = tuple(name for name in names if flow.lookups[name].device is not None)
    routes: list[Route] = [(flow.name, Looked(own, group), shard_of(flow.name, group))] if own else []
    return routes + ([(flow.name, Looked(shared, None), shard) for shard in range(SHARDS)] if shared else [])
