"""Whether the ledger balances; if not, between which stages, of which device and by how many, and what that means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from time import monotonic, sleep

from gateway.doctor.check import Check
from gateway.doctor.subject import Subject
from gateway.ledger import MESSAGE_TERMS, Ledger, balance, stuck
from gateway.screen import time_text
from gateway.status import cluster_document, read_books, read_ledger
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader

NAME = "ledger"
_PATIENCE = 10.0
"""Seconds that a reading may take from one stage to the next before it is missed: ticks come at least that often while anything is open."""

_COUNTED = re.compile(r"\d[\d,]*")
_REPORT = "note what ended or was changed before that, keep a copy of the data folder and report it: no single failure may do this"
_ADVICE = {
    "journal → normalise": "messages of the journal have no outcome",
    "journal": "the flows have read rows that the journal does not have: it was deleted, or replaced by an older copy",
    "select → flow": "a flow was handed readings that it has not counted",
    "normalise → store": "readings were made that the store does not have: it was deleted, or replaced by an older copy",
}


def check_ledger(subject: Subject) -> Iterator[Check]:
    """Hold the stages against each other; while things run, also wait for what is under way, and complain of what does not arrive."""
    try:
        ledger = read_ledger(subject.data, at_rest=not subject.running)
    except StoreError:
        yield Check.fine(NAME, "not known: the store cannot be read")
        return
    since = _since(subject)
    for flaw in ledger.flaws:
        yield Check.complaint(NAME, flaw, f"{_explained(flaw)}{since}; {_REPORT}")
    if ledger.balanced:
        yield Check.fine(NAME, _equation(ledger.messages))
    if subject.running and not cluster_document(subject.data).get("waits"):
        for missing in _stuck(subject, ledger):
            advice = "the flows are slower than what comes in, or hang: look at the check `parts`, and at what they log"
            yield Check.complaint(NAME, missing, advice)


def _equation(messages: dict[str, int]) -> str:
    terms = [f"{messages[term]:,} {term.replace('_', ' ')}" for term in (*MESSAGE_TERMS, "pending") if messages[term]]
    return f"balances: {messages['received']:,} messages received = {' + '.join(terms) or '0'}"


def _explained(flaw: str) -> str:
    """Say which way it is out, by how much, and what that means."""
    place, _, counts = flaw.rpartition(": ")
    want, got = [int(number.replace(",", "")) for number in _COUNTED.findall(counts)][:2]
    by = f"{abs(want - got):,} {'missing' if got < want else 'too many'}"
    return f"{by}: {next(said for stage, said in _ADVICE.items() if place.startswith(stage))}"


def _since(subject: Subject) -> str:
    """Say up to when the flows have counted, where the store tells."""
    try:
        with StoreReader(subject.data / "store.db") as reader:
            progress = reader.progress()
    except StoreError:
        return ""
    return f", as counted up to {time_text(progress.at)}" if progress else ""


def _stuck(subject: Subject, before: Ledger) -> list[str]:
    """Look again until everything passed on at the first look has been taken, or patience ends."""
    give_up = monotonic() + _PATIENCE
    while True:
        missing = stuck(before, balance(read_books(subject.data, at_rest=False)))
        if not missing or monotonic() > give_up:
            return missing
        sleep(0.2)
