"""How the parts of a running `sluice up` stand: the link, what is blocked, restarts and heartbeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.subject import Subject
from gateway.exit_status import ALONE
from gateway.heartbeat import FLOWS, GATEWAY
from gateway.screen import ago
from gateway.status import cluster_document

NAME = "parts"
_BEATS = {"gateway": GATEWAY, "flows": FLOWS}
_SILENT = 30.0
"""Seconds without a heartbeat after which the supervisor ends a part."""

_LATELY = 600 * 10**9
"""ns for which restarts are a complaint."""

_FOR_ANOTHER = f"ended with status {ALONE}:"
"""How the reason begins where another host of a cluster was gone, which is no fault of this one."""
_OFTEN = 3
"""Restarts from which on one of them is a complaint."""


def check_parts(subject: Subject) -> Iterator[Check]:
    """Complain of a link that is not up, of whatever holds acknowledgements back, of parts that die again and again, and of one that is silent."""
    if subject.up is None:
        yield Check.fine(NAME, "nothing runs on this folder")
        return
    complaints = [*_link(subject), *_cluster(subject), *_restarts(subject, subject.up), *_silent(subject, subject.up)]
    yield from complaints or [Check.fine(NAME, _said(subject, subject.up))]


def _link(subject: Subject) -> Iterator[Check]:
    if not subject.connected:
        said = f"link: {subject.gateway.get('link', 'not started')}"
        yield Check.complaint(NAME, said, "see the check `broker`; messages wait at the broker meanwhile, as far as its queue reaches")
    if blocked := subject.gateway.get("blocked"):
        yield Check.complaint(NAME, f"nothing is acknowledged: {blocked}", "see the checks `disk` and `journal`; it goes on by itself")


def _cluster(subject: Subject) -> Iterator[Check]:
    if waits := cluster_document(subject.data).get("waits"):
        there = "see whether that host runs, and is reached at its port by TCP and UDP"
        advice = (
            f"{there if 'to be there' in waits else 'give all hosts the same'}; what comes meanwhile is journalled, and nothing is decided"
        )
        yield Check.complaint(NAME, f"cluster: the flows wait for {waits}", advice)


def _restarts(subject: Subject, up: dict[str, Any]) -> Iterator[Check]:
    for part, told in up.get("restarts", {}).items():
        if told["count"] >= _OFTEN and subject.now - told["at"] < _LATELY and not told["last"].startswith(_FOR_ANOTHER):
            said = f"{part}: was started again {told['count']:,} times, {ago(told['at'], subject.now)} for the last time: {told['last']}"
            yield Check.complaint(
                NAME, said, "what it said stands in the output of `sluice up` (`journalctl -u sluice`); report it if that is no help"
            )


def _silent(subject: Subject, up: dict[str, Any]) -> Iterator[Check]:
    if subject.now - up.get("started", subject.now) < _SILENT * 1e9:
        return
    for part, name in _BEATS.items():
        beat = subject.data / name
        silent = (subject.now - beat.stat().st_mtime_ns) / 1e9 if beat.exists() else 0.0
        if silent > _SILENT:
            said = f"{part}: gave its last sign of life {amounts.time(silent)} ago"
            yield Check.complaint(NAME, said, "`sluice up` ends it and starts it again; if it does not, start `sluice up` again")


def _said(subject: Subject, up: dict[str, Any]) -> str:
    restarts = sum(told["count"] for told in up.get("restarts", {}).values())
    words = ["connected", f"{len(up.get('processes', ()))} processes"]
    words += [f"{restarts:,} restarts"] if restarts else []
    words += [f"{shed:,} messages shed since the start"] if (shed := subject.gateway.get("shed", 0)) else []
    return ", ".join(words)
