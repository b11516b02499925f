"""Every kind of fault: what it does to what a device says, and what the truth says of it."""

import json

import pytest
from paho.mqtt.client import topic_matches_sub

from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Message
from simulator.dialects import DIALECTS
from simulator.faults import KINDS
from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.world import World

EPOCH = 1_750_000_000 * SECOND
SOUND = dict.fromkeys(range(1, 21), 20.0)
"""What a device of these tests says at each second when nothing is wrong."""

PARAMETERS = {
    "spike": {"size": 15},
    "drift": {"per_minute": 60},
    "noise-burst": {"deviation": 5},
    "clock-skew": {"ahead": "1h"},
    "clock-jump": {"behind": "1h"},
    "schema-change": {"rename": {"temperature": "temp_c"}},
    "message-storm": {"per_second": 10},
    "late-answer": {"by": "3s"},
}
"""What kinds need beside the time."""


def scenario(*faults, **group):
    device = {"name": "probe", "convention": "plain_json", "metrics": {"temperature": {"base": 20}}} | group
    return Scenario.model_validate({"name": "lab", "physics": {"kind": "greenhouse"}, "devices": [device], "faults": list(faults)})


def fault(kind, **parameters):
    return {"kind": kind, "at": "5.5s", "for": "5s"} | PARAMETERS.get(kind, {}) | parameters


def run(scenario, until=20):
    """Let time pass, and give what is said (with the second in which it is), the truth, and the world."""
    world = World(scenario, epoch=EPOCH)
    said = [(second, message) for second in range(1, until + 1) for _, message in world.advance(second * SECOND)]
    return said, world.truth(), world


def temperatures(said):
    return {second: json.loads(message.payload).get("temperature") for second, message in said}


def stamps(said):
    return [json.loads(message.payload)["timestamp"] for _, message in said]


@pytest.mark.parametrize("kind", KINDS)
def test_fault_labelled_and_over(kind):
    """Every kind has one label, with its time and how much it touched; before and after it the device says what it would have said."""
    device = {"acts": "fan"} if KINDS[kind].__module__.endswith("actuators") else {}
    world = World(scenario(fault(kind), **device), epoch=EPOCH)
    sound = World(scenario(**device), epoch=EPOCH)
    assert [m for _, m in world.advance(5 * SECOND)] == [m for _, m in sound.advance(5 * SECOND)]
    world.advance(6 * SECOND)
    sound.advance(6 * SECOND)
    for one in (world, sound) if kind in ("nack", "late-answer") else ():
        one.hear(one.devices[0], "lab/probe/set", b'{"state":"OFF"}')
    assert [one.spec.kind for one in world.active] == [kind]
    hit, fine = (one.advance(10.5 * SECOND) for one in (world, sound))
    assert kind in ("nack", "late-answer") or hit != fine
    (label,) = world.truth()
    assert label["kind"] == kind
    assert label["device"] == ("probe-ghost" if kind == "retained-ghost" else "probe")
    assert (label["start"], label["end"]) == ("2025-06-15T15:06:45.500Z", "2025-06-15T15:06:50.500Z")
    assert label["messages"] > 0
    assert not world.active
    assert not world.devices[0].faults
    assert [m.payload for _, m in world.advance(20 * SECOND)] == [m.payload for _, m in sound.advance(20 * SECOND)]


def test_fault_spike():
    """The value is off by its size for as long as it lasts."""
    said, truth, _ = run(scenario(fault("spike")))
    assert temperatures(said) == SOUND | dict.fromkeys(range(6, 11), 35.0)
    assert (truth[0]["metric"], truth[0]["messages"]) == ("temperature", 5)


def test_fault_drift():
    """The value moves by so much a minute, from nothing."""
    said, _, _ = run(scenario(fault("drift")))
    assert [temperatures(said)[second] for second in (5, 6, 8, 10, 11)] == [20.0, 20.5, 22.5, 24.5, 20.0]


def test_fault_stuck():
    """The value stays what it was, or where it is told to."""
    walking = {"metrics": {"temperature": {"base": 20, "drift": 3600}}}
    said, _, _ = run(scenario(fault("stuck-at"), **walking))
    assert {temperatures(said)[second] for second in range(6, 11)} == {26.0}
    assert temperatures(said)[11] == 31.0
    said, _, _ = run(scenario(fault("stuck-at", value=85), **walking))
    assert {temperatures(said)[second] for second in range(6, 11)} == {85}


def test_fault_noise():
    """The value jumps about; without noise it would not."""
    said, _, _ = run(scenario(fault("noise-burst")))
    assert len({temperatures(said)[second] for second in range(6, 11)}) == 5


def test_fault_unit_flip():
    """°F for °C."""
    said, _, _ = run(scenario(fault("unit-flip")))
    assert temperatures(said)[8] == 68.0


