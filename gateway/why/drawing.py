"""What `sluice why` shows in a terminal: the command's life, the alert, the trigger, the window, its readings, and a plot of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.history import plot
from gateway.screen import aligned, shown, time_text, value_text
from gateway.store.effects import AlertChanged, CommandFact, WindowClosed
from gateway.store.outcomes import group_text
from gateway.store.views import CommandStatus
from gateway.why.chain import Chain
from gateway.why.evidence import Evidence, Seen, Series

_SECOND = 10**9
_TRIGGER = {
    "raised": "an episode is open",
    "held": "held so often in a row",
    "since": "held since",
    "episodes": "episodes so far",
    "last_raise": "last raised",
    "last_clear": "last cleared",
}
_TIMES = {"since", "last_raise", "last_clear"}
_LONGEST_PAYLOAD = 60
_LEAST_MESSAGE = 10
_PLOTS = 3


def show(chain: Chain, evidence: Evidence | None, console: Console) -> None:
    """Print the chain from what was asked about back to the readings."""
    if chain.command is not None:
        _show_command(chain, chain.command, console)
    if chain.alert is not None:
        _show_alert(chain, chain.alert, console)
    elif chain.command is not None:
        flow = chain.command.flow
        _line(console, "alert", f"none: flow {flow} asked by itself" if flow else "none: a person sent the command")
    if chain.decided is not None:
        _show_window(chain, chain.decided, console)
    if evidence is not None:
        _show_evidence(chain, evidence, console)


def _show_command(chain: Chain, command: CommandStatus, console: Console) -> None:
    settings = ", ".join(f"{name}={value_text(value)}" for name, value in command.settings.items())
    _line(console, "command", f"{command.id}: {command.device or '(no device)'} {settings}, {command.state}")
    if chain.request is not None:
        asked = chain.request
        _line(
            console,
            "asked for",
            f"{_moment(asked.time)}, to be confirmed within {_seconds(asked.within)}, {asked.retries} retries, expires {_moment(asked.expires)}",
        )
    if chain.facts:
        console.print(_rows(("state", "attempt", "time", "after", "detail"), [_fact(one, command.requested) for one in chain.facts]))


def _fact(fact: CommandFact, requested: int) -> tuple[str, ...]:
    return (fact.state, str(fact.attempt), _moment(fact.time), f"+{_seconds(fact.time - requested)}", fact.detail)


def _show_alert(chain: Chain, alert: AlertChanged, console: Console) -> None:
    why = alert.why
    verb = "raised" if alert.state == "raised" else "cleared"
    _line(
        console,
        "alert",
        f"{alert.id}: {verb} {_moment(alert.time)} by flow {alert.flow}, group {group_text(alert.group)}, {alert.severity}",
    )
    _line(console, "says", alert.message)
    _line(console, "rule", str(why["rule"]))
    _line(console, "values", _values(why["values"]))
    _line(console, "since", f"{_moment(why['since'])}, held {why['held']} in a row" if why["since"] else "-")
    _line(console, "last clear", "never before" if why["last_clear"] is None else _moment(why["last_clear"]))
    ends = [f"{one.state} {_moment(one.time)} ({one.id})" for one in chain.episode]
    _line(console, "episode", f"{alert.episode}: {', '.join(ends)}")
    for one in chain.commands if chain.kind != "command" else ():
        settings = ", ".join(f"{name}={value_text(value)}" for name, value in one.settings.items())
        _line(console, "commanded", f"{one.device} {settings}, {one.state} ({one.id})")
    before, after = why.get("before"), why.get("after")
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [name for name in (*_TRIGGER, *sorted({*before, *after} - set(_TRIGGER))) if name in before or name in after]
        rows = [(_TRIGGER.get(name, name), _state(name, before.get(name)), _state(name, after.get(name))) for name in names]
        console.print(_rows(("trigger", "before", "after"), rows))
    else:
        _line(console, "trigger", "its state before and after was not kept yet when this was decided")


def _state(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in _TIMES and isinstance(value, int) and value:
        return _moment(value)
    return value_text(value) if value is None or isinstance(value, int | float | str) else shown(str(value))


def _show_window(chain: Chain, decided: WindowClosed, console: Console) -> None:
    _line(
        console, "window", f"{_moment(decided.start)} to {_moment(decided.end)} of flow {decided.flow}, group {group_text(decided.group)}"
    )
    names = list(decided.values)
    rows = [
        (
            f"{one.revision}{' ◀' if one.revision == decided.revision and len(chain.windows) > 1 else ''}",
            _moment(one.at),
            str(one.count),
            *(value_text(one.values.get(name)) for name in names),
        )
        for one in chain.windows
    ]
    console.print(_rows(("revision", "given", "readings", *names), rows))


def _show_evidence(chain: Chain, evidence: Evidence, console: Console) -> None:
    for note in evidence.notes:
        _line(console, "note", note)
    moment = chain.decided.end if chain.decided is not None else chain.alert.time if chain.alert is not None else None
    for series, points in _plotted(evidence):
        title = shown(" ".join(part for part in series if part))
        drawn = plot(title, points, width=min(console.width, 100), height=8, marked=moment)
        console.print(Text(drawn), soft_wrap=True)
    if evidence.rows:
        _show_readings([_seen(one) for one in evidence.rows], console)
    else:
        _line(console, "readings", "none")
    if evidence.total > len(evidence.rows):
        _line(
            console,
            "readings",
            f"the last {len(evidence.rows)} of {evidence.total}; {evidence.total - len(evidence.rows)} before them are left out",
        )


def _show_readings(rows: Sequence[tuple[str, ...]], console: Console) -> None:
    """Print a line for each reading: in a terminal the message has what room there is, else lines are as long as they are."""
    names = ("time", "device", "metric", "value", "message")
    if not console.is_terminal:
        for line in aligned([names, *(tuple(map(shown, row)) for row in rows)]):
            console.print(Text(line), soft_wrap=True)
        return
    table = _rows(names, rows)
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
    widths = [max(map(cell_len, cells)) for cells in zip(names, *rows, strict=True)][:-1]
    for column, width in zip(table.columns, widths, strict=False):
        column.min_width = width
    table.columns[-1].max_width = max(_LEAST_MESSAGE, console.width - sum(widths) - 2 * len(names))
    console.print(table)


def _plotted(evidence: Evidence) -> list[tuple[Series, list[tuple[int, float]]]]:
    """Choose what is drawn: of each metric the series with the most points."""
    by_metric: dict[str, tuple[Series, list[tuple[int, float]]]] = {}
    for series, points in sorted(evidence.curves.items()):
        known = by_metric.get(series[1])
        if len(points) > 1 and (known is None or len(points) > len(known[1])):
            by_metric[series[1]] = series, points
    return list(by_metric.values())[:_PLOTS]


def _seen(seen: Seen) -> tuple[str, ...]:
    reading = seen.reading
    said = "" if seen.said is None else f"{seen.said.topic} {_payload(seen.said.payload)}"
    came = f"came {_moment(reading.received)}, after the decision" if seen.later else ""
    return (
        _moment(reading.ts),
        reading.device,
        f"{reading.metric}/{reading.channel}" if reading.channel else reading.metric,
        value_text(reading.value, reading.unit),
        "; ".join(part for part in (came, said) if part),
    )


def _payload(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload.hex(" ")
    return text if len(text) <= _LONGEST_PAYLOAD else f"{text[: _LONGEST_PAYLOAD - 1]}…"


def _values(values: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in values.items() if value is None or isinstance(value, int | float | str)}
    return ", ".join(f"{name}={value_text(value)}" for name, value in plain.items()) or "-"


def _moment(ns: int) -> str:
    """Give an epoch time in this machine's zone, with milliseconds where there are any."""
    rest = ns % _SECOND // 10**6
    return f"{time_text(ns)}.{rest:03d}" if rest else time_text(ns)


def _seconds(ns: int) -> str:
    return f"{ns / _SECOND:.3f}".rstrip("0").rstrip(".") + " s"


def _line(console: Console, name: str, text: str) -> None:
    console.print(Text.assemble((f"{name:<11}", "bold"), shown(text)), soft_wrap=True)


def _rows(names: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(Text(shown(name), style="dim"), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    return table
