"""What the store has to say to a truth file: the episodes, dead letters and commands, and the time for which it can speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.store.effects import AlertChanged
from gateway.store.positions import Positions
from gateway.store.reader import StoreReader
from gateway.store.views import CommandStatus, Letter
from gateway.truth.watcher import Labels

_ALL = -1


@dataclass(frozen=True)
class Episode:
    """One episode of a flow: the alert that raised it, and when it was cleared (ns); None while it is open."""

    alert: AlertChanged
    cleared: int | None = None


@dataclass(frozen=True)
class Evidence:
    """What was noticed in [since, until] (epoch ns): of nothing else can it be said that it was missed, or that it was false.

    `episodes` are by flow, in order of time, those that were raised before `since` among them: they may have been open then.
    """

    since: int
    until: int
    episodes: Mapping[str, Sequence[Episode]]
    letters: Sequence[Letter] = ()
    commands: Sequence[CommandStatus] = ()
    labels: Labels = field(default_factory=dict)


def gather(store: Path, *, since: int | None = None) -> Evidence:
    """Read a store, from when it begins or from `since` (epoch ns), whichever is later; raises StoreError."""
    with StoreReader(store) as reader, reader.snapshot():
        devices = reader.devices()
        start = _start(reader, min((one.first_seen for one in devices), default=0))
        progress = reader.progress()
        return Evidence(
            since=start if since is None else max(since, start),
            until=progress.at if progress else 0,
            episodes=_episodes(reader.alerts(newest=_ALL)),
            letters=reader.dead_letters(newest=_ALL, state=None),
            commands=reader.commands(newest=_ALL),
            labels={one.device: one.labels for one in devices},
        )


def _start(reader: StoreReader, first_seen: int) -> int:
    """Tell since when the store has every alert: since the first device was seen, unless the oldest have been deleted since."""
    first = reader.effects_after(0, 1)
    if not first or first[0][0] == 1:
        return first_seen
    oldest = reader.oldest(Positions(reader.newest().readings, 0))
    return first_seen if oldest is None else max(first_seen, oldest)


def _episodes(alerts: Sequence[AlertChanged]) -> dict[str, list[Episode]]:
    """Put the ends of episodes together; `alerts` come the newest first."""
    cleared: dict[str, int] = {}
    found: dict[str, list[Episode]] = {}
    for alert in alerts:
        if alert.state == "cleared":
            cleared[alert.episode] = alert.time
        else:
            found.setdefault(alert.flow, []).append(Episode(alert, cleared.get(alert.episode)))
    return {flow: sorted(found[flow], key=lambda one: (one.alert.at, one.alert.time)) for flow in sorted(found)}
