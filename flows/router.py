"""Which flows want a reading, and in which group: decided once per series."""

from __future__ import annotations

from collections.abc import Sequence

from devices.reading import Reading
from flows.flow import Flow
from flows.identity import shard_of
from gateway.store.effects import Group

Route = tuple[str, Group, int]
"""Flow, group, shard."""


class Router:
    """Resolve routes from what never changes within a series: device, metric, channel, unit and labels."""

    def __init__(self, flows: Sequence[Flow], *, series_limit: int) -> None:
        self._flows = flows
        self._series_limit = series_limit
        self._routes: dict[tuple[str, str, str], tuple[Route, ...]] = {}

    def routes(self, reading: Reading) -> tuple[Route, ...]:
        """Give the flows that select this reading's series."""
        series = (reading.device, reading.metric, reading.channel)
        found = self._routes.get(series)
        if found is None:
            if len(self._routes) >= self._series_limit:
                self._routes.clear()  # only a cache: what is dropped is resolved again
            found = self._routes[series] = tuple(self._resolve(reading))
        return found

    def _resolve(self, reading: Reading) -> list[Route]:
        known = {"device": reading.device, "metric": reading.metric, "channel": reading.channel}
        found = []
        for flow in self._flows:
            if flow.selects(reading):
                group: Group = tuple((name, known[name] if name in known else reading.labels.get(name, "")) for name in flow.group)
                found.append((flow.name, group, shard_of(flow.name, group)))
        return found
