"""How well flows found faults: recall and delay for each kind of fault, precision of the flows that watch for it.

A fault counts as found with the first alert in it; further ones in it are neither better nor false, and what is raised outside of every
fault is a false alarm: as the Numenta Anomaly Benchmark has it (numenta/NAB, "scoring details"), without its weights. That one alert is enough,
however long the fault, is the *existence* part of range-based recall (Tatbul et al., "Precision and Recall for Time Series", NeurIPS 2018). An
episode that was open before a fault began has told nobody of it, and finds nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from statistics import median

from gateway.store.effects import AlertChanged
from gateway.truth.answers import COMMAND_KINDS
from gateway.truth.damage import LETTER_KINDS
from gateway.truth.evidence import Episode, Evidence
from gateway.truth.fault import Fault
from gateway.truth.watcher import Watcher


@dataclass
class FlowScore:
    """A flow's alerts: `own` were raised in faults of kinds that it watches for, `other` in other faults only, `false` in none.

    `finds` is what it watches for; `inferred`: it does not say so, and these are the kinds that it has found.
    """

    finds: frozenset[str]
    inferred: bool = False
    own: int = 0
    other: int = 0
    false: int = 0

    @property
    def alerts(self) -> int:
        """All of them."""
        return self.own + self.other + self.false


@dataclass
class KindScore:
    """A kind of fault: how many there were, how long (ns) it took to raise those that were found, and the flows that watch for it."""

    flows: dict[str, FlowScore]
    faults: int = 0
    delays: list[int] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many were found."""
        return len(self.delays)

    @property
    def recall(self) -> float | None:
        """The share of faults that were found; None where there were none."""
        return self.found / self.faults if self.faults else None

    @property
    def precision(self) -> float | None:
        """The share of the flows' alerts that were raised in a fault of whatever kind; None where there were no alerts."""
        alerts = sum(flow.alerts for flow in self.flows.values())
        return sum(flow.own + flow.other for flow in self.flows.values()) / alerts if alerts else None

    @property
    def delay(self) -> tuple[float, int] | None:
        """The median delay and the longest, in ns."""
        return (median(self.delays), max(self.delays)) if self.delays else None


@dataclass(frozen=True)
class Missed:
    """A fault that no flow found, and what is known of why."""

    fault: Fault
    reason: str


@dataclass(frozen=True)
class Scores:
    """The result for flows. `uncounted` are faults of watched kinds that the store cannot speak of: before its time, or not over by its end."""

    kinds: dict[str, KindScore]
    flows: dict[str, FlowScore]
    missed: list[Missed]
    false_alerts: list[AlertChanged]
    unwatched: dict[str, int]
    uncounted: int


def score(faults: Sequence[Fault], evidence: Evidence, watchers: Sequence[Watcher], *, grace: int) -> Scores:
    """Hold the episodes of flows against the faults, which come in the order of their starts.

    `grace` (ns) is how long after a fault, beyond what a flow waits, an alert is still of it. A flow that does not say what it finds watches for
    the kinds that it has found.
    """
    scoring = _Scoring([fault for fault in faults if fault.touched], evidence, grace)
    for watcher in watchers:
        scoring.take(watcher)
    return scoring.scores()


