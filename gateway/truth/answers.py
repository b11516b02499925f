"""What became of commands to actuators that do not answer as they should: their life is the gateway's to follow, and no flow's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.truth.evidence import Evidence
from gateway.truth.fault import Fault

COMMAND_KINDS = ("nack", "late-answer", "dead")
"""The kinds of faults that commands meet."""


@dataclass
class AnswerScore:
    """A kind of such faults, and the commands that were asked for in them: how they stand, and how many needed more than one attempt."""

    faults: int = 0
    commands: int = 0
    confirmed: int = 0
    failed: int = 0
    retried: int = 0


def answers(faults: Sequence[Fault], evidence: Evidence) -> dict[str, AnswerScore]:
    """Count what became of commands, by kind of fault; `failed` are those that ended without being confirmed, or superseded by newer ones."""
    found: dict[str, AnswerScore] = {}
    for fault in faults:
        if fault.kind not in COMMAND_KINDS or not evidence.since <= fault.start <= evidence.until:
            continue
        kind = found.setdefault(fault.kind, AnswerScore())
        kind.faults += 1
        for command in evidence.commands:
            if command.device == fault.device and fault.start <= command.requested <= fault.end:
                kind.commands += 1
                kind.confirmed += command.state == "confirmed"
                kind.failed += command.state in {"failed", "expired", "refused"}
                kind.retried += command.attempt > 1
    return dict(sorted(found.items()))
