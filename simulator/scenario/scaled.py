"""A scenario with another number of devices, or another rate."""

from __future__ import annotations

from pydantic import ValidationError

from simulator.load import LoadSpec
from simulator.nanoseconds import SECOND
from simulator.scenario.group import GroupSpec
from simulator.scenario.scenario import Scenario

_FASTEST = 20_000


class ScaleError(ValueError):
    """A scenario that cannot be scaled so; the text says why."""


def scaled(scenario: Scenario, *, devices: int | None = None, rate: float | None = None, seed: int | None = None) -> Scenario:
    """Give the scenario with so many devices in all, so many reports a second from all of them together, and other dice.

    Groups keep their share of the devices (largest remainder); one that acts stays the one device that it is. Intervals keep their
    proportions. ScaleError when there are fewer devices than groups.
    """
    if seed is not None:
        scenario = scenario.model_copy(update={"seed": seed})
    if scenario.load is not None:
        other = {key: value for key, value in (("devices", devices), ("rate", rate)) if value is not None}
        return scenario.model_copy(update={"load": _checked_load(scenario.load, other)})
    groups = scenario.devices
    if devices is not None:
        groups = [group.model_copy(update={"count": count}) for group, count in zip(groups, _counts(groups, devices), strict=True)]
    if rate is not None:
        if not 0 < rate <= _FASTEST:
            raise ScaleError(
                f"a fleet gives at most {_FASTEST:,} reports a second, since it measures each of them; for more there is `load`: got {rate:g}"
            )
        factor = sum(group.count * SECOND / group.every for group in groups) / rate
        groups = [_slower(group, factor) for group in groups]
    return scenario.model_copy(update={"devices": groups})


def _checked_load(load: LoadSpec, other: dict[str, int | float]) -> LoadSpec:
    try:
        return LoadSpec.model_validate({key: getattr(load, key) for key in load.model_fields_set} | other)
    except ValidationError as error:
        raise ScaleError("; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())) from None


def _counts(groups: list[GroupSpec], devices: int) -> list[int]:
    free = [group for group in groups if group.acts is None]
    left = devices - (len(groups) - len(free))
    if left < len(free) or (left and not free):
        raise ScaleError(
            f"this scenario has {len(groups)} groups of devices, {len(groups) - len(free)} of them actuators: got {devices} devices"
        )
    total = sum(group.count for group in free)
    counts = [max(1, left * group.count // total) for group in free]
    while (missing := left - sum(counts)) != 0:
        # Whoever is furthest from the exact share gives one, or gets one.
        lacks = [left * group.count / total - count for group, count in zip(free, counts, strict=True)]
        index = lacks.index(max(lacks)) if missing > 0 else min((i for i, count in enumerate(counts) if count > 1), key=lacks.__getitem__)
        counts[index] += 1 if missing > 0 else -1
    shares = iter(counts)
    return [1 if group.acts is not None else next(shares) for group in groups]


def _slower(group: GroupSpec, factor: float) -> GroupSpec:
    return group.model_copy(update={"every": max(1, round(group.every * factor)), "jitter": round(group.jitter * factor)})
