"""What `sluice up` shows: events as they happen, and below them the devices, the flows and the ledger, all read from the store."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gateway.findings import Finding
from gateway.ledger import Ledger
from gateway.set_aside import events
from gateway.status import CONNECTING, UNREADABLE, cluster_document, gateway_state, read_ledger, read_up
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, WindowClosed
from gateway.store.errors import StoreError
from gateway.store.outcomes import group_text
from gateway.store.reader import StoreReader
from gateway.store.views import DeviceState

_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 110
"""Columns from which on there is room for everything."""
_OTHER_LINES = 14
"""Lines of the panel that are not devices, and some for events above it."""
_HOUSEKEEPING = frozenset(("online", "linkquality", "battery", "uptime_sec"))
"""Metrics that are shown only where a device has nothing better to say."""
_WORTH_SAYING = frozenset(("config in effect", "config is sound again"))
"""Events of a process that are shown although all is well: someone waits for them."""
STOPPING = "stopping"
_MOST_EFFECTS, _MOST_WINDOWS = 5_000, 20
"""Effects that are looked at in one turn, and windows that are shown in it: more only rush by."""
_MOST_GROUPS = 200
"""Groups of a flow whose newest windows are known here."""
_PLAIN_EVERY = 5.0
"""Seconds between summaries where the output is no terminal."""


class Terminal:
    """Follow a data folder. On a terminal a live panel stands below the scrolling events; elsewhere events are lines, with a summary now and then."""

    def __init__(self, data: Path, console: Console, *, title: str) -> None:
        self._data = data
        self._console = console
        self._title = title
        self._reader: StoreReader | None = None
        self._seen = 0
        self._first = True
        self._sent: dict[str, int] = {}
        self._trend: dict[tuple[str, str], deque[float]] = {}
        self._last: dict[tuple[str, str], WindowClosed] = {}
        self._groups: dict[str, int] = {}
        self._rate: deque[tuple[float, int]] = deque(maxlen=10)
        self._live: Live | None = None
        self._summed = monotonic()
        self._ledger: tuple[float, Ledger] | None = None
        self._troubles = ""
        self._complaint = ""
        self.link = CONNECTING
        self.restarts: Mapping[str, Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()
        self.let_go()

    def let_go(self) -> None:
        """Close the store, which may be another file at the next poll."""
        reader, self._reader = self._reader, None
        if reader:
            reader.close()

    def say(self, text: str) -> None:
        """Print a line above the panel."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def hear(self, part: str, line: str) -> None:
        """Print what a process logs, where it is worth a person's attention."""
        try:
            entry = json.loads(line)
        except ValueError:
            self.say(f"{_clock(time_ns())}  [dim]{part}[/]  {escape(line)}")
            return
        if entry.get("level") in {"warning", "error", "critical"} or entry.get("event") in _WORTH_SAYING:
            more = " ".join(f"{k}={v}" for k, v in entry.items() if k not in {"event", "level", "timestamp"})
            self.say(f"{_clock(time_ns())}  [yellow]{part}[/]  {escape(str(entry.get('event')))}  [dim]{escape(more)}[/]")

    def poll(self) -> None:
        """Show what is new. A store that cannot be read now is opened again the next time: it must not end what it is only to be shown of."""
        state = gateway_state(self._data, read_up(self._data))
        if self.link != STOPPING:
            self.link = state.get("link", CONNECTING)
        try:
            reader = self._open()
            if reader is not None:
                self._show(reader, state)
        except UNREADABLE as error:
            self.let_go()
            self._complain(str(error))

    def _show(self, reader: StoreReader, state: Mapping[str, Any]) -> None:
        windows = 0
        for seq, effect in reader.effects_after(self._seen, _MOST_EFFECTS):
            self._seen = seq
            if isinstance(effect, WindowClosed):
                windows += bool(lines := self._window_lines(effect))
                lines = lines if windows <= _MOST_WINDOWS else []
            else:
                lines = self._lines(effect)
            for line in lines:
                self.say(line)
        if windows > _MOST_WINDOWS:
            self.say(f"{_clock(time_ns())}  [blue]□ window[/]   [dim]and {windows - _MOST_WINDOWS:,} more[/]")
        self._rate.append((monotonic(), reader.counts().readings["taken"]))
        self._troubles = troubles({**state, "cluster": cluster_document(self._data)}, events(self._data), self.restarts)
        if self._live:
            self._live.update(self._panel(reader))
        elif monotonic() - self._summed > _PLAIN_EVERY:
            self._summed = monotonic()
            self.say(f"{_clock(time_ns())}  {self._summary(reader)}")
        self._complaint = ""

    def _complain(self, text: str) -> None:
        """Say once what cannot be shown."""
        if text != self._complaint:
            self._complaint = text
            self.say(f"{_clock(time_ns())}  [yellow]the store cannot be shown[/]  {escape(text)}")

    def _open(self) -> StoreReader | None:
        if self._reader is None:
            try:
                self._reader = StoreReader(self._data / "store.db")
            except StoreError:
                return None
            newest = self._reader.newest().effects
            self._seen = newest if self._first else min(self._seen, newest)
            self._first = False
        return self._reader

    def _lines(self, effect: object) -> list[str]:
        match effect:
            case AlertChanged():
                return [_alert_line(effect)]
            case CommandRequested():
                return [
                    f"{_clock(effect.at)}  [cyan]→ command[/]  {_device(effect.device)} {_settings(effect.settings)}  asked for by {escape(effect.flow)}"
                ]
            case CommandFact():
                return self._fact_lines(effect)
        return []

    def _window_lines(self, window: WindowClosed) -> list[str]:
        group = group_text(window.group)
        self._note(window, (window.flow, group))
        if window.flow != self._watched():
            return []
        revision = f"  [magenta]revision {window.revision}[/]" if window.revision > 1 else ""
        return [
            f"{_clock(window.end)}  [blue]□ window[/]   {escape(window.flow)} {escape(group)}  {_values(window.values)}  n={window.count}{revision}"
        ]

    def _note(self, window: WindowClosed, key: tuple[str, str]) -> None:
        """Know a window as the newest of its group, unless that is one more than are known."""
        if key not in self._last:
            known = self._groups.get(window.flow, 0)
            if known >= _MOST_GROUPS:
                return
            self._groups[window.flow] = known + 1
        self._last[key] = window
        numbers = [v for v in window.values.values() if isinstance(v, int | float) and not isinstance(v, bool)]
        if numbers:
            self._trend.setdefault(key, deque(maxlen=24)).append(float(numbers[0]))

    def _watched(self) -> str:
        """Show the windows of the flow with the fewest groups: more would only rush by, and keep alerts and commands from being seen."""
        return min(self._groups, key=lambda flow: (self._groups[flow], flow), default="")

    def _fact_lines(self, fact: CommandFact) -> list[str]:
        device, settings = _device(fact.device), _settings(fact.settings)
        if fact.state == "sent":
            self._sent.setdefault(fact.command, fact.time)
            again = f"  attempt {fact.attempt}" if fact.attempt > 1 else ""
            return [f"{_clock(fact.time)}  [cyan]→ command[/]  {device} {settings}  sent{again}"]
        if fact.state == "confirmed":
            took = (fact.time - self._sent.pop(fact.command, fact.time)) / 1e9
            return [f"{_clock(fact.time)}  [green]✓ command[/]  {device} {settings}  confirmed by the device after {took:.2f} s"]
        if fact.state == "requested":
            why = escape(fact.detail) if fact.flow else "asked for by hand"
            return [f"{_clock(fact.time)}  [cyan]→ command[/]  {device} {settings}  {why}"]
        return [f"{_clock(fact.time)}  [red]✗ command[/]  {device} {settings}  {fact.state}: {escape(fact.detail)}"]

    # -- the panel

    def _panel(self, reader: StoreReader) -> RenderableType:
        return Group(Text(), self._devices(reader.devices()), self._flows(), Text.from_markup(self._summary(reader)))

    def _devices(self, devices: list[DeviceState]) -> Table:
        wide, rows = self._console.width >= _WIDE, max(4, min(16, self._console.height - _OTHER_LINES - 6))
        table = _table()
        table.add_column("device", no_wrap=True, min_width=8)
        if wide:
            table.add_column("speaks", no_wrap=True)
        table.add_column("last readings", no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("seen", no_wrap=True, justify="right")
        for device in devices[:rows]:
            ago = (time_ns() - device.last_seen) / 1e9 if device.last_seen else None
            worth = sorted(
                (s for s in device.series if not isinstance(s.value, str)), key=lambda s: (s.metric in _HOUSEKEEPING, s.unit is None)
            )
            said = "  ".join(_reading(s.metric, s.channel, s.value, s.unit) for s in worth[:3])
            seen = "–" if ago is None else f"{max(ago, 0):.0f} s ago"
            table.add_row(escape(device.device), *([device.convention] if wide else []), said, seen)
        if len(devices) > rows:
            table.add_row(f"… and {len(devices) - rows} more", *([""] if wide else []), "", "")
        return table

    def _flows(self) -> Table:
        wide = self._console.width >= _WIDE
        table = _table()
        table.add_column("flow", no_wrap=True, min_width=12)
        table.add_column("group", no_wrap=True)
        table.add_column("newest window", no_wrap=True, overflow="ellipsis", ratio=1)
        if wide:
            table.add_column("trend of its first value", no_wrap=True)
        shown = sorted(self._last, key=lambda key: (key[0] != self._watched(), key))[: 6 if self._console.height >= 40 else 2]
        for key in shown:
            trend = [_sparkline(self._trend.get(key, ()))] if wide else []
            table.add_row(escape(key[0]), escape(key[1]), _values(self._last[key].values), *trend)
        return table

    def _summary(self, reader: StoreReader) -> str:
        counts = reader.counts()
        (t0, n0), (t1, n1) = self._rate[0], self._rate[-1]
        rate = (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0
        alerts, commands = counts.alerts, counts.commands
        return (
            f"[bold]{escape(self._title)}[/]  {escape(self.link)}  {rate:.0f} readings/s  windows {counts.windows['emitted']:,}"
            f"  alerts {alerts['raised']} raised {alerts['cleared']} cleared"
            f"  commands {commands['requested']} asked {commands['confirmed']} confirmed{_unconfirmed(commands)}\n"
            f"{ledger_line(self._balance())}{self._troubles and chr(10)}{self._troubles}"
        )

    def _balance(self) -> Ledger:
        """Balance at most once a second: it reads every counter."""
        if self._ledger is None or monotonic() - self._ledger[0] > 1.0:
            self._ledger = (monotonic(), read_ledger(self._data, at_rest=False))
        return self._ledger[1]


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0), expand=True)


