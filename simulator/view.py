"""What a fleet looks like at a moment, in plain builtins: for a screen, and for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from simulator.device import Device
from simulator.fleet import Fleet
from simulator.nanoseconds import SECOND
from simulator.timestamps import iso


def view(fleet: Fleet, *, ended: bool = False) -> dict[str, Any]:
    """Say how a fleet stands.

    Totals since its start, groups with what the first of their devices measured last, the faults that last, and the newest commands. `time`
    is what a right clock shows in the scenario, `elapsed` is in seconds.
    """
    world, (open_now, connections) = fleet.world, fleet.connections
    return {
        "state": "ended" if ended else "running",
        "scenario": world.scenario.name,
        "seed": world.scenario.seed,
        "time": iso(world.epoch),
        "elapsed": round(world.elapsed / SECOND, 3),
        "devices": len(world.devices),
        "online": sum(device.online for device in world.devices),
        "connections": {"open": open_now, "of": connections},
        **asdict(fleet.counts),
        "faults": [
            {
                "device": fault.device,
                "metric": fault.metric,
                "kind": fault.spec.kind,
                "left": round((fault.end - world.elapsed) / SECOND, 3),
            }
            for fault in world.active
        ],
        "groups": [_group(devices) for devices in _groups(world.devices)],
        "heard": [asdict(heard) | {"at": iso(heard.at)} for heard in fleet.heard],
    }


def _groups(devices: list[Device]) -> list[list[Device]]:
    groups: dict[str, list[Device]] = {}
    for device in devices:
        groups.setdefault(device.group.name, []).append(device)
    return list(groups.values())


def _group(devices: list[Device]) -> dict[str, Any]:
    first = devices[0]
    return {
        "name": first.group.name,
        "convention": first.group.convention,
        "devices": len(devices),
        "online": sum(device.online for device in devices),
        "reports": sum(device.reports for device in devices),
        "on": first.on,
        "last": dict(first.last),
    }
