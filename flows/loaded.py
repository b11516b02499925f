"""What the flows run on: flows and profiles, read together; and what becomes of each flow when others take their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devices.profile import Profile
from flows.flow import Flow
from flows.spec import load_flows
from gateway.findings import load_folder

_NO_EFFECT = {"about", "tests"}
"""Keys of a flow file that change nothing of what the flow does."""


@dataclass(frozen=True)
class Loaded:
    """The flows and profiles of a config folder."""

    flows: tuple[Flow, ...]
    profiles: tuple[Profile, ...]

    @classmethod
    def of(cls, config: Path) -> Loaded:
        """Read them; raises ConfigError with every finding."""
        return cls(tuple(load_flows(config)), tuple(load_folder(config / "devices", Profile, root=config)))


@dataclass(frozen=True)
class Changes:
    """What becomes of each flow, by name. `restarted` says for each flow that starts afresh which parts of it had shaped its old state."""

    unchanged: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    restarted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    profiles: bool = False

    @classmethod
    def between(cls, before: Loaded, after: Loaded) -> Changes:
        """Compare what ran with what shall run."""
        old, new = ({flow.name: flow for flow in one.flows} for one in (before, after))
        both = [(old[name], new[name]) for name in new if name in old]
        return cls(
            unchanged=_names(now for was, now in both if _same(was, now)),
            kept=_names(now for was, now in both if not _same(was, now) and was.fingerprint == now.fingerprint),
            restarted={now.name: _parts(was, now) for was, now in both if was.fingerprint != now.fingerprint},
            added=tuple(name for name in new if name not in old),
            removed=tuple(name for name in old if name not in new),
            profiles=before.profiles != after.profiles,
        )

    def __bool__(self) -> bool:
        return bool(self.kept or self.restarted or self.added or self.removed or self.profiles)

    def document(self) -> dict[str, Any]:
        """Give the changes as the status has them."""
        return {
            "unchanged": list(self.unchanged),
            "kept": list(self.kept),
            "restarted": {name: list(parts) for name, parts in self.restarted.items()},
            "added": list(self.added),
            "removed": list(self.removed),
            "profiles": self.profiles,
        }

    def words(self) -> dict[str, str]:
        """Give what changed in a few words, for a log line.

        >>> Changes(unchanged=("a",), kept=("b",), restarted={"c": ("window", "aggregate")}).words()
        {'kept_state': 'b', 'started_afresh': 'c (window, aggregate)'}
        """
        afresh = [f"{name} ({', '.join(parts)})" for name, parts in self.restarted.items()]
        said = {"kept_state": self.kept, "started_afresh": afresh, "added": self.added, "removed": self.removed}
        words = {what: ", ".join(names) for what, names in said.items() if names}
        return words | ({"profiles": "changed"} if self.profiles else {})


def _names(flows: Iterable[Flow]) -> tuple[str, ...]:
    return tuple(flow.name for flow in flows)


def _same(was: Flow, now: Flow) -> bool:
    return effect_of(was) == effect_of(now)


def effect_of(flow: Flow) -> dict[str, Any]:
    """Give what a flow's file says of what the flow does."""
    return flow.spec.model_dump(exclude=_NO_EFFECT)


def _parts(was: Flow, now: Flow) -> tuple[str, ...]:
    return tuple(part for part in {**was.shape, **now.shape} if was.shape.get(part) != now.shape.get(part))