def ledger_line(ledger: Ledger) -> str:
    """Write the equation of messages, and whether it holds."""
    m = ledger.messages
    verdict = "[green]balanced ✓[/]" if ledger.balanced else f"[red]NOT BALANCED: {escape('; '.join(ledger.flaws))}[/]"
    return (
        f"[dim]ledger[/]  {m['received']:,} received{replays(m)} = {m['normalised']:,} normalised + {m['ignored']:,} ignored"
        f" + {m['dead_letters']:,} dead letters + {m['duplicates']:,} duplicates{losses(m)} + {m['pending']:,} pending  {verdict}"
    )


def losses(messages: dict[str, int]) -> str:
    """Say how many messages were shed by a policy, and of how many nothing but their number is left; nothing where none were."""
    return "".join(f" + {messages[term]:,} {term.replace('_', ' ')}" for term in ("shed", "set_aside") if messages.get(term))


def troubles(state: Mapping[str, Any], set_aside: Sequence[Mapping[str, Any]], restarts: Mapping[str, Mapping[str, Any]]) -> str:
    """Write in one line what is not as it should be: blocked, shed, set aside, started again; nothing where all is well.

    >>> troubles({"blocked": "the disk is full", "shed": 3}, [], {})
    '[yellow]trouble[/] blocked: the disk is full  3 messages shed'
    """
    said = [f"blocked: {escape(str(state['blocked']))}"] if state.get("blocked") else []
    said += [f"{state['shed']:,} messages shed"] if state.get("shed") else []
    said += [f"flows wait for {escape(waits)}"] if (waits := str(state.get("cluster", {}).get("waits", ""))) else []
    said += [f"{len(set_aside)} set aside, the last {escape(str(set_aside[-1]['file']))}"] if set_aside else []
    said += [f"{escape(part)} started again {one['count']}×: {escape(str(one['last']))}" for part, one in restarts.items()]
    return f"[yellow]trouble[/] {'  '.join(said)}" if said else ""