def test_fault_dropout():
    """A device without a word; or without one of its metrics."""
    said, truth, _ = run(scenario(fault("dropout")))
    assert temperatures(said) == {second: 20.0 for second in SOUND if not 6 <= second <= 10}
    assert truth[0]["messages"] == 5
    both = {"metrics": {"temperature": {"base": 20}, "humidity": {"base": 50}}}
    said, truth, _ = run(scenario(fault("dropout", metric="humidity"), **both))
    assert [sorted(json.loads(message.payload))[:-1] for second, message in said if second in (5, 6)] == [
        ["humidity", "temperature"],
        ["temperature"],
    ]
    assert truth[0]["metric"] == "humidity"


@pytest.mark.parametrize(
    ("kind", "parameters", "stamp"),
    [
        ("clock-jump", {"ahead": "1h", "behind": None}, "2025-06-15T16:06:48.000Z"),
        ("clock-jump", {"behind": "10m"}, "2025-06-15T14:56:48.000Z"),
        ("clock-skew", {"ahead": "10s"}, "2025-06-15T15:06:53.000Z"),
        ("epoch-reset", {}, "1970-01-01T00:00:02.500Z"),
    ],
)
def test_fault_of_a_clock(kind, parameters, stamp):
    """What the device's clock shows 2.5 s into the fault, and that it is right afterwards."""
    said, _, _ = run(scenario(fault(kind, **parameters)))
    assert stamps(said)[7] == stamp
    assert stamps(said)[11] == "2025-06-15T15:06:52.000Z"


def test_fault_duplicates():
    """Every message twice, byte for byte."""
    said, _, _ = run(scenario(fault("duplicates")))
    assert [sum(second == at for at, _ in said) for second in (5, 6, 10, 11)] == [1, 2, 2, 1]
    assert len({message for _, message in said}) == 20


def test_fault_reordering():
    """Nothing is lost, but reports overtake each other; what is still held comes when it is over."""
    said, _, _ = run(scenario(fault("reordering")))
    written = stamps(said)
    assert len(written) == len(set(written)) == 20
    assert written != sorted(written)
    assert written[:5] == sorted(written[:5])


def test_fault_offline():
    """The device says nothing meanwhile and everything afterwards, each at its own time, and is offline in between."""
    world = World(scenario(fault("offline-then-flush")), epoch=EPOCH)
    world.advance(8 * SECOND)
    assert not world.devices[0].online
    said = world.advance(10.6 * SECOND)
    assert world.devices[0].online
    assert len(said) == 5
    assert len({json.loads(message.payload)["timestamp"] for _, message in said}) == 5


def test_fault_malformed_and_truncated():
    """No payload is what it was, and the share of them is as asked."""
    for kind in ("malformed", "truncated"):
        said, truth, _ = run(scenario(fault(kind)))
        for second, message in said:
            if 6 <= second <= 10:
                with pytest.raises(ValueError, match=r".*"):
                    json.loads(message.payload)
        assert truth[0]["messages"] == 5
    _, truth, _ = run(scenario(fault(kind, share=0.5, **{"for": "1000s"})), until=1010)
    assert 420 < truth[0]["messages"] < 580


@pytest.mark.parametrize("kind", ["malformed", "truncated"])
@pytest.mark.parametrize("convention", DIALECTS)
def test_fault_damage_is_a_dead_letter(convention, kind):
    """In every convention whatever is damaged cannot be decoded, and is on a topic that the truth names."""
    if DIALECTS[convention].bare and kind == "truncated":
        pytest.skip("what is cut off a value leaves a value")
    positions = {"track": {"points": [[48.1, 11.5], [48.2, 11.6]], "speed": 12.0}}
    metrics = {"position": positions} if convention == "owntracks" else {"temperature": {"base": 20, "noise": 1}}
    catalogue, letters = Catalogue(), []
    world = World(scenario(fault(kind, **{"at": "10s", "for": "100s"}), convention=convention, metrics=metrics), epoch=EPOCH)
    for message in world.devices[0].dialect.hello():
        catalogue.readings(Message(message.topic, message.payload, received=EPOCH))
    for second in range(1, 121):
        for _, message in world.advance(second * SECOND):
            outcome = catalogue.readings(Message(message.topic, message.payload, received=world.epoch))
            letters += [message.topic] if isinstance(outcome, DeadLetter) else []
    (label,) = world.truth()
    assert len(letters) == label["messages"] == 100
    assert {topic for topic in letters if not topic_matches_sub(label["topic"], topic)} == set()


def test_fault_schema_change():
    """Other names, or text for numbers."""
    said, _, _ = run(scenario(fault("schema-change")))
    assert [sorted(json.loads(said[index][1].payload)) for index in (4, 5)] == [["temperature", "timestamp"], ["temp_c", "timestamp"]]
    said, _, _ = run(scenario(fault("schema-change", rename={}, text=True)))
    assert json.loads(said[7][1].payload)["temperature"] == "20.0"


