"""What is kept of one group of one flow."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.store.effects import Group


class GroupState(msgspec.Struct, array_like=True):
    """All that is kept of one group of one flow, in plain builtins.

    `window` and `trigger` belong to `flows.windows` and `flows.triggers`. Without windows, `window` is the newest event time that was decided,
    and the group's watermark: a time and the journal's clock then. `detectors` are the memories by name, `looked` the newest time and value
    by lookup. `labels` are those of the device that spoke last, `before` what `prev` knows, with its time, `metrics` the newest value of
    each metric, and `last` what a trigger that waits for time to pass would say; each kept only where the flow uses it. `severity` is that of
    the newest episode. `correctable` is the journal's clock from which on corrections are given again: once a second at most, since in an
    overload each row may bring late readings of every group.
    """

    group: list[list[str]]
    window: list[Any]
    trigger: list[Any]
    detectors: dict[str, list[Any]] = {}
    looked: dict[str, list[Any]] = {}
    labels: dict[str, str] = {}
    before: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    last: dict[str, Any] = {}
    severity: str = ""
    correctable: int = 0

    @property
    def key(self) -> Group:
        """The group's key."""
        return tuple((name, value) for name, value in self.group)
