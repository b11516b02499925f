"""The readings that went into a decision: out of the store, or, where it keeps none, out of the journal's messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from devices.reading import Reading
from gateway.store.effects import Group, ReadingKept
from gateway.store.reader import StoreReader
from gateway.why.chain import Chain
from gateway.why.messages import Messages, Said

ROWS = 40
"""Readings shown at most: the last ones, which the decision came after."""

_MOST_READ = 100_000  # of a series, and of the journal's messages
_LEAST_AROUND = 60 * 10**9  # ns shown in a plot before and after the decision's own time

Series = tuple[str, str, str]
"""Device, metric, channel."""


class Selection(NamedTuple):
    """What the flow that decided takes in, as the config has it now: `closed` where a window holds what is at its end (by count)."""

    metrics: frozenset[str]
    selects: Callable[[Reading], bool]
    closed: bool


class Seen(NamedTuple):
    """A reading that went in; `later` where it came after the decision. `said` is the message that it came in, where that can be told."""

    reading: Reading
    later: bool
    said: Said | None


@dataclass
class Evidence:
    """The readings of [since, until), in epoch ns: the last `ROWS` of `total`, by time.

    `curves` are the numbers of each series in a wider stretch around it, for a plot. `notes` are sentences for people: what is missing, and why.
    """

    since: int
    until: int
    source: Literal["store", "journal"] = "store"
    rows: list[Seen] = field(default_factory=list)
    total: int = 0
    curves: dict[Series, list[tuple[int, float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather(chain: Chain, reader: StoreReader, messages: Messages, *, selection: Selection | None) -> Evidence | None:
    """Collect the readings behind a chain; None where no flow decided."""
    cause = chain.decided or chain.alert
    if cause is None:
        return None
    evidence = Evidence(*_span(chain, closed=selection is not None and selection.closed))
    if selection is None:
        evidence.notes.append("the flow is not in the config: these are all readings of its group, whatever it selected of them")

    def wanted(reading: Reading) -> bool:
        return _in_group(cause.group, reading) and (selection is None or selection.selects(reading))

    around = max(evidence.until - evidence.since, _LEAST_AROUND)
    series = _series(reader, cause.group, selection)
    wide = _kept(reader, series, since=evidence.since - around, until=evidence.until + around)
    found = [one for one in wide if wanted(one.reading)]
    inside = [one for one in found if evidence.since <= one.reading.ts < evidence.until]
    if inside or not _nothing_kept(chain):
        said = messages.of(inside[-ROWS:])
        evidence.rows = [Seen(one.reading, one.reading.received > cause.at, said.get(one.id)) for one in inside[-ROWS:]]
        evidence.total = len(inside)
        evidence.curves = _curves([one.reading for one in found])
    else:
        _take_from_journal(evidence, messages, wanted, at=cause.at)
    _compare(evidence, chain)
    return evidence


def _span(chain: Chain, *, closed: bool) -> tuple[int, int]:
    """Give the time that the decision speaks of: the window's, or without windows that for which the rule held."""
    window, alert = chain.decided, chain.alert
    if window is not None:
        return window.start, window.end + closed
    assert alert is not None
    return min(alert.why["since"], alert.time), alert.time + 1


def _nothing_kept(chain: Chain) -> bool:
    """Tell whether there must have been readings, so that where none is found none was kept."""
    return chain.decided is None or chain.decided.count > 0


def _series(reader: StoreReader, group: Group, selection: Selection | None) -> Iterator[Series]:
    for one in reader.series():
        known = {"device": one.device, "metric": one.metric, "channel": one.channel}
        if all(known.get(name, value) == value for name, value in group) and (selection is None or one.metric in selection.metrics):
            yield one.device, one.metric, one.channel


def _in_group(group: Group, reading: Reading) -> bool:
    known = {"device": reading.device, "metric": reading.metric, "channel": reading.channel}
    return all((known[name] if name in known else reading.labels.get(name, "")) == value for name, value in group)


def _kept(reader: StoreReader, series: Iterator[Series], *, since: int, until: int) -> list[ReadingKept]:
    """Give the readings of several series in one order of time."""
    found = [kept for one in series for kept in reader.history(*one, since=since, until=until, newest=_MOST_READ)]
    return sorted(found, key=lambda kept: (kept.reading.ts, kept.id))


def _take_from_journal(evidence: Evidence, messages: Messages, wanted: Callable[[Reading], bool], *, at: int) -> None:
    heard = messages.between(evidence.since, at, most=_MOST_READ)
    if heard is None:
        evidence.notes.append("the store keeps no readings of this time, and the journal has its messages no more")
        return
    evidence.source = "journal"
    evidence.notes.append("the store keeps no readings of this time (history.raw): these are from the journal's messages")
    inside = [(reading, said) for reading, said in heard if evidence.since <= reading.ts < evidence.until and wanted(reading)]
    inside.sort(key=lambda one: one[0].ts)
    evidence.rows = [Seen(reading, later=False, said=said) for reading, said in inside[-ROWS:]]
    evidence.total = len(inside)
    evidence.curves = _curves([reading for reading, _ in inside])


def _curves(readings: Sequence[Reading]) -> dict[Series, list[tuple[int, float]]]:
    curves: dict[Series, list[tuple[int, float]]] = {}
    for reading in readings:
        if not isinstance(reading.value, str) and abs(reading.value) < float("inf"):
            curves.setdefault((reading.device, reading.metric, reading.channel), []).append((reading.ts, float(reading.value)))
    return curves


def _compare(evidence: Evidence, chain: Chain) -> None:
    """Say where what was found is not what the window counted; not where only a part of it is shown."""
    window = chain.decided
    if window is None or evidence.total > len(evidence.rows) or (evidence.source == "journal" and not evidence.total):
        return
    in_time = sum(not one.later for one in evidence.rows)
    if in_time != window.count:
        evidence.notes.append(
            f"the window counted {window.count} and {in_time} of these came in time: repeats, and what `history.raw` left out, make the difference"
        )