def test_fault_storm():
    """Reports come so often beside the usual ones."""
    said, _, _ = run(scenario(fault("message-storm")))
    assert [sum(second == at for at, _ in said) for second in (5, 7, 9, 12)] == [1, 11, 11, 1]


def test_fault_ghost():
    """A retained message of a device that is gone, a month old; removed in the end."""
    said, _, _ = run(scenario(fault("retained-ghost")))
    first, last = (message for _, message in said if message.topic == "lab/probe-ghost")
    assert (first.retain, json.loads(first.payload)["timestamp"]) == (True, "2025-05-16T15:06:45.500Z")
    assert (last.retain, last.payload) == (True, b"")


def test_fault_of_an_actuator():
    """One that refuses does nothing and says so; a late one answers later; a dead one neither hears nor reports, and comes back as it was."""
    topic, on = "lab/probe/set", b'{"state":"ON"}'
    world = World(scenario(fault("nack"), acts="fan"), epoch=EPOCH)
    world.advance(7 * SECOND)
    (answer,) = world.hear(world.devices[0], topic, on)
    assert json.loads(answer.payload)["state"] == "OFF"
    assert not world.physics.is_on("fan")
    world = World(scenario(fault("late-answer"), acts="fan", delay="1s"), epoch=EPOCH)
    world.advance(7 * SECOND)
    assert world.hear(world.devices[0], topic, on) == []
    assert {json.loads(message.payload)["state"] for _, message in world.advance(10 * SECOND)} == {"OFF"}
    assert next(json.loads(message.payload)["state"] for _, message in world.advance(11 * SECOND)) == "ON"
    world = World(scenario(fault("dead"), acts="fan"), epoch=EPOCH)
    world.advance(7 * SECOND)
    assert world.hear(world.devices[0], topic, on) == []
    assert world.advance(10 * SECOND) == []
    assert [json.loads(message.payload)["state"] for _, message in world.advance(10.6 * SECOND)] == ["OFF"]


def test_faults_together():
    """Faults of one device act one after the other, each on what the one before left."""
    said, truth, _ = run(scenario(fault("spike"), fault("unit-flip")))
    assert temperatures(said)[8] == 95.0
    assert len(truth) == 2


@pytest.mark.parametrize(
    ("hidden", "hiding"),
    [
        (fault("spike"), fault("dropout")),
        (fault("spike"), fault("dead")),
        (fault("clock-jump"), fault("dead")),
        (fault("drift"), fault("dropout", metric="temperature")),
        (fault("schema-change"), fault("dropout", metric="temperature")),
        (fault("spike"), fault("stuck-at", value=20)),
        (fault("spike"), fault("malformed")),
        (fault("spike", size=0.0001), fault("duplicates")),
    ],
)
def test_faults_that_do_not_show_touch_nothing(hidden, hiding):
    """What another fault hides, or what the sensor's digits cannot show, is labelled with no messages: nobody could find it."""
    order = [hiding, hidden] if hidden["kind"] == "schema-change" else [hidden, hiding]
    _, truth, _ = run(scenario(*order), until=40)
    assert {label["kind"]: label["messages"] > 0 for label in truth} == {hidden["kind"]: False, hiding["kind"]: True}


def test_faults_damage_before_they_travel():
    """Reports that are held back are damaged as well, each of them."""
    _, truth, _ = run(scenario(fault("reordering"), fault("malformed")))
    assert [label["messages"] for label in truth] == [5, 5]


def test_faults_have_the_digits_of_the_sensor():
    """A drift does not give itself away by more digits than there were before."""
    said, _, _ = run(scenario(fault("drift", per_minute=7.7)))
    assert all(value == round(value, 2) for value in temperatures(said).values())


def test_faults_under_way_go_on():
    """A world that is taken up again in the middle of a fault has the rest of it, and the label says that it is a rest."""
    lab = scenario(fault("stuck-at"))
    world = World(lab, epoch=EPOCH)
    world.advance(8 * SECOND)
    kept = json.loads(json.dumps(world.state()))
    world.end()
    later = World(lab, epoch=EPOCH + 100 * SECOND)
    later.restore(kept)
    later.advance(20 * SECOND)
    (first,), (rest,) = world.truth(), later.truth()
    assert "continued" not in first
    assert (rest["continued"], rest["messages"], rest["end"]) == (True, 2, "2025-06-15T15:08:22.500Z")


def test_faults_end_with_the_run():
    """A fault that lasts when the run ends is labelled up to there."""
    world = World(scenario(fault("offline-then-flush")), epoch=EPOCH)
    world.advance(8 * SECOND)
    assert len(world.end()) == 3
    (label,) = world.truth()
    assert label["end"] == "2025-06-15T15:06:48.000Z"
