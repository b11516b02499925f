"""The chain behind an id: the command, the alert that asked for it, the window that decided that, all from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, WindowClosed
from gateway.store.reader import StoreReader
from gateway.store.views import CommandStatus

Kind = Literal["command", "alert", "episode", "window"]


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to the id that was asked about.

    `alert` is the one that is explained: the one asked about, an episode's first, or a command's cause. `episode` has both ends of it that
    are known, `commands` those that it caused, `windows` the revisions of the window that decided it. `command`, with what was asked for and the
    facts of its life, is there where a command was asked about.
    """

    id: str
    kind: Kind
    command: CommandStatus | None = None
    request: CommandRequested | None = None
    facts: Sequence[CommandFact] = ()
    alert: AlertChanged | None = None
    episode: Sequence[AlertChanged] = ()
    commands: Sequence[CommandStatus] = ()
    windows: Sequence[WindowClosed] = ()

    @property
    def decided(self) -> WindowClosed | None:
        """The window as it stood when something was decided by it: its first revision, or the one that was asked about."""
        if self.kind == "window":
            return next(one for one in self.windows if one.id == self.id)
        return self.windows[0] if self.windows else None


def find(reader: StoreReader, asked: str) -> Chain | None:
    """Give the chain behind an id; None where the store has nothing under it."""
    effect = reader.effect(asked)
    match effect:
        case AlertChanged():
            return _of_alert(reader, effect, kind="alert", asked=asked)
        case WindowClosed():
            return _of_window(reader, effect)
        case CommandFact():
            return _of_command(reader, effect.command)
    ends = reader.episode(asked)
    if ends:
        return _of_alert(reader, ends[0], kind="episode", asked=asked)
    return _of_command(reader, asked)


def _of_command(reader: StoreReader, asked: str) -> Chain | None:
    command = reader.command(asked)
    if command is None:
        return None
    request = reader.effect(asked)
    cause = reader.effect(command.cause) if command.cause else None
    of_alert = _of_alert(reader, cause, kind="command", asked=asked) if isinstance(cause, AlertChanged) else Chain(id=asked, kind="command")
    return msgspec.structs.replace(
        of_alert,
        command=command,
        request=request if isinstance(request, CommandRequested) else None,
        facts=reader.facts(asked),
    )


def _of_alert(reader: StoreReader, alert: AlertChanged, *, kind: Kind, asked: str) -> Chain:
    return Chain(
        id=asked,
        kind=kind,
        alert=alert,
        episode=reader.episode(alert.episode),
        commands=reader.caused_by(alert.id),
        windows=reader.revisions(alert.flow, alert.group, until=alert.time, at=alert.at),
    )


def _of_window(reader: StoreReader, window: WindowClosed) -> Chain:
    decided = next((one for one in reader.alerts(window.flow, newest=-1) if one.group == window.group and one.time == window.end), None)
    chain = _of_alert(reader, decided, kind="window", asked=window.id) if decided else Chain(id=window.id, kind="window")
    return msgspec.structs.replace(chain, windows=reader.revisions(window.flow, window.group, until=window.end))
