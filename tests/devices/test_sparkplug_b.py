"""Sparkplug B over time: births, deaths, numbers out of turn, and a node that obeys what is encoded."""

import base64

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import Catalogue
from devices.conventions import sparkplug_b
from devices.conventions import sparkplug_payload as sparkplug
from devices.reading import Address, CommandError, DeadLetter, Held, Ignored, Message
from devices.samples import RECEIVED, samples
from simulator.dialects.sparkplug_b import SparkplugB

SECOND = 1_000_000_000
NODE = "plant/press"
REBIRTH = {"Node Control/Rebirth": True}


@pytest.fixture
def catalogue():
    return Catalogue()


@pytest.fixture
def node():
    return SparkplugB("press")


def hear(catalogue, messages, at=RECEIVED, *, retained=False):
    """Decode messages, all but the last only for what they teach."""
    outcome = None
    for message in messages:
        outcome = catalogue.readings(Message(message.topic, message.payload, at, retained=retained))
    return outcome


def report(node, value, at=RECEIVED, on=None):
    return node.report({"temperature": value}, on=on, at=at)


def test_data_before_birth_are_held_and_asked_for_once(catalogue, node):
    """A gateway that came late asks for a birth at once, not with every message, and the birth lets what was held be read."""
    report(node, 20.0)
    data = report(node, 21.0)
    for turn in range(3):
        held = hear(catalogue, data)
        assert (held.device, held.stream) == (NODE, NODE)
        asked = [(ask.device, ask.settings) for ask in catalogue.news.asks]
        assert asked == ([(NODE, REBIRTH)] if turn == 0 else [])
    (command,) = catalogue.encode(catalogue.address(NODE), NODE, REBIRTH)
    assert node.hear(command.topic, command.payload) is not None
    hear(catalogue, node.answer({"temperature": 22.0}, on=False, at=RECEIVED))
    assert catalogue.news.born == {NODE}
    (late,) = hear(catalogue, data)
    assert (late.key, late.value, late.unit) == ("Temperature", 21.0, "°C")


def test_rebirth_is_asked_for_again_after_a_while(catalogue, node):
    """A request can be lost; a minute later the next is sent."""
    report(node, 20.0)
    data = report(node, 21.0)
    counts = []
    for seconds in (0, 59, 60, 61, 120):
        hear(catalogue, data, RECEIVED + seconds * SECOND)
        counts.append(len(catalogue.news.asks))
    assert counts == [1, 0, 1, 0, 1]


def test_retained_data_ask_for_nothing(catalogue, node):
    """What was retained is not of now, and sends no command."""
    report(node, 20.0)
    assert isinstance(hear(catalogue, report(node, 21.0), retained=True), Held)
    assert not catalogue.news.asks


def test_numbers_out_of_turn_are_counted_and_ask_for_a_rebirth(catalogue, node):
    """Three messages lost: their number is counted for the node, a rebirth is asked for, and what came is read."""
    hear(catalogue, report(node, 20.0))
    hear(catalogue, report(node, 20.1))
    for value in (20.2, 20.3, 20.4):
        report(node, value)
    (got,) = hear(catalogue, report(node, 20.5))
    assert (got.value, got.sequence) == (20.5, 5)
    assert catalogue.news.sequences.missed == {NODE: 3}
    assert [ask.settings for ask in catalogue.news.asks] == [REBIRTH]


def test_numbers_begin_again_after_255(catalogue, node):
    """A node that sends for long has no gap."""
    hear(catalogue, report(node, 20.0))
    for step in range(600):
        hear(catalogue, report(node, 20.0 + step))
        assert not catalogue.news.asks
        assert not catalogue.news.sequences.missed


def test_online_is_said_only_after_a_death(catalogue, node):
    """A first birth, and a rebirth, are no news of being online; a birth after a death is."""

    def online(outcome):
        return [one.value for one in outcome if one.metric == "online"]

    assert online(hear(catalogue, report(node, 20.0))) == []
    node.hello()
    assert online(hear(catalogue, report(node, 20.0))) == []
    assert online(hear(catalogue, [node.will()])) == [False]
    node.hello()
    assert online(hear(catalogue, report(node, 20.0))) == [True]


def test_learned_survives_a_restart(catalogue, node):
    """What births have taught goes through a snapshot; so do deaths, and the number that is due."""
    hear(catalogue, report(node, 20.0))
    second = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(catalogue.learned)))
    data = report(node, 21.0)
    assert hear(second, data) == hear(catalogue, data)
    assert second.learned == catalogue.learned
    assert second.address(NODE) == catalogue.address(NODE)


