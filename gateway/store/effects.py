"""What the flows want to have happened: the rows of the store. Every effect has an id that is a pure function of its cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from devices.form import Report
from devices.reading import Reading, Value

SHARDS = 16
"""Parts of the flows' state, each with counters of its own. Fixed for good: recovery finds state by shard, whatever the number of workers."""

Group = tuple[tuple[str, str], ...]
"""A group key with its names, in the order of the flow's `group:`: (("device", "t1"),). Empty: everything together."""


class ReadingKept(msgspec.Struct, frozen=True):
    """A reading with its place: `id` = journal offset << 20 | number within the journal row (ever-growing).

    `belated`: its message came earlier than its place says, and was held for a birth or read again as a dead letter: it confirms no command.
    """

    id: int
    reading: Reading
    belated: bool = False


class ReportKept(msgspec.Struct, frozen=True):
    """The readings of a report, with their places: `id` is the first one's, and the others follow it one by one. None is belated."""

    id: int
    report: Report

    def readings(self) -> list[ReadingKept]:
        """Give them one by one."""
        return [ReadingKept(self.id + number, reading) for number, reading in enumerate(self.report.readings())]


class DeviceLearned(msgspec.Struct, frozen=True):
    """What a convention knows of a device: emitted when first seen and when it changes. `base` is where it takes commands ("" for nowhere)."""

    device: str
    convention: str
    base: str
    labels: dict[str, str]
    at: int


class WindowClosed(msgspec.Struct, frozen=True):
    """One window's aggregates; revision 1 when it closes, 2, 3, ... for corrections. Times are epoch ns; `at` is the journal's time."""

    id: str
    flow: str
    group: Group
    start: int
    end: int
    revision: int
    count: int
    values: dict[str, float | str | bool | None]
    at: int


class AlertChanged(msgspec.Struct, frozen=True):
    """One end of an episode. `why` holds the rule, the values, since when, and the last clear, in plain builtins."""

    id: str
    episode: str
    flow: str
    group: Group
    state: Literal["raised", "cleared"]
    severity: str
    message: str
    why: dict[str, Any]
    time: int
    at: int


OWN_FLOW = "sluice"
"""What stands for the flow in a command that Sluice sends by itself, to learn more."""


class CommandRequested(msgspec.Struct, frozen=True):
    """A flow asks a device for something. `within` and `expires` are ns; `cause` is the alert's id."""

    id: str
    flow: str
    group: Group
    cause: str
    device: str
    settings: dict[str, Any]
    within: int
    retries: int
    expires: int
    time: int
    at: int


CommandState = Literal["requested", "sent", "confirmed", "failed", "expired", "superseded", "refused"]


class CommandFact(msgspec.Struct, frozen=True):
    """One step in a command's life, journalled by the gateway. `id` = `<command>/<state>/<attempt>`; `time` is when it happened, epoch ns.

    A command that a person sent (`sluice send`) has its first fact with state `requested`; then `flow` is "". So has one by which a device is
    told again what it was told before (`<command>/restored/<n>`). One that interlocks hold back stays `requested`, and each reason is a
    fact `<command>/held/<n>`.
    """

    id: str
    command: str
    device: str
    flow: str
    state: CommandState
    attempt: int
    settings: dict[str, Any]
    detail: str
    time: int


class Derived(msgspec.Struct, frozen=True):
    """A value that a flow puts back as a reading of its own, so that flows chain. `ts` is its event time, `at` the journal's, both epoch ns.

    Nobody is told of it: it goes into the journal, and what comes of it there is a reading like any other.
    """

    id: str
    flow: str
    group: Group
    device: str
    metric: str
    channel: str
    value: Value
    unit: str | None
    labels: dict[str, str]
    ts: int
    at: int


class Failed(msgspec.Struct, frozen=True):
    """A flow failed on a reading (of `device`), or when a group's time came (device ""): a bug, with its `reason`; `at` is the journal's time.

    Told once an hour for each group at most, to people alone; every reading is counted. Nothing of it went on, and the group began anew.
    """

    id: str
    flow: str
    group: Group
    device: str
    reason: str
    at: int


class DeadLettered(msgspec.Struct, frozen=True):
    """A message that could not be used. `id` is made as ReadingKept's; `flags` are the journal's (`gateway.journal.row.Flag`).

    `keys` (`<device>/<key>`) are the values that could not be used, where the others of the message were.
    """

    id: int
    topic: str
    payload: bytes
    reason: str
    device: str
    received: int
    flags: int = 0
    keys: tuple[str, ...] = ()


LetterState = Literal["dead", "replayed"]


class LetterTried(msgspec.Struct, frozen=True):
    """A dead letter was read again, at `place` (made as ReadingKept's ids) and `at` (the journal's time).

    It stays `dead`, with `detail` as its new reason and `device`, or it is `replayed`, and `detail` says what became of it.
    """

    id: int
    place: int
    state: LetterState
    detail: str
    device: str
    at: int


class Counted(msgspec.Struct, frozen=True):
    """A counter's value now: absolute, so that writing it again is harmless.

    Stage `total` counts messages by their outcome, `link` those shed by topic (in the place of the device), `normalise` messages and readings
    by device, `select` readings passed on by flow (the term) and device (`select-N` those of a cluster's host N), and `shard-N` what became of them
    by flow (the scope) and device.
    """

    stage: str
    scope: str
    device: str
    term: str
    value: int


class Progressed(msgspec.Struct, frozen=True):
    """How far the flows have read: everything before journal `offset` has had its effects written; `messages` is how many that were, ever."""

    offset: int
    messages: int
    at: int


Effect = (
    ReadingKept
    | ReportKept
    | DeviceLearned
    | WindowClosed
    | AlertChanged
    | CommandRequested
    | CommandFact
    | Derived
    | Failed
    | DeadLettered
    | LetterTried
    | Counted
    | Progressed
)


def spelled_out(effects: Iterable[Effect]) -> list[Effect]:
    """Give effects with each reading as one of its own."""
    spelled: list[Effect] = []
    for effect in effects:
        if isinstance(effect, ReportKept):
            spelled += effect.readings()
        else:
            spelled.append(effect)
    return spelled
