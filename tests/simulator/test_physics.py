"""What every model of physics promises, whatever it models."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from simulator.nanoseconds import SECOND
from simulator.physics import PHYSICS, AnyPhysics, made

SPECS = TypeAdapter(AnyPhysics)
FULL = {
    "greenhouse": {"day": "30s"},
    "cold_room": {"door": {"every": "7s", "open": "3s"}},
    "water_tank": {"leak": {"at": "5s", "rate": 3}},
    "battery": {"day": "30s"},
}
"""What makes each kind do all it can, within a minute."""
LOWEST = {"temperature": -60, "evaporator_temperature": -60, "current": -500, "power": -10_000}
HIGHEST = {"humidity": 100, "level": 100, "battery": 100, "door": 1, "water_leak": 1, "temperature": 60, "voltage": 75}

PLAYS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 3), st.booleans()), max_size=12)
"""Tenths of a second to wait, and then which actuator to turn on or off."""


def _model(kind, seed=1):
    return made(SPECS.validate_python({"kind": kind, **FULL[kind]}), seed=seed)


def _play(model, play, *, looks=1, begin=0):
    """Wait and switch as the play says, looking in between so many times, and give how things are after each wait."""
    seen, now = [], begin
    for tenths, actuator, on in play:
        for look in range(1, looks + 1):
            model.advance(now + tenths * SECOND // 10 * look // looks)
        now += tenths * SECOND // 10
        seen.append(model.quantities())
        model.switch(model.actuators[actuator % len(model.actuators)], on=on)
    return seen


def test_physics_registry():
    """A scenario can have each kind in the registry, and no other."""
    kinds = {schema["properties"]["kind"]["const"] for schema in SPECS.json_schema()["$defs"].values() if "kind" in schema["properties"]}
    assert kinds == set(PHYSICS) == set(FULL)
    for kind, model in PHYSICS.items():
        assert model.kind == kind
        assert isinstance(made(SPECS.validate_python({"kind": kind}), seed=1), model)


@pytest.mark.parametrize("kind", PHYSICS)
def test_physics_quantities_named(kind):
    """It gives what it says it measures, and its actuators are at first as at rest."""
    model = _model(kind)
    assert tuple(model.quantities()) == model.measures
    assert {actuator for actuator in model.actuators if model.is_on(actuator)} == model.on_at_rest


@pytest.mark.parametrize("kind", PHYSICS)
def test_physics_released(kind):
    """An actuator that nobody holds any more goes back to rest."""
    model = _model(kind)
    for actuator in model.actuators:
        model.switch(actuator, on=actuator not in model.on_at_rest)
        model.release(actuator)
    assert {actuator for actuator in model.actuators if model.is_on(actuator)} == model.on_at_rest


@pytest.mark.parametrize("kind", PHYSICS)
def test_physics_unknown_actuator(kind):
    """An actuator that is not there is refused by name."""
    with pytest.raises(ValueError, match=f"{kind}: no actuator 'sprinkler'; got one of {PHYSICS[kind].actuators[0]}"):
        _model(kind).switch("sprinkler", on=True)


@pytest.mark.parametrize("kind", PHYSICS)
@settings(max_examples=15, deadline=None)
@given(play=PLAYS)
def test_physics_looks_do_not_matter(kind, play):
    """What happens does not depend on how often anybody looks."""
    once, often = _model(kind), _model(kind)
    assert _play(once, play) == _play(often, play, looks=7)
    assert once.state() == often.state()


@pytest.mark.parametrize("kind", PHYSICS)
@settings(max_examples=15, deadline=None)
@given(before=PLAYS, after=PLAYS)
def test_physics_resumed(kind, before, after):
    """A model that takes up a state, through JSON, has the same future, whatever its own seed was."""
    model, later = _model(kind), _model(kind, seed=2)
    _play(model, before)
    later.restore(json.loads(json.dumps(model.state())))
    now = sum(tenths for tenths, _, _ in before) * SECOND // 10
    assert _play(later, after, begin=now) == _play(model, after, begin=now)
    assert later.state() == model.state()


@pytest.mark.parametrize("kind", PHYSICS)
@settings(max_examples=15, deadline=None)
@given(play=PLAYS)
def test_physics_bounded(kind, play):
    """Shares stay within 0 and 100, and nothing but temperatures and what flows into a battery is below 0."""
    for seen in _play(_model(kind), play):
        for name, value in seen.items():
            assert LOWEST.get(name, 0) <= value <= HIGHEST.get(name, 1e6), (name, value)


@pytest.mark.parametrize("kind", PHYSICS)
def test_physics_seeded(kind):
    """The same seed gives the same world, and another seed another."""
    worlds = [_model(kind, seed) for seed in (1, 1, 2)]
    for world in worlds:
        world.advance(10 * SECOND)
    first, again, other = [world.quantities() for world in worlds]
    assert first == again != other


@pytest.mark.parametrize("kind", PHYSICS)
def test_physics_bad_state_refused(kind):
    """A state of another kind, or with an actuator that is not there, is refused and changes nothing."""
    model = _model(kind)
    model.advance(SECOND)
    kept = model.state()
    other = _model("battery" if kind != "battery" else "greenhouse").state()
    for state in ({}, other, {**kept, "on": ["sprinkler"]}, {**kept, "now": {}}, {**kept, "steps": None}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            model.restore(state)
        assert model.state() == kept
