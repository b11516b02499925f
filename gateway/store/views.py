"""What readers of the store are given beside the effects themselves. Times are epoch ns."""

from __future__ import annotations

from typing import Any

import msgspec

from devices.reading import Value
from gateway.store.effects import CommandState, LetterState


class SeriesState(msgspec.Struct, frozen=True, kw_only=True):
    """A series and its last known state. `last_seen` is None and `retained` true where only the broker has told of it yet."""

    device: str
    metric: str
    channel: str
    key: str
    convention: str
    value: Value
    unit: str | None
    ts: int
    retained: bool
    first_seen: int
    last_seen: int | None
    count: int
    kept: int


class DeviceState(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it has been seen: `base` is where it takes commands ("" for nowhere), `missed` what its messages' numbers left out."""

    device: str
    convention: str
    base: str
    labels: dict[str, str]
    first_seen: int
    last_seen: int | None
    missed: int
    series: list[SeriesState]


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of one series from `start` on, for the length asked for. Texts count, and have no mean, min or max."""

    device: str
    metric: str
    channel: str
    unit: str | None
    start: int
    count: int
    mean: float | None
    min: float | None
    max: float | None


class CommandStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command stands, by its furthest fact; `sent` tells whether it ever went out."""

    id: str
    flow: str
    device: str
    settings: dict[str, Any]
    cause: str
    state: CommandState
    sent: bool
    attempt: int
    detail: str
    requested: int
    changed: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter as it stands: the message, and what became of it when it was read again.

    `keys` (`<device>/<key>`) are the values that could not be used, where the others of the message were; empty for the whole of it.
    `reason` is the newest one. `attempts` counts how often it was read again, the last time at `tried_at` (the journal's clock, epoch ns; None
    for never) and at the journal place `tried`; `outcome` says what a replayed one became.
    """

    id: int
    topic: str
    payload: bytes
    reason: str
    device: str
    received: int
    flags: int
    state: LetterState
    attempts: int
    tried: int
    tried_at: int | None
    outcome: str
    keys: tuple[str, ...]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Sums since the store was made, pruned rows included.

    `readings`: taken, kept (rows written). `windows`: emitted, revisions. `alerts`: raised, cleared. `commands`: requested, sent,
    confirmed, failed, expired, superseded, refused, waiting, where requested = all the rest but sent. `effects` (windows, alerts, commands,
    facts) and `dead_letters` are rows ever written.
    """

    readings: dict[str, int]
    windows: dict[str, int]
    alerts: dict[str, int]
    commands: dict[str, int]
    effects: int
    dead_letters: int


class Size(msgspec.Struct, frozen=True):
    """What the store holds now: rows of readings, windows, alerts and commands, and its bytes on the disk."""

    points: int
    bytes: int
