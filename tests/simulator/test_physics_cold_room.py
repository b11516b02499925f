"""The cold room: warms without its compressor, freezes with it, and no heat is lost on the way."""

import pytest
from pydantic import ValidationError

from simulator.nanoseconds import HOUR, SECOND
from simulator.physics import ColdRoom, ColdRoomSpec

STEP = SECOND // 10


def _room(seed=1, **spec):
    return ColdRoom(ColdRoomSpec(kind="cold_room", **spec), seed=seed)


def _run(room, first, last):
    """Temperatures at every second from first to last."""
    temperatures = []
    for second in range(first, last + 1):
        room.advance(second * SECOND)
        temperatures.append(room.quantities()["temperature"])
    return temperatures


@pytest.mark.parametrize("seed", range(3))
def test_cold_room_without_compressor(seed):
    """From 4 °C it is above 8 °C within 40 s, and goes on to what walls and load come to."""
    temperatures = _run(_room(seed), 1, 600)
    assert all(temperature > 8 for temperature in temperatures[40:])
    assert temperatures[-1] == pytest.approx(22 + 120 / 40, abs=1)


@pytest.mark.parametrize("seed", range(3))
def test_cold_room_compressor_never_off(seed):
    """With the compressor always on it freezes within a minute, and no further than the compressor can."""
    room = _room(seed)
    room.switch("compressor", on=True)
    temperatures = _run(room, 1, 600)
    assert all(temperature < 0 for temperature in temperatures[60:])
    assert min(temperatures) > -8


def test_cold_room_evaporator():
    """The evaporator is colder than the room while the compressor runs, and follows the room when it stops."""
    room = _room()
    room.switch("compressor", on=True)
    room.advance(20 * SECOND)
    seen = room.quantities()
    assert seen["temperature"] - seen["evaporator_temperature"] > 5
    room.switch("compressor", on=False)
    room.advance(40 * SECOND)
    seen = room.quantities()
    assert seen["temperature"] - seen["evaporator_temperature"] < 1


def test_cold_room_heat_is_kept():
    """Over half an hour of switching, what came in less what the compressor took out is what room and evaporator took up."""
    room = _room(unrest=0, door={"every": "70s", "open": "10s"})
    spec, came, begin = ColdRoomSpec(kind="cold_room"), 0.0, room.quantities()
    for step in range(18_000):
        room.switch("compressor", on=step // 150 % 2 == 0)
        seen = room.quantities()
        passage = spec.insulation + spec.open_door * seen["door"]
        came += (passage * (spec.outside.temperature - seen["temperature"]) + spec.load - seen["cooling_power"]) * STEP / SECOND
        room.advance((step + 1) * STEP)
    end = room.quantities()
    room_took = spec.heat_capacity * 1000 * (end["temperature"] - begin["temperature"])
    evaporator_took = spec.evaporator_capacity * 1000 * (end["evaporator_temperature"] - begin["evaporator_temperature"])
    assert room_took + evaporator_took == pytest.approx(came, abs=0.01)


def test_cold_room_energy():
    """Energy is power over time, the compressor's only while it runs."""
    room = _room()
    room.advance(HOUR // 2)
    room.switch("compressor", on=True)
    assert room.quantities()["power"] == 980
    room.advance(HOUR)
    assert room.quantities()["energy"] == pytest.approx(0.080 + 0.900 / 2)


def test_cold_room_door_opens_by_itself():
    """Somebody opens the door for 10 s in every minute, the first time after one."""
    room = _room(door={"every": "1m", "open": "10s"})
    opened = []
    for tenth in range(1500):
        room.advance(tenth * STEP)
        if room.quantities()["door"]:
            opened.append(tenth)
    assert opened == [*range(600, 700), *range(1200, 1300)]


def test_cold_room_door_told():
    """A door that was opened can be shut before its time, and is opened again in the next round."""
    room = _room(door={"every": "1m", "open": "10s"})
    room.advance(61 * SECOND)
    assert room.is_on("door")
    room.switch("door", on=False)
    room.advance(65 * SECOND)
    assert not room.is_on("door")
    room.advance(121 * SECOND)
    assert room.is_on("door")


def test_cold_room_door_released():
    """That nobody holds the door's motor shuts it, but not before somebody who comes and goes."""
    room = _room(door={"every": "1m", "open": "10s"})
    room.switch("door", on=True)
    room.release("door")
    assert not room.is_on("door")
    room.advance(61 * SECOND)
    room.release("door")
    assert room.is_on("door")


def test_cold_room_door_lets_in_warmth_and_damp():
    """With the door open it warms faster, and gets damper, than with it shut."""
    shut, opened = _room(), _room()
    opened.switch("door", on=True)
    for room in (shut, opened):
        room.advance(10 * SECOND)
    assert opened.quantities()["temperature"] > shut.quantities()["temperature"] + 1
    assert opened.quantities()["humidity"] > shut.quantities()["humidity"] + 5


def test_cold_room_evaporator_dries():
    """A cold evaporator takes water out of the air: the same air is drier for it."""
    room = _room(breathing="1h")
    room.switch("compressor", on=True)
    room.advance(15 * SECOND)
    room.switch("compressor", on=False)
    before = room.quantities()["humidity"]
    assert before < 85
    _run(room, 16, 60)
    assert room.quantities()["humidity"] < before


@pytest.mark.parametrize(
    ("spec", "fragment"),
    [
        ({"door": {"every": "10s", "open": "10s"}}, "open must be shorter than every"),
        ({"heat_capacity": 0.3}, "heat_capacity must be at least 0.35"),
        ({"evaporator_capacity": 0.1}, "evaporator_capacity must be at least 0.338"),
        ({"coldest": 3}, "less than 0"),
    ],
)
def test_cold_room_spec_refused(spec, fragment):
    """What the steps could not follow is refused with the least that they can."""
    with pytest.raises(ValidationError, match=fragment):
        ColdRoomSpec(kind="cold_room", **spec)
