"""`sluice devices`: what has been seen, as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from devices.profile import Profiles
from gateway.screen import ago, shown, value_text
from gateway.store.views import DeviceState, SeriesState


def inventory_document(devices: Sequence[DeviceState], profiles: Profiles, *, now: int) -> dict[str, Any]:
    """Give the devices for `--json`: times are epoch ns, `interval` is in seconds."""
    return {"devices": [_device(device, profiles, now) for device in devices]}


def inventory_table(devices: Sequence[DeviceState], profiles: Profiles, *, now: int) -> RenderableType:
    """Give one row per device, its metrics with their last values beneath each other. `now` is epoch ns."""
    if not devices:
        return Text("no device has been seen yet")
    table = Table(show_lines=True)
    for name in ("device", "last values", "last seen", "labels"):
        table.add_column(name, overflow="fold")
    for device in devices:
        table.add_row(
            Text.assemble(shown(device.device), "\n", (shown(device.convention), "dim")),
            Text("\n".join(f"{_metric(one)}  {_value(one)}" for one in device.series)),
            _last_seen(device, profiles, now),
            Text("\n".join(shown(f"{name}={value}") for name, value in sorted(device.labels.items()))),
        )
    return table


def _overdue(device: DeviceState, interval: float | None, now: int) -> bool:
    """Return whether a device has been silent for more than twice the interval at which it should report."""
    return interval is not None and device.last_seen is not None and now - device.last_seen > 2 * interval * 1_000_000_000


def _last_seen(device: DeviceState, profiles: Profiles, now: int) -> Text:
    text = ago(device.last_seen, now) + (f"\n{device.missed} missed" if device.missed else "")
    if _overdue(device, profiles.of(device.device, device.convention).interval, now):
        return Text(f"{text}\noverdue", style="yellow")
    return Text(text)


def _device(device: DeviceState, profiles: Profiles, now: int) -> dict[str, Any]:
    interval = profiles.of(device.device, device.convention).interval
    return {
        "device": device.device,
        "convention": device.convention,
        "base": device.base,
        "labels": device.labels,
        "first_seen": device.first_seen,
        "last_seen": device.last_seen,
        "interval": interval,
        "overdue": _overdue(device, interval, now),
        "missed": device.missed,
        "metrics": [_series(one) for one in device.series],
    }


def _series(series: SeriesState) -> dict[str, Any]:
    named = msgspec.structs.asdict(series)
    return {name: named[name] for name in ("metric", "channel", "key", "value", "unit", "ts", "retained", "last_seen", "count")}


def _metric(series: SeriesState) -> str:
    return shown(f"{series.metric} {series.channel}" if series.channel else series.metric)


def _value(series: SeriesState) -> str:
    text = value_text(series.value, series.unit)
    return f"{text} (retained)" if series.retained else text
