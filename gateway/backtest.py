"""`sluice backtest`: what a flow made of what was recorded, as sums, as a table, and against what another made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from gateway.events.event import rfc3339
from gateway.screen import shown, time_text
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, Counted, Effect, ReadingKept, ReportKept, WindowClosed
from gateway.store.outcomes import Published, group_text

_WIDEST = 40
_PLACES = ("windowed", "corrected", "late", "failed")


class Sums:
    """What one flow came to. Its effects pass through `of`, and are counted on the way."""

    def __init__(self, flow: str) -> None:
        self._flow = flow
        self._counts: Counter[str] = Counter()
        self._placed: dict[tuple[str, str, str], int] = {}
        self._commands: set[str] = set()

    def of(self, effects: Iterable[Effect]) -> Iterator[Published]:
        """Give what a live run publishes of the flow: of facts, those of commands that this run asked for."""
        counts, flow = self._counts, self._flow
        for effect in effects:
            match effect:
                case ReadingKept():
                    counts["readings"] += 1
                case ReportKept():
                    counts["readings"] += len(effect.report.values)
                case Counted() if effect.scope == flow and effect.term in _PLACES:
                    self._placed[effect.stage, effect.device, effect.term] = effect.value
                case WindowClosed() if effect.flow == flow:
                    counts["windows" if effect.revision == 1 else "corrections"] += 1
                    yield effect
                case AlertChanged() if effect.flow == flow:
                    counts[effect.state] += 1
                    yield effect
                case CommandRequested() if effect.flow == flow:
                    counts["commands"] += 1
                    self._commands.add(effect.id)
                    yield effect
                case CommandFact() if effect.command in self._commands:
                    yield effect

    def document(self, *, readings: int | None = None) -> dict[str, int]:
        """Give the sums by name; `readings` is how many were read, where no effect says so."""
        placed = {place: sum(n for (_, _, term), n in self._placed.items() if term == place) for place in _PLACES}
        counted = {name: self._counts[name] for name in ("windows", "corrections", "raised", "cleared", "commands")}
        read = self._counts["readings"] if readings is None else readings
        return {"readings": read, "selected": sum(placed.values()), "late": placed["late"], **counted}


def summary(sums: dict[str, int]) -> str:
    """Give the sums as one sentence."""
    s = sums
    return (
        f"{s['readings']:,} readings, {s['selected']:,} of them selected, {s['late']:,} late; {s['windows']:,} windows, {s['corrections']:,}"
        f" corrections; alerts: {s['raised']:,} raised, {s['cleared']:,} cleared; {s['commands']:,} commands"
    )


class Decision(NamedTuple):
    """An alert's change or a command, as far as two runs can agree on it: event time (epoch ns), group, and what."""

    time: int
    group: str
    what: str

    @classmethod
    def of(cls, outcome: AlertChanged | CommandRequested) -> Decision:
        """Take what matters of an outcome."""
        if isinstance(outcome, AlertChanged):
            return cls(outcome.time, group_text(outcome.group), outcome.state)
        settings = " ".join(f"{name}={value}" for name, value in outcome.settings.items())
        return cls(outcome.time, group_text(outcome.group), f"{outcome.device} {settings}")

    def document(self) -> dict[str, Any]:
        """Give it for `--json`."""
        return {"time": rfc3339(self.time), "group": self.group, "what": self.what}


def table(outcomes: Iterable[Published]) -> Iterator[str]:
    """Give a line for each alert's change and each command: when (event time), for which group, what, and why."""
    rows, alerts = [], {}
    for outcome in outcomes:
        if isinstance(outcome, AlertChanged):
            alerts[outcome.id] = outcome
            rows.append((*Decision.of(outcome), f"{outcome.message} ({outcome.why['rule']})"))
        elif isinstance(outcome, CommandRequested):
            rows.append((*Decision.of(outcome), f"{outcome.flow} {alerts[outcome.cause].state}"))
    texts = [(time_text(time), shown(group), shown(what), shown(why)) for time, group, what, why in rows]
    widths = [min(_WIDEST, max((len(text[place]) for text in texts), default=0)) for place in (1, 2)]
    for time, group, what, why in texts:
        yield f"{time}  {group:<{widths[0]}}  {what:<{widths[1]}}  {why}"


class Difference(NamedTuple):
    """Decisions of two runs over the same recording, each list in order of time: those of both are only counted."""

    one: list[Decision]
    other: list[Decision]
    both: int

    @classmethod
    def between(cls, one: Sequence[Decision], other: Sequence[Decision]) -> Difference:
        """Set two runs against each other; what happens twice counts twice."""
        ours, theirs = Counter(one), Counter(other)
        return cls(sorted((ours - theirs).elements()), sorted((theirs - ours).elements()), (ours & theirs).total())

    def lines(self) -> Iterator[str]:
        """Give a line for each decision of only one: `-` for the first run's, `+` for the other's."""
        signed = sorted([(decision, "-") for decision in self.one] + [(decision, "+") for decision in self.other])
        width = min(_WIDEST, max((len(shown(decision.group)) for decision, _ in signed), default=0))
        for decision, sign in signed:
            yield f"{sign} {time_text(decision.time)}  {shown(decision.group):<{width}}  {shown(decision.what)}"

    def document(self) -> dict[str, Any]:
        """Give it for `--json`."""
        return {"only_one": [one.document() for one in self.one], "only_other": [one.document() for one in self.other], "both": self.both}


def decisions(outcomes: Iterable[Published]) -> list[Decision]:
    """Give what would have been raised, cleared and commanded."""
    return [Decision.of(outcome) for outcome in outcomes if isinstance(outcome, AlertChanged | CommandRequested)]
