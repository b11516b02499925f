"""A verdict as JSON: what `sluice truth --json` prints, and `sluice up --demo --json` under `truth`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from gateway.store.effects import AlertChanged
from gateway.store.outcomes import group_text
from gateway.truth.score import FlowScore, KindScore, Missed
from gateway.truth.verdict import Verdict


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Give the document. Times are RFC 3339 in UTC, delays are seconds; a share of nothing is null."""
    scores = verdict.scores
    return {
        "file": str(verdict.file),
        "since": _iso(verdict.since),
        "until": _iso(verdict.until),
        "kinds": {name: _kind(kind) for name, kind in scores.kinds.items()},
        "flows": {name: _flow(flow) for name, flow in scores.flows.items()},
        "missed": [_missed(one) for one in scores.missed],
        "false_alerts": [_alert(one) for one in scores.false_alerts],
        "dead_letters": {name: {**asdict(one), "recall": one.recall} for name, one in verdict.damage.items()},
        "commands": {name: asdict(one) for name, one in verdict.answers.items()},
        "watched": sorted(scores.kinds),
        "unwatched": sorted(scores.unwatched),
        "left_out": verdict.left_out,
        "uncounted": scores.uncounted,
    }


def _kind(kind: KindScore) -> dict[str, Any]:
    median, longest = kind.delay or (None, None)
    return {
        "faults": kind.faults,
        "found": kind.found,
        "recall": kind.recall,
        "precision": kind.precision,
        "delay": {"p50": _seconds(median), "max": _seconds(longest)},
        "flows": sorted(kind.flows),
    }


def _flow(flow: FlowScore) -> dict[str, Any]:
    return {
        "finds": sorted(flow.finds),
        "inferred": flow.inferred,
        "alerts": flow.alerts,
        "own": flow.own,
        "other": flow.other,
        "false": flow.false,
    }


def _missed(one: Missed) -> dict[str, Any]:
    fault = one.fault
    return {
        "device": fault.device,
        "metric": fault.metric,
        "kind": fault.kind,
        "start": _iso(fault.start),
        "end": _iso(fault.end),
        "reason": one.reason,
    }


def _alert(alert: AlertChanged) -> dict[str, Any]:
    return {
        "id": alert.id,
        "flow": alert.flow,
        "group": group_text(alert.group),
        "time": _iso(alert.time),
        "at": _iso(alert.at),
        "message": alert.message,
    }


def _seconds(ns: float | None) -> float | None:
    return None if ns is None else round(ns / 1e9, 3)


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds")
