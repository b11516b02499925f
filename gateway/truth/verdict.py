"""A truth file held against a store: what flows found, what became of damaged messages, and of commands to devices that do not answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.truth.answers import AnswerScore, answers
from gateway.truth.damage import DamageScore, damage
from gateway.truth.evidence import gather
from gateway.truth.fault import read_truth
from gateway.truth.score import Scores, score
from gateway.truth.watcher import Watcher

GRACE = 10 * 10**9
"""How long after a fault an alert is still of it (ns), beyond the time for which its flow waits."""


@dataclass(frozen=True)
class Verdict:
    """All that can be said of a truth file: for the time in [since, until] (epoch ns). `left_out` are flows that do not say what they find."""

    file: Path
    since: int
    until: int
    scores: Scores
    damage: dict[str, DamageScore]
    answers: dict[str, AnswerScore]
    left_out: list[str]

    def shortfalls(self, *, recall: float | None, precision: float | None) -> Iterator[str]:
        """Name each kind that is watched for and stays below what is asked of it."""
        for name, kind in self.scores.kinds.items():
            yield from _below(name, "recall", kind.recall, recall)
            yield from _below(name, "precision", kind.precision if kind.faults else None, precision)
        for name, one in self.damage.items():
            yield from _below(name, "share in dead letters", one.recall, recall)


def judge(
    file: Path,
    store: Path,
    watchers: Sequence[Watcher],
    *,
    flows: Collection[str] = (),
    since: int | None = None,
    grace: int = GRACE,
) -> Verdict:
    """Hold a truth file against a store; `watchers` are the flows of the config.

    `flows` are the names of those to judge. Where none are named, all are that say what they find, or, where no flow does, all. `since` (epoch
    ns) leaves out what came before.

    Raises:
        TruthError: the file cannot be read.
        StoreError: the store cannot be read.

    """
    faults, evidence = read_truth(file), gather(store, since=since)
    known = {one.name: one for one in watchers}
    known |= {name: Watcher(name) for name in evidence.episodes if name not in known}
    judged, left_out = _choose(list(known.values()), flows)
    return Verdict(
        file=file,
        since=evidence.since,
        until=evidence.until,
        scores=score(faults, evidence, judged, grace=grace),
        damage=damage(faults, evidence, grace=grace),
        answers=answers(faults, evidence),
        left_out=[one.name for one in left_out if one.name in evidence.episodes],
    )


def _choose(watchers: Sequence[Watcher], names: Collection[str]) -> tuple[list[Watcher], list[Watcher]]:
    """Give the flows to judge, and those that are left out since they do not say what they find."""
    if names:
        return [one for one in watchers if one.name in names], []
    declared = [one for one in watchers if one.finds]
    silent = [one for one in watchers if one.finds is None]
    return (declared, silent) if declared else (silent, [])


def _below(kind: str, what: str, got: float | None, least: float | None) -> Iterator[str]:
    if got is not None and least is not None and got < least:
        yield f"{kind}: {what} must be at least {least:g}; got {got:.3f}"
