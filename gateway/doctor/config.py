"""Whether the config folder is sound, and is what runs."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.doctor.check import Check
from gateway.doctor.subject import Subject
from gateway.findings import Finding
from gateway.status import config_document

NAME = "config"
_CORRECT = "correct the file; `sluice check` lists every finding, and a sound config is taken within a second"


def check_config(subject: Subject) -> Iterator[Check]:
    """Complain of every finding, of a config that is not what runs, and of what waits for a restart."""
    state = config_document(subject.data) if subject.running else {}
    complaints = [Check.complaint(NAME, finding, _CORRECT) for finding in subject.findings]
    findings = [str(Finding(**finding)) for finding in state.get("findings", [])]
    if findings:
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        complaints.append(Check.complaint(NAME, f"config: the one from before runs on: {findings[0]}{more}", _CORRECT))
    complaints += [
        Check.complaint(NAME, f"config: {name} takes effect at the next start", "end `sluice up` and start it again")
        for name in state.get("pending", [])
    ]
    yield from complaints or [Check.fine(NAME, _fine(subject))]


def _fine(subject: Subject) -> str:
    if not subject.config.is_dir():
        return f"{subject.config}: there is no such config folder"
    return f"{subject.config}: no findings{', and it is what runs' if subject.running else ''}"
