"""A verdict in a terminal: a table of the kinds, then what stands beside it, missed faults and false alarms among it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.screen import aligned, shown, time_text
from gateway.store.effects import AlertChanged
from gateway.store.outcomes import group_text
from gateway.truth.score import KindScore, Missed, Scores
from gateway.truth.verdict import Verdict

FIRST = 5
"""Missed faults, and false alarms, that are shown unless all are asked for."""

_HEAD = ("kind", "faults", "found", "recall", "precision", "delay p50", "max", "flows")
_INDENT = "  "


def show(verdict: Verdict, console: Console, *, everything: bool = False) -> None:
    """Print a verdict; `everything`: each missed fault and false alarm."""
    rows = [_row(name, kind) for name, kind in verdict.scores.kinds.items()]
    if rows and console.is_terminal:
        console.print(_table(rows))
    else:
        for line in aligned([_HEAD, *rows]) if rows else ["no flow watches for any fault"]:
            console.print(line, markup=False, soft_wrap=True)
    most = None if everything else FIRST
    for line in _beside(verdict):
        console.print(Text(line), soft_wrap=True)
    for line in (*_missed(verdict.scores.missed, most), *_false(verdict.scores.false_alerts, most)):
        console.print(Text(line), soft_wrap=True)


def _row(name: str, kind: KindScore) -> tuple[str, ...]:
    median, longest = kind.delay or (None, None)
    shares = (_share(kind.recall), _share(kind.precision), _seconds(median), _seconds(longest))
    return (name, str(kind.faults), str(kind.found), *shares, ", ".join(sorted(kind.flows)))


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in _HEAD:
        table.add_column(name, justify="left" if name in {"kind", "flows"} else "right")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    return table


def _beside(verdict: Verdict) -> Iterator[str]:
    scores = verdict.scores
    for name, one in verdict.damage.items():
        mark = "✓" if one.dead_lettered == one.sent else "✗"
        yield f"{name}: {_count(one.faults, 'fault')}, {_count(one.sent, 'message')} damaged, {one.dead_lettered:,} in dead letters {mark}"
    for name, answer in verdict.answers.items():
        ends = f"{answer.confirmed:,} confirmed, {answer.failed:,} failed, {answer.retried:,} took more than one attempt"
        yield f"{name}: {_count(answer.faults, 'fault')}, {_count(answer.commands, 'command')} in them: {ends}"
    if scores.unwatched:
        yield f"no flow watches for: {_counts(scores.unwatched)}"
    if scores.uncounted:
        yield f"not counted: {_count(scores.uncounted, 'fault')} before the store's time, or not over by its end"
    yield from _flows(scores)
    if verdict.left_out:
        yield f"left out, since they do not say what they find (trigger.finds): {', '.join(verdict.left_out)}"


def _flows(scores: Scores) -> Iterator[str]:
    """Say of each flow what cannot be read off the table."""
    for name, flow in scores.flows.items():
        alerts = (
            f"{_count(flow.alerts, 'alert')}, {flow.own:,} in faults that it watches for, {flow.other:,} in others, {flow.false:,} false"
        )
        inferred = "; it does not say what it finds, and is taken to watch for what it found" if flow.inferred else ""
        yield f"{name}: {alerts}{inferred}"


def _missed(missed: Sequence[Missed], most: int | None) -> Iterator[str]:
    if missed:
        yield f"missed {_count(len(missed), 'fault')}"
    for one in missed[:most]:
        fault = one.fault
        name = fault.device if fault.metric is None else f"{fault.device} {fault.metric}"
        lasted = _seconds(fault.end - fault.start)
        yield f"{_INDENT}{time_text(fault.start)}  for {lasted}  {shown(name)}  {fault.kind}: {shown(one.reason)}"
    yield from _more(len(missed), most)


def _false(alerts: Sequence[AlertChanged], most: int | None) -> Iterator[str]:
    if alerts:
        yield f"{_count(len(alerts), 'false alarm')}: `sluice why ID` shows what stands behind one"
    for one in alerts[:most]:
        yield f"{_INDENT}{time_text(one.at)}  {one.id}  {shown(one.flow)}  {shown(group_text(one.group))}: {shown(one.message)}"
    yield from _more(len(alerts), most)


def _more(number: int, most: int | None) -> Iterator[str]:
    if most is not None and number > most:
        yield f"{_INDENT}… and {number - most:,} more: --verbose"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number:,})" for name, number in counts.items())


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


def _seconds(ns: float | None) -> str:
    return "-" if ns is None else f"{ns / 1e9:.1f} s"
