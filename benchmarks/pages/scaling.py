"""`docs/scaling.md`: the tables in it are made of what `sluice bench --json` came to (`make docs`).

`results.json` is that document, with `about`: the machine, and what was run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results.json"
PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
BEGIN, END = "<!-- made by `make docs`: begin -->", "<!-- end -->"
_DAY = 86_400
_HOSTS = (1, 2, 3, 4, 8)
_MEGABYTE = 2**20


def tables(found: dict[str, Any]) -> Iterator[str]:
    """Give the lines of the tables."""
    yield "### What went all the way"
    yield ""
    yield "| | sustained, messages/s | `mosquitto_sub` alone | ratio | µs a message: broker, gateway, flows | bytes written a message: gateway, flows |"
    yield "|---|---|---|---|---|---|"
    for one in found["throughput"]:
        cpu, written = one["cpu"], one["written"]
        yield (
            f"| QoS {one['qos']} | {one['rate']:,} | {one['received_by_c']:,} | {one['ratio']:.2f} |"
            f" {cpu['broker']:.0f}, {cpu['gateway']:.0f}, {cpu['flows']:.0f} | {written['gateway']:.0f}, {written['flows']:.0f} |"
        )
    yield from ("", "### From sensor to command", "", "| beside | p50 | p99 | longest |", "|---|---|---|---|")
    for one in found["latency"]:
        yield f"| {one['rate']:,} messages/s | {one['p50']:.1f} ms | {one['p99']:.1f} ms | {one['longest']:.1f} ms |"
    yield from ("", "### What a message costs, by devices and flows", "")
    yield "| devices | flows | messages/s | µs a message: gateway, flows | memory: gateway, flows |"
    yield "|---|---|---|---|---|"
    for one in (*found["devices"], *found["flows"]):
        cpu, memory = one["cpu"], one["memory"]
        yield (
            f"| {one['devices']:,} | {one['flows']} | {one['rate']:,} | {cpu['gateway']:.0f}, {cpu['flows']:.0f} |"
            f" {memory['gateway'] / _MEGABYTE:.0f}, {memory['flows'] / _MEGABYTE:.0f} MB |"
        )
    yield from ("", "### What more workers bring", "", "| `flows.workers` | messages/s, from a journal | times one |", "|---|---|---|")
    for one in found["workers"]:
        yield f"| {one['workers']} | {one['rate']:,} | {one['times']:.2f} |"
    yield from _hosts(found)
    yield from ("", "### What that comes to", "")
    yield "| messages/s | share of a core: gateway, flows | written a day: gateway (journal), flows (store, snapshots) |"
    yield "|---|---|---|"
    yield from _sizes(found)
    restart, backtest = found["restart"], found["backtest"]
    yield ""
    yield (
        f"Flows that are killed with {restart['windows']:,} windows open are live again after {restart['seconds']:.1f} s. A backtest reads"
        f" {backtest['rate']:,} readings a second."
    )


def _hosts(found: dict[str, Any]) -> Iterator[str]:
    """Give what several hosts cost, and what that comes to where each is a machine of its own: what crosses grows with the part that is elsewhere."""
    one, two = (run["cpu"] for run in found["hosts"])
    yield from ("", "### What more hosts bring", "")
    yield "| hosts of `flows.cluster` | flows, µs a message, of all together | times one host, each a machine like this |"
    yield "|---|---|---|"
    for count in _HOSTS:
        cost = one + 2 * (two - one) * (count - 1) / count
        measured = "" if count <= len(found["hosts"]) else " (worked out)"
        yield f"| {count} | {cost:.0f}{measured} | {count * one / cost:.1f} |"


def _sizes(found: dict[str, Any]) -> Iterator[str]:
    """Give what the measured costs come to in shares of a core and in bytes a day; a share is given where it was measured at that rate."""
    for one in found["flash"]:
        yield f"| {one['rate']:,} | | {_a_day(one['written'], one['rate'])} |"
    cost = found["devices"][1]
    yield f"| {cost['rate']:,} | {_shares(cost['cpu'], cost['rate'])} | |"
    top = found["throughput"][1]
    yield f"| {top['rate']:,} (the most, QoS 1) | {_shares(top['cpu'], top['rate'])} | {_a_day(top['written'], top['rate'])} |"


def _shares(cpu: dict[str, float], rate: float) -> str:
    return ", ".join(f"{cpu[part] * rate / 1e6:.0%}" for part in ("gateway", "flows"))


def _a_day(written: dict[str, float], rate: float) -> str:
    return ", ".join(f"{written[part] * rate * _DAY / 1e9:.1f} GB" for part in ("gateway", "flows"))


def main() -> None:
    """Write the page anew."""
    found = json.loads(RESULTS.read_text("utf-8"))
    head, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    tail = rest.partition(END)[2]
    made = "\n".join(tables(found))
    PAGE.write_text(f"{head}{BEGIN}\n\nOne run of `sluice bench`: {found['about']}.\n\n{made}\n\n{END}{tail}", "utf-8")


if __name__ == "__main__":
    main()
