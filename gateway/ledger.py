"""The ledger: every message, reading and effect accounted for, from terms that are each counted where they happen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MESSAGE_TERMS = ("normalised", "ignored", "dead_letters", "duplicates", "shed", "set_aside")
"""What becomes of a message. `shed` was dropped by a policy of the config before it was journalled; of `set_aside` the journal has only the
number left, since what held them was damaged, or was dropped before a state of the flows that had to begin anew."""
WINDOW_TERMS = ("windowed", "corrected", "late", "failed")

Counter = tuple[str, str, str, str, int]
"""Stage, scope, device, term, value: as the flows count them (`Counted`)."""


@dataclass(frozen=True)
class Books:
    """What the parts have counted, read at about the same time.

    `received` is the journal's own count of messages; `read` its count up to the row that the flows have got to. `stored` is the number of
    readings that the store took, by device. `at_rest`: nothing runs, so nothing may be under way.
    """

    received: int
    read: int
    counters: Iterable[Counter]
    stored: Mapping[str, int]
    at_rest: bool = False


@dataclass(frozen=True)
class Ledger:
    """The balance. `flaws` names each stage, and the device where one is known, at which something is missing or too much."""

    messages: dict[str, int]
    readings: dict[str, int]
    flows: dict[str, dict[str, int]]
    flaws: list[str]
    selected: dict[tuple[str, str], int] = field(repr=False, default_factory=dict)
    taken: dict[tuple[str, str], int] = field(repr=False, default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing and nothing too much."""
        return not self.flaws

    def document(self) -> dict[str, Any]:
        """Give the ledger as `sluice status --json` has it."""
        return {**self.messages, "balanced": self.balanced, "flaws": self.flaws, "readings": self.readings, "flows": self.flows}


def balance(books: Books) -> Ledger:
    """Hold the stages against each other.

    Between stages that run at once, what one has passed on and the next has not counted yet is `pending`; it is a flaw only at rest.
    What the next stage has counted beyond that is always one. Messages that are `held` for another (a birth) are pending too. `replayed` is
    how many of those received, and read, were dead letters read again: each counts by its new outcome, and is no term of the sum. Devices that
    the flows have forgotten, silent for long where there was no room for new ones, are counted together, as device "". The first host of a cluster
    has counters of what the others pass on, as stages `select-1`, ....

    >>> balance(Books(3, 3, [("total", "", "", "normalised", 2)], {})).flaws
    ['journal → normalise: 3 messages were read and 2 accounted for']
    """
    totals: dict[str, int] = defaultdict(int)
    readings: dict[str, int] = defaultdict(int)
    by_device: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    selected: dict[tuple[str, str], int] = defaultdict(int)
    taken: dict[tuple[str, str], int] = defaultdict(int)
    flows: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("selected", *WINDOW_TERMS, "pending"), 0))
    several_hosts = False
    for stage, scope, device, term, value in books.counters:
        if stage == "total":
            totals[term] += value
        elif stage == "normalise" and term not in MESSAGE_TERMS:
            readings[term] += value
            by_device[device][term] += value
        elif stage.startswith("select"):
            several_hosts |= stage != "select"
            selected[term, device] += value
            flows[term]["selected"] += value
        elif term in WINDOW_TERMS:
            taken[scope, device] += value
            flows[scope][term] += value
    pending = books.received - books.read + totals["held"]
    messages = {"received": books.received, **{term: totals[term] for term in MESSAGE_TERMS}, "pending": pending}
    messages |= {"held": totals["held"], "replayed": totals["replayed"]}
    flaws = [
        *_message_flaws(books, messages),
        *_flow_flaws(selected, taken, books, several_hosts=several_hosts),
        *_store_flaws(by_device, books),
    ]
    for name, flow in flows.items():
        flow["pending"] = max(0, flow["selected"] - sum(flow[term] for term in WINDOW_TERMS))
        flows[name] = flow
    return Ledger(messages, dict(readings), dict(flows), flaws, selected, taken)


def _message_flaws(books: Books, messages: Mapping[str, int]) -> Iterable[str]:
    accounted = sum(messages[term] for term in MESSAGE_TERMS) + messages["held"]
    if accounted != books.read:
        yield f"journal → normalise: {books.read:,} messages were read and {accounted:,} accounted for"
    if books.at_rest and books.received < books.read:
        yield f"journal: {books.read:,} messages were read and {books.received:,} received"


def _flow_flaws(
    selected: Mapping[tuple[str, str], int], taken: Mapping[tuple[str, str], int], books: Books, *, several_hosts: bool
) -> Iterable[str]:
    """Hold what was passed on against what was taken: of several hosts only at rest, and less what the shards hold until all have come so far."""
    if several_hosts and not books.at_rest:
        return
    for flow, device in sorted({*selected, *taken}):
        want, got = selected.get((flow, device), 0), taken.get((flow, device), 0)
        if got > want or (books.at_rest and got < want and not several_hosts):
            yield f"select → flow {flow}, device {device}: {want:,} readings were passed on and {got:,} taken"


def _store_flaws(by_device: Mapping[str, Mapping[str, int]], books: Books) -> Iterable[str]:
    want = {device: counts.get("readings", 0) - counts.get("retained", 0) for device, counts in by_device.items()}
    forgotten = want.pop("", 0)
    more = 0
    for device in sorted(want):
        got = books.stored.get(device, 0)
        more += max(0, got - want[device])
        if got < want[device] or (books.at_rest and got > want[device] and not forgotten):
            yield f"normalise → store, device {device}: {want[device]:,} readings were passed on and {got:,} stored"
    if more < forgotten or (books.at_rest and forgotten and more > forgotten):
        yield f"normalise → store, devices forgotten since: {forgotten:,} readings were passed on and {more:,} stored"


def stuck(before: Ledger, after: Ledger) -> list[str]:
    """Name what was passed on at the first look and is still not taken at a later one, with time enough between."""
    return [
        f"select → flow {flow}, device {device}: of {want:,} readings passed on, {after.taken.get((flow, device), 0):,} were taken since"
        for (flow, device), want in sorted(before.selected.items())
        if after.taken.get((flow, device), 0) < want
    ]


EMPTY = balance(Books(0, 0, (), {}))
"""The ledger of a folder on which nothing has run."""