def replays(messages: dict[str, int]) -> str:
    """Say how many of the messages received were dead letters read again; nothing where none was."""
    return f" ({messages['replayed']:,} of them again)" if messages["replayed"] else ""


def _unconfirmed(commands: dict[str, int]) -> str:
    return "".join(f" {commands[end]} {end}" for end in ("failed", "expired", "superseded", "refused", "waiting") if commands[end])


def _alert_line(alert: AlertChanged) -> str:
    raised = alert.state == "raised"
    mark = {"critical": "[bold red]▲ ALERT[/]", "warning": "[bold yellow]▲ ALERT[/]"}.get(alert.severity, "[bold]▲ ALERT[/]")
    word = f"{mark}    " if raised else "[green]▼ cleared[/]  "
    shown = {k: v for k, v in alert.why["values"].items() if isinstance(v, int | float)}
    held = f", held {alert.why['held']}×" if raised and alert.why.get("held", 0) > 1 else ""
    seen = f" [dim]({_values(shown)}{held})[/]" if shown or held else ""
    return f"{_clock(alert.at)}  {word}{escape(alert.message)}  [dim]because[/] {escape(alert.why['rule'])}{seen}"


def _clock(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9).astimezone().strftime("[dim]%H:%M:%S[/]")


def _device(name: str) -> str:
    return f"[bold]{escape(name)}[/]"


