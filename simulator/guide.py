"""The parts of docs/simulator.md that are made of the code: `python -m simulator.guide docs/simulator.md` writes them anew."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel

from gateway.findings import Checked, guide
from simulator.dialects import DIALECTS, Dialect
from simulator.faults import AnyFault, FaultSpec, ValueFaultSpec
from simulator.load import LoadSpec
from simulator.load.shapes import Shape
from simulator.physics import PHYSICS, AnyPhysics
from simulator.scenario import GroupSpec, Scenario
from simulator.signals import SignalSpec, Weekly

_ONLY_WITH: Final[Mapping[str, str]] = {
    "": "",
    "a number": "",
    "a time": "reports that say when",
    "a document": "payloads of more than a value",
    "an actuator": "actuators",
}
"""What the table of faults says of what a device must have for one to show; numbers go without saying."""


def renewed(page: str) -> str:
    """Return the page with its made parts as they are now."""
    return guide.renewed(page, PARTS)


def _scenario() -> Iterator[str]:
    yield from _table(("key", "default", "meaning"), guide.keys(Scenario))


def _groups() -> Iterator[str]:
    yield from _table(("key", "default", "meaning"), guide.keys(GroupSpec))


def _signals() -> Iterator[str]:
    yield from _table(("part", "default", "what it adds, or is"), guide.keys(SignalSpec))


def _signal_parts() -> Iterator[str]:
    rows = [(name, *row) for name, section in _sections(SignalSpec) for row in (_days() if section is Weekly else guide.keys(section))]
    yield from _table(("part", "key", "default", "meaning"), rows, code=2)


def _days() -> Iterator[tuple[str, str, str]]:
    """Put the seven days of the week in one row."""
    days = list(guide.keys(Weekly))
    yield f"{days[0][0]}` … `{days[-1][0]}", days[0][1], "The factor of each day."


def _physics() -> Iterator[str]:
    rows = []
    for kind, model in PHYSICS.items():
        actuators = ", ".join(f"`{name}`{' (on at first)' if name in model.on_at_rest else ''}" for name in model.actuators)
        rows.append((kind, actuators, ", ".join(f"`{name}`" for name in model.measures)))
    yield from _table(("`kind`", "actuators (`acts`)", "quantities (`measures`)"), rows)


def _physics_keys() -> Iterator[str]:
    rows = []
    for spec in _members(AnyPhysics):
        kind = _kind(spec)
        rows += [(kind, *row) for row in guide.keys(spec, leaving_out=frozenset({"kind"}))]
        for name, section in _sections(spec):
            if name in {"door", "leak"}:
                rows += [(kind, f"{name}.{key}", default, meaning) for key, default, meaning in guide.keys(section)]
    yield from _table(("`kind`", "key", "default", "meaning"), rows, code=2)


def _fault_times() -> Iterator[str]:
    yield from _table(("key", "default", "meaning"), guide.keys(FaultSpec, leaving_out=frozenset({"kind"})))


def _faults() -> Iterator[str]:
    rows = []
    for spec in _members(AnyFault):
        assert issubclass(spec, FaultSpec)
        about = " ".join((spec.__doc__ or "").split())
        shared = frozenset(FaultSpec.model_fields) | {"for"} | (frozenset({"metric"}) if issubclass(spec, ValueFaultSpec) else frozenset())
        own = " ".join(_own(*key) for key in guide.keys(spec, leaving_out=shared))
        metric = "yes" if issubclass(spec, ValueFaultSpec) else ""
        rows.append((_kind(spec), about, metric, own, _ONLY_WITH[spec.needs]))
    yield from _table(("`kind`", "what happens", "`metric`", "keys of its own", "only with"), rows)


def _own(key: str, default: str, meaning: str) -> str:
    """Say a key inside a row of others."""
    standing = {"needed": " (needed)", "": ""}.get(default, f" ({default})")
    return f"`{key}`{standing}: {meaning}"


def _load() -> Iterator[str]:
    yield from _table(("key", "default", "meaning"), guide.keys(LoadSpec))


def _shapes() -> Iterator[str]:
    rows = []
    for spec in _members(Shape):
        own = " ".join(_own(*key) for key in guide.keys(spec, leaving_out=frozenset({"kind"})))
        rows.append((_kind(spec), str(spec.model_fields["kind"].description), own))
    yield from _table(("`kind`", "how the messages lie in time", "keys"), rows)


def _conventions() -> Iterator[str]:
    heads = ("convention", "says when", "`labels`", "`discovery`", "`will`", "commands", "metrics")
    yield from _table(heads, ((name, *_traits(dialect)) for name, dialect in DIALECTS.items()))


def _traits(dialect: type[Dialect]) -> tuple[str, ...]:
    has = (dialect.stamped, dialect.labelled, dialect.discovers, dialect.wills, dialect.obeys)
    words = "any" if dialect.metrics is None else ", ".join(sorted(dialect.metrics))
    return *("yes" if one else "" for one in has), words


def _members(union: object) -> tuple[type[Checked], ...]:
    """Give the models of an annotated union, in their order."""
    members: tuple[type[Checked], ...] = get_args(get_args(union)[0])
    return members


def _kind(spec: type[BaseModel]) -> str:
    return str(get_args(spec.model_fields["kind"].annotation)[0])


def _sections(model: type[Checked]) -> Iterator[tuple[str, type[Checked]]]:
    """Give the keys of a model that hold a section, and the model of that."""
    for name, field in model.model_fields.items():
        for one in (field.annotation, *get_args(field.annotation)):
            if isinstance(one, type) and issubclass(one, Checked):
                yield name, one


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, code: int = 1) -> Iterator[str]:
    """Write a table; its first columns, as many as `code` says, are code."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        cells = [f"`{cell}`" if place < code else cell for place, cell in enumerate(row)]
        yield f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|"


PARTS: Final[Mapping[str, Callable[[], Iterator[str]]]] = {
    "scenario": _scenario,
    "groups": _groups,
    "signals": _signals,
    "signal_parts": _signal_parts,
    "physics": _physics,
    "physics_keys": _physics_keys,
    "fault_times": _fault_times,
    "faults": _faults,
    "load": _load,
    "shapes": _shapes,
    "conventions": _conventions,
}
"""What makes each part of the page, by its mark."""

if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
