"""Faults that could never show: on no device of the scenario, or on none that has what the fault needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.findings import Problem, hint
from simulator.dialects import DIALECTS
from simulator.faults import FaultSpec, SchemaChangeSpec
from simulator.scenario.group import GroupSpec


def aimless(fault: FaultSpec, members: Sequence[tuple[GroupSpec, str]]) -> Iterator[Problem]:
    """Find why a fault could never show with these devices, each problem at its place below the fault."""
    hit = [group for group, name in members if fault.hits(name)]
    if not hit:
        firsts = {group.name: name for group, name in reversed(members)}
        yield Problem(("devices",), f"no device of this scenario is called so{hint(fault.devices, set(firsts.values()))}")
        return
    yield from _unmeasured(fault, hit)
    if fault.needs == "a time" and not any(DIALECTS[group.convention].stamped and group.timestamps != "none" for group in hit):
        text = f"{fault.kind} needs a device that says when it measured; {hit[0].convention} does not"
        yield Problem(("kind",), text, show=False)
    bare = next((group.convention for group in hit if DIALECTS[group.convention].bare), None)
    if fault.needs == "a document" and bare is not None:
        yield Problem(("kind",), f"what {fault.kind} leaves of a payload of {bare} is another value, which nobody could tell", show=False)
    if fault.needs == "an actuator" and not any(group.acts for group in hit):
        yield Problem(("kind",), f"{fault.kind} needs a device that acts", show=False)


def _unmeasured(fault: FaultSpec, hit: Sequence[GroupSpec]) -> Iterator[Problem]:
    """Find metrics of a fault that none of its devices has, or that are of no use to it."""
    metrics = {metric for group in hit for metric in group.gives()}
    if isinstance(fault, SchemaChangeSpec):
        for old in sorted(fault.rename.keys() - metrics):
            yield Problem(("rename", old), f"no device of this fault measures {old!r}{hint(old, metrics)}", key=True, show=False)
    metric: str | None = getattr(fault, "metric", None)
    if metric is not None and metric not in metrics:
        yield Problem(("metric",), f"no device of this fault measures that{hint(metric, metrics)}")
    elif fault.needs == "a number":
        numbers = {number for group in hit for number in group.numbers()}
        if metric is not None and metric not in numbers:
            yield Problem(("metric",), f"{fault.kind} needs a number; {metric} is on or off", show=False)
        elif not numbers:
            yield Problem(("kind",), f"{fault.kind} needs a device that measures a number", show=False)