class _Scoring:
    """Goes through the flows' episodes, then sums up by kind."""

    def __init__(self, faults: Sequence[Fault], evidence: Evidence, grace: int) -> None:
        self._faults = faults
        self._evidence = evidence
        self._grace = grace
        self._by_device: dict[str, list[Fault]] = {}
        for fault in faults:
            self._by_device.setdefault(fault.device, []).append(fault)
        self._flows: dict[str, FlowScore] = {}
        self._watchers: dict[str, Watcher] = {}
        self._false: list[AlertChanged] = []
        self._delays: dict[Fault, int] = {}

    def take(self, watcher: Watcher) -> None:
        """Judge a flow's alerts."""
        raised = [one.alert for one in self._episodes(watcher) if one.alert.at >= self._evidence.since]
        matches = [(alert, list(self._explained(watcher, alert))) for alert in raised]
        finds, inferred = watcher.finds, watcher.finds is None
        if finds is None:
            finds = frozenset(fault.kind for _, found in matches for fault in found) - {*LETTER_KINDS, *COMMAND_KINDS}
        flow = self._flows[watcher.name] = FlowScore(finds, inferred)
        self._watchers[watcher.name] = replace(watcher, finds=finds)
        for alert, found in matches:
            own = [fault for fault in found if fault.kind in finds]
            flow.own += bool(own)
            flow.other += bool(found and not own)
            flow.false += not found
            if not found:
                self._false.append(alert)
            for fault in own:
                self._note(fault, _delay(alert, fault))

    def scores(self) -> Scores:
        """Sum up by kind."""
        watched = sorted({kind for flow in self._flows.values() for kind in flow.finds})
        kinds = {kind: KindScore({name: flow for name, flow in self._flows.items() if kind in flow.finds}) for kind in watched}
        missed: list[Missed] = []
        unwatched: dict[str, int] = {}
        uncounted = 0
        for fault in self._faults:
            kind = kinds.get(fault.kind)
            if kind is None:
                if fault.kind not in {*LETTER_KINDS, *COMMAND_KINDS}:
                    unwatched[fault.kind] = unwatched.get(fault.kind, 0) + 1
            elif not self._counts(fault, kind):
                uncounted += 1
            else:
                kind.faults += 1
                delay = self._delays.get(fault)
                if delay is None:
                    missed.append(Missed(fault, self._reason(fault, [self._watchers[name] for name in kind.flows])))
                else:
                    kind.delays.append(delay)
        false = sorted(self._false, key=attrgetter("at"))
        return Scores(kinds, self._flows, missed, false, dict(sorted(unwatched.items())), uncounted)

    def _episodes(self, watcher: Watcher) -> Sequence[Episode]:
        return self._evidence.episodes.get(watcher.name, ())

    def _explained(self, watcher: Watcher, alert: AlertChanged) -> Iterator[Fault]:
        """Give the faults that an alert is of."""
        device = dict(alert.group).get("device")
        faults = self._faults if device is None else self._by_device.get(device, ())
        begun = bisect_right(faults, max(alert.time, alert.at), key=attrgetter("start"))
        for fault in faults[:begun]:
            if watcher.in_time(alert, fault, self._grace) and watcher.concerns(alert.group, fault, self._evidence.labels):
                yield fault

    def _note(self, fault: Fault, delay: int) -> None:
        self._delays[fault] = min(delay, self._delays.get(fault, delay))

    def _counts(self, fault: Fault, kind: KindScore) -> bool:
        """Tell whether a fault lies within what the store speaks of, to the last moment at which each of the flows could have found it."""
        wait = max(self._watchers[name].wait for name in kind.flows)
        return self._evidence.since <= fault.start and fault.end + wait + self._grace <= self._evidence.until

    def _reason(self, fault: Fault, watchers: Sequence[Watcher]) -> str:
        hearing = [one for one in watchers if one.hears(fault)]
        if not hearing:
            return f"no flow that finds {fault.kind} has to do with {fault.metric}"
        for watcher in hearing:
            for episode in self._episodes(watcher):
                began_before = episode.alert.time < fault.start and (episode.cleared is None or episode.cleared > fault.start)
                if began_before and watcher.concerns(episode.alert.group, fault, self._evidence.labels):
                    return f"an episode of {watcher.name} was open already"
        return "no alert"


def _delay(alert: AlertChanged, fault: Fault) -> int:
    """Give how long after its start a fault was known: when the alert was decided, unless the truth goes by a clock that is ahead of that."""
    return (alert.at if alert.at >= fault.start else alert.time) - fault.start