def _settings(settings: dict[str, Any]) -> str:
    return escape(" ".join(f"{k}={v}" for k, v in settings.items()))


def _number(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)


def _values(values: dict[str, Any]) -> str:
    return escape(" ".join(f"{k}={_number(v)}" for k, v in values.items()))


def _reading(metric: str, channel: str, value: object, unit: str | None) -> str:
    name = f"{metric}/{channel}" if channel else metric
    if metric == "state" and isinstance(value, bool):
        return escape(f"{name} {'on' if value else 'off'}")
    return escape(f"{name} {_number(value)}{f' {unit}' if unit else ''}")


def _sparkline(values: Any) -> str:
    numbers = list(values)
    if not numbers:
        return ""
    low, high = min(numbers), max(numbers)
    return "".join(_BARS[round((n - low) / (high - low) * (len(_BARS) - 1))] if high > low else _BARS[0] for n in numbers)


def status_text(document: dict[str, Any]) -> str:
    """Write the status document for people."""
    lines = [f"[bold]{'running' if document['running'] else 'not running'}[/]  link {escape(str(document['link']))}"]
    ledger = document["ledger"]
    terms = " + ".join(f"{ledger[t]:,} {t.replace('_', ' ')}" for t in ("normalised", "ignored", "dead_letters", "duplicates"))
    terms += f"{losses(ledger)} + {ledger['pending']:,} pending"
    lines.append(
        f"ledger    {ledger['received']:,} received{replays(ledger)} = {terms}  {'balanced' if ledger['balanced'] else '[red]NOT BALANCED[/]'}"
    )
    lines += [f"          [red]{escape(flaw)}[/]" for flaw in ledger["flaws"]]
    for part in ("readings", "windows", "alerts", "commands", "store"):
        if part in document:
            lines.append(
                f"{part:<10}" + "  ".join(f"{k} {v:,}" if isinstance(v, int) else escape(f"{k} {v}") for k, v in document[part].items())
            )
    lines += failure_lines(document.get("failures", {}))
    for name, state in document["delivery"].items():
        lines.append(f"delivery  {escape(name)}  " + escape("  ".join(f"{k} {v}" for k, v in state.items() if v and k != "findings")))
        lines += [f"          [red]{escape(finding)}[/]" for finding in state["findings"]]
    lines += _config_lines(document["config"]) if document["config"] else []
    if cluster := document.get("cluster"):
        lines.append(escape(f"cluster   host {cluster['member']} of {', '.join(cluster['hosts'])}"))
    if document["disk"]:
        lines.append("disk      " + "  ".join(f"{name} {size / 2**20:,.0f} MB" for name, size in document["disk"].items()))
    if trouble := troubles(document, document["set_aside"], document["restarts"]):
        lines.append(trouble)
    if document["memory"]:
        lines.append("memory    " + "  ".join(f"{name} {size / 2**20:.0f} MB" for name, size in document["memory"].items()))
    return "\n".join(lines)


def _config_lines(config: dict[str, Any]) -> list[str]:
    loaded, count = f"{datetime.fromtimestamp(config['loaded'] / 1e9).astimezone():%Y-%m-%d %H:%M:%S}", len(config["flows"])
    lines = [
        f"config    version {config['version']} of {loaded}  flows {count}{'' if config['ok'] else '  [red]the folder is not sound[/]'}"
    ]
    lines += [f"          [red]{escape(str(Finding(**finding)))}[/]" for finding in config["findings"]]
    for name, parts in config.get("changes", {}).get("restarted", {}).items():
        lines.append(f"          {escape(name)} started afresh: its {escape(', '.join(parts))} changed")
    return lines + [f"          {escape(name)} takes effect at the next start" for name in config["pending"]]


def failure_lines(failures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write failures of flows for people, a line each."""
    lines = []
    for name, one in failures.items():
        aside = ", and takes no more until it is changed or started again" if one["set_aside"] else ""
        lines.append(f"failures  [red]{escape(name)} failed on {one['readings']:,} readings{aside}[/]  {escape(one.get('reason', ''))}")
    return lines
