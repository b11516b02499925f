"""Episodes by name, and their end where the flow cannot end them itself."""

from __future__ import annotations

from contextlib import suppress

from flows.commands import requests
from flows.flow import Flow
from flows.group_state import GroupState
from flows.identity import effect_id, group_text
from flows.slice import Slice
from flows.triggers.trigger import CLEARED_AT, EPISODE, NUMBER, RAISED, SINCE, STREAK, seen
from gateway.store.effects import AlertChanged, Effect


def episode_id(flow: str, state: GroupState) -> str:
    """Name an episode. Numbered too: readings of one event time can raise, clear and raise again."""
    return effect_id("e", flow, group_text(state.key), state.trigger[EPISODE], state.trigger[NUMBER])


def is_open(state: GroupState) -> bool:
    """Tell whether a group's episode is open."""
    return bool(state.trigger) and bool(state.trigger[RAISED])


def cut_short(name: str, state: GroupState, row: Slice, *, what: str, flow: Flow | None) -> list[Effect]:
    """Clear the open episode of a group whose state is about to go, with `what` happened as the reason.

    `flow` also undoes what the episode commanded, where its texts can be filled in; it is None where the flow is gone.
    """
    alert = _cleared(name, state, row.at, what=what)
    effects: list[Effect] = [alert]
    if flow:
        with suppress(Exception):  # a text that fails must not keep the alert from being cleared
            effects += list(requests(flow, alert, dict(state.group), row.at if row.live else alert.time))
    return effects


def _cleared(flow: str, state: GroupState, at: int, *, what: str) -> AlertChanged:
    episode, before = episode_id(flow, state), seen(state.trigger)
    return AlertChanged(
        id=effect_id("a", episode, "cleared"),
        episode=episode,
        flow=flow,
        group=state.key,
        state="cleared",
        severity=state.severity or "info",
        message=f"{', '.join(value for _, value in state.key) or flow}: {what}",
        why={
            "rule": what,
            "values": {},
            "since": state.trigger[SINCE],
            "raised": state.trigger[EPISODE],
            "held": state.trigger[STREAK],
            "last_clear": state.trigger[CLEARED_AT] or None,
            "before": before,
            "after": {**before, "raised": False, "last_clear": at},
        },
        time=at,
        at=at,
    )
