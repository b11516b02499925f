"""What `sluice simulate` shows while a fleet runs: a table on a terminal, JSON Lines for machines."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gateway.command_line import print_json
from gateway.screen import shown, value_text

if TYPE_CHECKING:
    from simulator.fleet import Fleet
    from simulator.load import Loaded

_MOST_GROUPS = 24
_MOST_VALUES = 4
_MOST_FAULTS = 8


class FleetPanel:
    """Shows a fleet, or a load, once a second: as JSON Lines on stdout where `as_json`, else as a live table on a terminal, else not at all."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._as_json = as_json
        self._live = Live(console=console, auto_refresh=False, transient=False) if console.is_terminal and not as_json else None

    @property
    def live(self) -> bool:
        """Whether a table stands on the terminal, where logs would go across it."""
        return self._live is not None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def fleet(self, fleet: Fleet, *, ended: bool = False) -> dict[str, Any]:
        """Show how a fleet stands, and give that."""
        from simulator.view import view

        seen = view(fleet, ended=ended)
        self._show(seen, fleet_table(seen) if self._live is not None else None)
        return seen

    def load(self, loaded: Loaded, *, ended: bool = False) -> dict[str, Any]:
        """Show how far a load is, and give that."""
        from dataclasses import asdict

        seen = {"state": "ended" if ended else "running", **asdict(loaded)}
        self._show(seen, load_table(seen) if self._live is not None else None)
        return seen

    def _show(self, seen: dict[str, Any], drawn: RenderableType | None) -> None:
        if self._as_json:
            print_json(seen)
        elif self._live is not None and drawn is not None:
            self._live.update(drawn, refresh=True)


def fleet_table(seen: dict[str, Any]) -> RenderableType:
    """Draw a `view`: a line for each group, then the faults that last and the newest commands."""
    open_now, connections = seen["connections"]["open"], seen["connections"]["of"]
    doing = "ended" if seen["state"] == "ended" else f"{open_now}/{connections} connections"
    head = Text.assemble(
        (f"{seen['scenario']}", "bold"),
        f"  {seen['time'][11:19]} UTC  {seen['online']}/{seen['devices']} devices online  {doing}  {seen['published']:,} published",
        (f"  {seen['dropped']:,} dropped" if seen["dropped"] else "", "yellow"),
        f"  {seen['commands']} commands, {seen['answers']} obeyed",
    )
    parts: list[RenderableType] = [head, _groups(seen["groups"])]
    if seen["faults"]:
        parts.append(_faults(seen["faults"]))
    if seen["heard"]:
        parts.append(
            Text(
                "\n".join(
                    f"{one['at'][11:19]}  {one['device']} {'ignored' if one['ignored'] else 'heard'} {shown(one['payload'])}"
                    for one in seen["heard"][-4:]
                ),
                "cyan",
            )
        )
    return Group(*parts)


def _groups(groups: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("group", "convention"):
        table.add_column(column, no_wrap=True)
    table.add_column("online", justify="right", no_wrap=True)
    table.add_column("reports", justify="right", no_wrap=True)
    table.add_column("last, of the first", no_wrap=True, overflow="ellipsis")
    for group in groups[:_MOST_GROUPS]:
        state = "" if group["on"] is None else "on  " if group["on"] else "off  "
        values = "  ".join(f"{metric} {value_text(value)}" for metric, value in list(group["last"].items())[:_MOST_VALUES])
        online = f"{group['online']}/{group['devices']}"
        table.add_row(group["name"], group["convention"], online, f"{group['reports']:,}", shown(state + values))
    if len(groups) > _MOST_GROUPS:
        table.add_row(f"and {len(groups) - _MOST_GROUPS} more", "", "", "", "")
    return table


def _faults(faults: list[dict[str, Any]]) -> Text:
    lines = [
        f"{fault['kind']:<18} {fault['device']}{' ' + fault['metric'] if fault['metric'] else ''}, {fault['left']:.0f} s left"
        for fault in faults[:_MOST_FAULTS]
    ]
    if len(faults) > _MOST_FAULTS:
        lines.append(f"and {len(faults) - _MOST_FAULTS} more faults")
    return Text("\n".join(lines), "red")


def load_table(seen: dict[str, Any]) -> RenderableType:
    """Draw a load's figures."""
    latency = "" if seen["p50_ms"] is None else f"  acknowledged after p50 {seen['p50_ms']:.2f} ms, p99 {seen['p99_ms']:.2f} ms"
    acknowledged = "" if seen["acknowledged"] is None else f"{seen['acknowledged']:,} acknowledged  "
    behind = f"  {seen['lagging']:.1f} s behind" if seen["lagging"] > 1 else ""
    return Text(f"{seen['sent']:,} sent  {acknowledged}{seen['rate']:,.0f}/s{latency}{behind}")