@pytest.mark.parametrize("setting", ["state", "State"])
def test_command_obeyed_and_confirmed(catalogue, node, setting):
    """A node hears its output by the series or the metric's name, and its answer is what is expected."""
    hear(catalogue, report(node, 20.0, on=False))
    for word, on in (("ON", True), ("OFF", False)):
        (command,) = Catalogue().encode(catalogue.address(NODE), NODE, {setting: word})
        assert isinstance(hear(catalogue, [command]), Ignored)
        assert command.topic in node.listens()
        assert node.hear(command.topic, command.payload).on is on
        (answer,) = hear(catalogue, node.answer({}, on=on, at=RECEIVED))
        (expected,) = command.expects
        assert (answer.metric, answer.channel, answer.value) == (expected.metric, expected.channel, expected.value)


DATATYPES = [
    (sparkplug.INT8, -128, -129),
    (sparkplug.INT16, 32767, 32768),
    (sparkplug.INT32, -(2**31), 2**31),
    (sparkplug.INT64, -(2**63), 2**63),
    (sparkplug.UINT8, 255, 256),
    (sparkplug.UINT16, 0, -1),
    (sparkplug.UINT32, 2**32 - 1, 2**32),
    (sparkplug.UINT64, 2**64 - 1, 1.5),
    (sparkplug.FLOAT, 0.1, 1e39),
    (sparkplug.DOUBLE, 0.1, "warm"),
    (sparkplug.BOOLEAN, True, 2),
    (sparkplug.STRING, "idle", 5),
    (sparkplug.DATE_TIME, 1_788_350_400_000, -1),
]


@pytest.mark.parametrize(("datatype", "right", "wrong"), DATATYPES)
def test_commands_of_every_data_type_come_back(catalogue, datatype, right, wrong):
    """What is encoded in a type, reported back as it came, confirms the command; what does not fit the type is refused."""
    birth = sparkplug.Payload(timestamp=RECEIVED // 1_000_000, seq=0)
    birth.metrics.add(name="Out/X", alias=0, datatype=datatype)
    catalogue.readings(Message("spBv1.0/g/NBIRTH/n", birth.SerializeToString(), RECEIVED))
    address = Address("sparkplug_b", catalogue.conventions["sparkplug_b"].base_of("g/n", ""))
    (command,) = catalogue.encode(address, "g/n", {"Out/X": right})
    (got,) = catalogue.readings(Message("spBv1.0/g/NDATA/n", command.payload, RECEIVED))
    (expected,) = command.expects
    assert (got.metric, got.channel, got.value) == (expected.metric, expected.channel, expected.value)
    with pytest.raises(CommandError, match="must be"):
        catalogue.encode(address, "g/n", {"Out/X": wrong})


def test_what_is_learned_is_bounded(catalogue, monkeypatch):
    """A flood of nodes, devices and metrics does not grow what is learned beyond its limits."""
    monkeypatch.setattr(sparkplug_b, "MOST_LEARNED", 200)
    monkeypatch.setattr(sparkplug_b, "MOST_MEMBERS", 20)
    birth = sparkplug.Payload(seq=0)
    for number in range(5):
        birth.metrics.add(name=f"m{number}", alias=number, datatype=sparkplug.INT32, int_value=number)
    payload = birth.SerializeToString()
    for number in range(300):
        for topic in (f"NBIRTH/n{number}", f"DBIRTH/n{number}/d", f"DDEATH/one/d{number}", f"DBIRTH/two/d{number}", f"NDATA/n{number}x"):
            catalogue.readings(Message(f"spBv1.0/g/{topic}", payload, RECEIVED))
    learned = catalogue.learned["sparkplug_b"]
    assert sum(1 + sum(1 + len(member["metrics"]) for member in node["members"].values()) for node in learned.values()) <= 200
    assert all(len(node["members"]) <= 20 for node in learned.values())


PAYLOADS = [base64.b64decode(one.payload_b64) for one in samples("sparkplug_b") if one.topic and one.payload_b64]
KINDS = ["NBIRTH/n", "NDATA/n", "NDEATH/n", "DBIRTH/n/d", "DDATA/n/d", "DDEATH/n/d"]


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.sampled_from(PAYLOADS), st.integers(0, 200), st.integers(0, 9), st.binary(max_size=6)),
        max_size=6,
    )
)
def test_damaged_payloads_become_outcomes(rows):
    """No bytes make decoding raise, whatever births they claim to be, and a resumed catalogue gives the same answers."""
    first, second = Catalogue(), Catalogue()
    for kind, payload, at, size, patch in rows:
        message = Message(f"spBv1.0/g/{kind}", payload[:at] + patch + payload[at + size :], RECEIVED)
        outcome = first.readings(message)
        assert not isinstance(outcome, DeadLetter) or "bug" not in outcome.reason, outcome
        assert second.readings(message) == outcome
        second = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(second.learned)))
    assert first.learned == second.learned


def test_name_that_is_not_utf8_is_refused(catalogue):
    """The library hands such a name over as bytes."""
    outcome = catalogue.readings(Message("spBv1.0/g/NDATA/n", b"\x12\x06\x0a\x02\xff\xfe\x70\x01", RECEIVED))
    assert isinstance(outcome, DeadLetter)
    assert "UTF-8" in outcome.reason
