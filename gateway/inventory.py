"""`sluice devices`: what has been seen, as a table or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from gateway.screen import ago, shown, value_text
from gateway.store.views import DeviceState, SeriesState


def inventory_document(devices: Sequence[DeviceState]) -> dict[str, Any]:
    """Give the devices for `--json`: times are epoch ns."""
    return {"devices": [_device(device) for device in devices]}


def inventory_table(devices: Sequence[DeviceState], *, now: int) -> RenderableType:
    """Give one row per device, its metrics with their last values beneath each other. `now` is epoch ns."""
    if not devices:
        return Text("no device has been seen yet")
    table = Table(show_lines=True)
    for name in ("device", "convention", "metric", "last value", "last seen", "labels"):
        table.add_column(name, overflow="fold")
    for device in devices:
        table.add_row(
            Text(shown(device.device)),
            Text(shown(device.convention)),
            Text("\n".join(_metric(one) for one in device.series)),
            Text("\n".join(_value(one) for one in device.series)),
            Text(ago(device.last_seen, now)),
            Text("\n".join(shown(f"{name}={value}") for name, value in sorted(device.labels.items()))),
        )
    return table


def _device(device: DeviceState) -> dict[str, Any]:
    return {
        "device": device.device,
        "convention": device.convention,
        "base": device.base,
        "labels": device.labels,
        "first_seen": device.first_seen,
        "last_seen": device.last_seen,
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
