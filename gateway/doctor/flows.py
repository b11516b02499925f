"""Whether flows fail on what they read, or were taken out because they always did."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from gateway.doctor.check import Check
from gateway.doctor.quick_check import opened
from gateway.doctor.subject import Subject
from gateway.screen import ago
from gateway.store.effects import Failed

NAME = "flows"
_DAY = 86_400 * 10**9
"""ns for which a failure is a complaint."""

_COUNTED = "SELECT scope, term, sum(value) FROM counters WHERE term IN ('failed', 'aside') GROUP BY scope, term HAVING sum(value) > 0"
_NEWEST = "SELECT body FROM effects WHERE kind = 'failure' AND flow = ? ORDER BY seq DESC LIMIT 1"
_REPORT = "try the flow on the same readings with `sluice backtest`, and report it: the reason names a bug of ours, or of an expression"


def check_flows(subject: Subject) -> Iterator[Check]:
    """Complain of flows that take no more readings, and of those that failed within the last day."""
    found: dict[tuple[str, str], int] = {}
    failures: dict[str, Failed | None] = {}
    with suppress(sqlite3.Error, OSError), opened(subject.data / "store.db", running=subject.running) as connection:
        found = {(flow, term): value for flow, term, value in connection.execute(_COUNTED)}
        failures = {flow: _newest(connection, flow) for flow, _ in found}
    told = list(_complaints(subject, found, failures))
    failed = sum(value for (_, term), value in found.items() if term == "failed")
    yield from told or [Check.fine(NAME, f"none failed within the last day; {failed:,} readings failed ever")]


def _complaints(subject: Subject, found: dict[tuple[str, str], int], failures: dict[str, Failed | None]) -> Iterator[Check]:
    for flow, newest in sorted(failures.items()):
        reason = f", {ago(newest.at, subject.now)} for the last time: {newest.reason}" if newest else ""
        count = f"{found.get((flow, 'failed'), 0):,} readings failed{reason}"
        if (flow, "aside") in found:
            said = f"flow {flow}: takes no more readings, since it failed on every one: {count}"
            yield Check.complaint(NAME, said, f"it takes readings again when its file is changed, or `sluice up` started again; {_REPORT}")
        elif newest and subject.now - newest.at < _DAY:
            yield Check.complaint(NAME, f"flow {flow}: {count}", f"all other groups and flows went on; {_REPORT}")


def _newest(connection: sqlite3.Connection, flow: str) -> Failed | None:
    row = connection.execute(_NEWEST, (flow,)).fetchone()
    return msgspec.json.decode(row[0], type=Failed) if row else None
