"""What can be asked about: the newest alerts and commands, with their ids."""

from __future__ import annotations

from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from gateway.screen import shown, time_text, value_text
from gateway.store.outcomes import group_text
from gateway.store.reader import StoreReader

NEWEST = 20
"""Alerts and commands that are listed."""


class Entry(NamedTuple):
    """One line: when (epoch ns), the id, what it is, and its words."""

    time: int
    id: str
    what: str
    flow: str
    about: str


def recent(reader: StoreReader) -> list[Entry]:
    """Give the newest alerts and commands, the newest first."""
    alerts = [
        Entry(one.time, one.id, f"alert {one.state}", one.flow, f"{group_text(one.group)}: {one.message}")
        for one in reader.alerts(newest=NEWEST)
    ]
    commands = [
        Entry(one.requested, one.id, f"command {one.state}", one.flow, f"{one.device} {_settings(one.settings)}")
        for one in reader.commands(newest=NEWEST)
    ]
    return sorted([*alerts, *commands], reverse=True)[:NEWEST]


def show(entries: list[Entry], console: Console) -> None:
    """Print the list, to choose from."""
    if not entries:
        console.print(Text("no alert and no command so far"))
        return
    for one in entries:
        line = f"{time_text(one.time)}  {one.id}  {one.what:<18}  {shown(one.flow or 'by hand')}  {shown(one.about)}"
        console.print(Text(line), soft_wrap=True)


def _settings(settings: dict[str, Any]) -> str:
    return " ".join(f"{name}={value_text(value)}" for name, value in settings.items())
