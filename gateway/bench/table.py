"""What the bench found, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Give the lines of a document of `gateway.cli.bench`."""
    for one in found.get("throughput", ()):
        yield f"QoS {one['qos']}, everything on      {one['rate']:>9,.0f} messages/s for {one['seconds']:.0f} s, lag {one['lag']:.2f} s at the end"
        yield f"       mosquitto_sub       {one['received_by_c']:>9,.0f} messages/s: ratio {one['ratio']:.2f}"
        yield f"       the load alone      {one['generator']:>9,.0f} messages/s: {one['headroom']:.2f} × the best of these"
        yield f"       processor a message {_parts(one['cpu'], 'µs')}"
        yield f"       written a message   {_parts(one['written'], 'bytes')}"
        yield f"       memory              {_parts({name: round(size / 2**20) for name, size in one['memory'].items()}, 'MB')}"
    for one in found.get("latency", ()):
        yield (
            f"sensor to command beside {one['rate']:,} messages/s: p50 {one['p50']:.1f} ms, p99 {one['p99']:.1f} ms,"
            f" longest {one['longest']:.1f} ms of {one['commands']:,}"
        )
    for one in found.get("flash", ()):
        yield f"written a message at {one['rate']:>5,} messages/s  {_parts(one['written'], 'bytes')}"
    for one in (*found.get("devices", ()), *found.get("flows", ())):
        yield (
            f"{one['devices']:>7,} devices, {one['flows']:>3} flows, {one['rate']:,}/s: processor a message {_parts(one['cpu'], 'µs')};"
            f" memory {_parts({name: round(size / 2**20) for name, size in one['memory'].items()}, 'MB')}"
        )
    for one in found.get("workers", ()):
        yield f"{one['workers']} of flows.workers: {one['rate']:>9,.0f} messages/s from the journal, {one['times']:.2f} × one"
    for one in found.get("hosts", ()):
        yield f"{one['hosts']} of flows.cluster on this machine: {one['rate']:>9,.0f} messages/s from their journals, {one['cpu']:.0f} µs a message"
    if "restart" in found:
        one = found["restart"]
        yield f"flows killed with {one['windows']:,} windows open: live again after {one['seconds']:.1f} s, {one['memory'] / 2**20:.0f} MB"
    if "backtest" in found:
        one = found["backtest"]
        yield f"backtest of {one['readings']:,} readings: {one['rate']:,.0f} readings/s, {one['seconds']:.1f} s"


def _parts(parts: dict[str, float], unit: str) -> str:
    return f"{sum(parts.values()):.1f} {unit}: " + ", ".join(f"{name} {value:g}" for name, value in parts.items() if value)
