"""What a flow asks of devices when an episode opens or ends. From here on the gateway owns the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flows.flow import Flow
from flows.identity import effect_id
from flows.templates import Template
from gateway.store.effects import AlertChanged, CommandRequested


def requests(flow: Flow, alert: AlertChanged, values: Mapping[str, Any], fresh_until: int) -> Iterator[CommandRequested]:
    """Ask for the commands that go with an alert's change.

    `fresh_until` is the newest time (epoch ns) at which what the alert speaks of can be said to have been true; a command expires its
    `expires` after that, so that what is decided from an old backlog is never sent. Where a value that names the device is missing, the
    device is "", and where one that is to be set is missing, it is None; the gateway refuses such a command: nothing is guessed.
    """
    for number, command in enumerate(flow.commands):
        settings = command.set if alert.state == "raised" else command.on_clear
        if not settings:
            continue
        yield CommandRequested(
            id=effect_id("c", alert.id, number),
            flow=flow.name,
            group=alert.group,
            cause=alert.id,
            device=command.device.exact(values) or "",
            settings={name: one.value(values) if isinstance(one, Template) else one for name, one in settings.items()},
            within=command.within,
            retries=command.retries,
            expires=fresh_until + command.expires,
            time=alert.time,
            at=alert.at,
        )
