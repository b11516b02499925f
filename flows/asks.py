"""What conventions want devices to be told, to learn more: each device once a minute at most, and so many of them."""

from __future__ import annotations

from devices.convention import remember
from devices.reading import Ask
from flows.identity import effect_id
from flows.step import Step
from gateway.store.effects import OWN_FLOW, CommandRequested

_SECOND = 1_000_000_000
AGAIN = 60 * _SECOND
"""For how long a device that was asked is left in peace, in ns of the journal's time."""
MOST = 10_000
"""Devices that are asked within `AGAIN` at most: so many new ones at once are no devices."""


class Asks:
    """When each device was asked last, in plain builtins."""

    def __init__(self, state: dict[str, int] | None = None) -> None:
        self._asked = state or {}

    def request(self, step: Step, ask: Ask, device: str, now: int) -> CommandRequested | None:
        """Have a device (`device` is what it is called downstream) told something, unless it was asked a moment ago; `now` is the journal's time."""
        if now - self._asked.get(ask.device, now - AGAIN) < AGAIN:
            return None
        if len(self._asked) >= MOST and now - next(iter(self._asked.values())) < AGAIN:
            return None
        self._asked.pop(ask.device, None)  # so that the oldest stands first
        remember(self._asked, ask.device, now, most=MOST)
        return CommandRequested(
            id=effect_id("ask", ask.device, str(step.row.offset), str(step.number)),
            flow=OWN_FLOW,
            group=(),
            cause="",
            device=device,
            settings=dict(ask.settings),
            within=10 * _SECOND,
            retries=2,
            expires=step.row.received + 60 * _SECOND,
            time=step.row.received,
            at=step.row.received,
        )

    def snapshot(self) -> dict[str, int]:
        """Give the memory in plain builtins."""
        return self._asked
