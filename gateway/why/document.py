"""What `sluice why --json` prints: one document, times in epoch ns."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.store.effects import AlertChanged, CommandFact, WindowClosed
from gateway.store.views import CommandStatus
from gateway.why.chain import Chain
from gateway.why.evidence import Evidence, Seen
from gateway.why.messages import Said


def why_document(chain: Chain, evidence: Evidence | None) -> dict[str, Any]:
    """Give all that is known. `command`, `alert`, `window` and `readings` are null where there is none."""
    return {
        "id": chain.id,
        "kind": chain.kind,
        "command": None if chain.command is None else _command(chain, chain.command),
        "alert": None if chain.alert is None else _alert(chain, chain.alert),
        "window": None if chain.decided is None else _window(chain.windows, chain.decided),
        "readings": None if evidence is None else _readings(evidence),
    }


def _command(chain: Chain, command: CommandStatus) -> dict[str, Any]:
    asked = chain.request
    limits = {} if asked is None else {"within": asked.within, "retries": asked.retries, "expires": asked.expires}
    return {
        **msgspec.structs.asdict(command),
        **limits,
        "life": [_fact(fact, command.requested) for fact in chain.facts],
    }


def _fact(fact: CommandFact, requested: int) -> dict[str, Any]:
    named = {name: getattr(fact, name) for name in ("state", "attempt", "time", "detail")}
    return {**named, "since_request": fact.time - requested}


def _alert(chain: Chain, alert: AlertChanged) -> dict[str, Any]:
    known = {name: value for name, value in alert.why.items() if name not in ("before", "after")}
    return {
        **{name: getattr(alert, name) for name in ("id", "episode", "flow", "state", "severity", "message", "time", "at")},
        "group": dict(alert.group),
        "why": known,
        "trigger": {"before": alert.why.get("before"), "after": alert.why.get("after")},
        "ends": [{"id": one.id, "state": one.state, "time": one.time} for one in chain.episode],
        "commands": [{"id": one.id, "device": one.device, "settings": one.settings, "state": one.state} for one in chain.commands],
    }


def _window(revisions: Sequence[WindowClosed], decided: WindowClosed) -> dict[str, Any]:
    return {
        **{name: getattr(decided, name) for name in ("flow", "start", "end")},
        "group": dict(decided.group),
        "revisions": [{name: getattr(one, name) for name in ("id", "revision", "count", "values", "at")} for one in revisions],
        "decided_by": decided.revision,
    }


def _readings(evidence: Evidence) -> dict[str, Any]:
    return {
        "since": evidence.since,
        "until": evidence.until,
        "source": evidence.source,
        "total": evidence.total,
        "left_out": evidence.total - len(evidence.rows),
        "notes": evidence.notes,
        "rows": [_seen(one) for one in evidence.rows],
    }


def _seen(seen: Seen) -> dict[str, Any]:
    names = ("ts", "received", "device", "metric", "channel", "value", "unit", "convention")
    named = {name: getattr(seen.reading, name) for name in names}
    return {**named, "later": seen.later, "message": None if seen.said is None else _said(seen.said)}


def _said(said: Said) -> dict[str, str]:
    """Give a message as `sluice decode --jsonl` takes it."""
    try:
        return {"topic": said.topic, "payload": said.payload.decode()}
    except UnicodeDecodeError:
        return {"topic": said.topic, "payload_b64": base64.b64encode(said.payload).decode()}
