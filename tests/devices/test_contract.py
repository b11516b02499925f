"""What holds for every convention: nothing raises, series are unique, units are known, what is encoded is confirmed."""

import contextlib
import copy
import json
import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import vocabulary
from devices.catalogue import CONVENTIONS, Catalogue
from devices.profile import Profile
from devices.reading import Address, CommandError, DeadLetter, Held, Ignored, Message
from devices.samples import RECEIVED, samples

MANY = int(os.environ.get("FUZZ", "1"))
"""How many times as many examples as usual: `FUZZ=100 pytest tests/devices/test_contract.py`."""

TOPICS = sorted(
    {one.topic for made in CONVENTIONS for one in samples(made.name) if one.topic}
    | {"", "/", "a", "//", "$SYS/x", "zigbee2mqtt/", "tele//SENSOR", "1/2/3", "x/set", "stat/x/STATUS0", "tele/x/ENERGY", "tele/x/RESULT"}
    | {"zigbee2mqtt/bridge/devices", "zigbee2mqtt/x/y", "zigbee2mqtt/x/availability", "sensors/data", "stat/x/STATUS7"}
)
SAMPLES = [sample for made in CONVENTIONS for sample in samples(made.name)]
MESSAGES = [one.message() for sample in SAMPLES for one in (*sample.after, sample, *sample.reported) if one.topic]


def keys_of(body):
    """Every key of an object and of those inside it."""
    if isinstance(body, dict):
        return {*body, *(key for value in body.values() for key in keys_of(value))}
    return {key for one in body for key in keys_of(one)} if isinstance(body, list) else set()


def keys_of_samples():
    found = set()
    for message in MESSAGES:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
            found |= keys_of(msgspec.json.decode(message.payload))
    return sorted(found)


WORDS = st.sampled_from([*keys_of_samples(), *(str(n) for n in range(4)), "Temperature", "UTC", "Local"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["ON", "OFF", "2026-09-02T12:00:00", "2026-09-02T12:00:00Z", "C", "%", "21.5 °C", "on", "0x12AB", "Int16"]),
    st.sampled_from([1788350000, 1788350000123, 0, 3005]),
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.one_of(WORDS, st.text(max_size=6)), inner, max_size=6)),
    max_leaves=20,
)


def check_outcome(outcome) -> None:
    if isinstance(outcome, (Ignored, DeadLetter, Held)):
        assert outcome.reason
        assert "bug in decoding" not in outcome.reason, outcome.reason
        return
    assert outcome
    identities = [(one.device, one.metric, one.channel, one.ts) for one in outcome]
    assert len(set(identities)) == len(identities), identities
    for one in outcome:
        assert one.device
        assert one.metric
        assert one.value is not None
        assert one.value != ""
        msgspec.json.encode(one)


@settings(max_examples=400 * MANY, deadline=None)
@given(st.sampled_from(TOPICS), BODIES)
def test_any_json_becomes_an_outcome(topic, body):
    """No JSON on any topic makes decoding raise, and a message names each series once at any one time."""
    check_outcome(Catalogue().readings(Message(topic, msgspec.json.encode(body), RECEIVED)))


@settings(max_examples=300 * MANY, deadline=None)
@given(st.sampled_from(TOPICS), st.binary(max_size=60))
def test_any_bytes_become_an_outcome(topic, payload):
    """No bytes on any topic make decoding raise."""
    check_outcome(Catalogue().readings(Message(topic, payload, RECEIVED)))


@settings(max_examples=200 * MANY, deadline=None)
@given(st.text(max_size=40), st.sampled_from([b"21.5", b"ON", b'{"temperature": 1}', b'[{"temp": 1}]']))
def test_any_topic_becomes_an_outcome(topic, payload):
    """No topic makes decoding raise."""
    check_outcome(Catalogue().readings(Message(topic, payload, RECEIVED)))


@settings(max_examples=300 * MANY, deadline=None)
@given(st.sampled_from(MESSAGES), st.integers(0, 400), st.integers(0, 400), st.binary(max_size=4))
def test_damaged_samples_become_outcomes(message, start, size, patch):
    """A sample with a piece cut out or overwritten never raises."""
    payload = message.payload[:start] + patch + message.payload[start + size :]
    check_outcome(Catalogue().readings(Message(message.topic, payload, RECEIVED)))


@settings(max_examples=200 * MANY, deadline=None)
@given(st.lists(st.one_of(st.tuples(st.sampled_from(TOPICS), BODIES), st.sampled_from(MESSAGES)), max_size=12))
def test_same_messages_give_same_readings(messages):
    """A second catalogue, and one that goes on from what the first had learned half way, give the same answers."""
    first, second, half = Catalogue(), Catalogue(), len(messages) // 2
    rows = [one if isinstance(one, Message) else Message(one[0], msgspec.json.encode(one[1]), RECEIVED) for one in messages]
    answers = [first.readings(row) for row in rows]
    for row in rows[:half]:
        second.readings(row)
    resumed = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(second.learned)))
    assert [resumed.readings(row) for row in rows[half:]] == answers[half:]
    assert resumed.learned == first.learned


def addresses():
    """Where the devices of the samples' commands listen, as it is learned from what they said before."""
    found = {Address(name, "home/x"): "x" for name in ("zigbee2mqtt", "tasmota", "plain_json")}
    for sample in SAMPLES:
        if sample.command is not None:
            catalogue = Catalogue([Profile.model_validate(sample.profile)] if sample.profile else [])
            for earlier in sample.after:
                catalogue.readings(earlier.message())
            if address := catalogue.address(sample.command.device):
                found[address] = sample.command.device
    return sorted(found.items(), key=repr)


SETTINGS = sorted({setting for sample in SAMPLES if sample.command for setting in sample.command.set})


@settings(max_examples=400 * MANY, deadline=None)
@given(
    st.sampled_from(addresses()),
    st.dictionaries(
        st.one_of(st.sampled_from(SETTINGS), WORDS, st.text(max_size=8)), SCALARS.filter(lambda v: v is not None), min_size=1, max_size=3
    ),
)
def test_encoding_raises_nothing_but_command_errors(address, wanted):
    """Any settings become messages that can be published, each with what confirms it, or a CommandError."""
    with contextlib.suppress(CommandError):
        encoded = Catalogue().encode(address[0], address[1], wanted)
        assert encoded
        assert all(one.topic and one.expects and not set("+#") & set(one.topic) for one in encoded)


def test_conventions_share_no_topic():
    """At most one convention with topics of its own recognises a sample's topic, and it is the sample's."""
    catalogue = Catalogue()
    own = [one for one in catalogue.conventions.values() if one.owns]
    for made in CONVENTIONS:
        for sample in samples(made.name):
            if sample.topic and not sample.after and not sample.profile:
                levels = tuple(sample.topic.split("/"))
                takers = [one.name for one in own if one.recognise(sample.topic, levels) is not None]
                by_shape = made.marks and not takers  # what a dialect with topics of its own also says elsewhere
                assert by_shape or takers == ([made.name] if made.owns else []), sample.topic


@pytest.mark.parametrize("made", CONVENTIONS)
def test_units_of_samples_are_known(made):
    """Every unit that samples bring out is a canonical one of the vocabulary."""
    for sample in samples(made.name):
        for one in sample.readings or ():
            assert one.unit is None or one.unit in vocabulary.CANONICAL.values()


def test_vocabulary_is_consistent():
    """Synonyms lead to metrics, unit names to units, quantities to canonical units, in every table."""
    assert set(vocabulary.SYNONYMS.values()) <= set(vocabulary.METRICS)
    assert not set(vocabulary.SYNONYMS) & set(vocabulary.METRICS)
    assert set(vocabulary.UNIT_NAMES.values()) <= set(vocabulary.UNITS)
    assert {unit.quantity for unit in vocabulary.UNITS.values()} <= set(vocabulary.CANONICAL)
    assert {quantity for quantity in vocabulary.METRICS.values() if quantity} <= set(vocabulary.CANONICAL)
    assert set(vocabulary.CODES) == set(vocabulary.CANONICAL.values())
    assert all(vocabulary.unit_named(unit) for unit, _, _ in vocabulary.BARE.values())
    assert all(vocabulary.UNIT_NAMES.get(suffix, suffix) in vocabulary.UNITS for suffix in vocabulary.SUFFIXES)


def test_what_is_learned_is_bounded(monkeypatch):
    """A flood of names, topics and keys does not grow what is learned or remembered beyond its limits."""
    monkeypatch.setattr("devices.catalogue.MOST_ADDRESSES", 50)
    monkeypatch.setattr("devices.catalogue.MOST_ROUTES", 50)
    monkeypatch.setattr("devices.conventions.plain_scalar.MOST_TOPICS", 50)
    monkeypatch.setattr("devices.conventions.tasmota.MOST_OFFSETS", 50)
    catalogue = Catalogue()
    for number in range(400):
        catalogue.readings(Message(f"home/d{number}/m{number}", b"1", RECEIVED))
        catalogue.readings(Message(f"home/one/m{number}", b"1", RECEIVED))
        catalogue.readings(Message(f"tele/d{number}/STATE", b'{"Time":"2026-09-02T13:50:00","Epoch":1788349800,"POWER":"ON"}', RECEIVED))
        catalogue.readings(Message(f"base{number}/bridge/devices", b'[{"ieee_address":"1"}]', RECEIVED))
    assert len(catalogue.learned["addresses"]) <= 50
    assert sum(map(len, catalogue.learned["plain_scalar"].values())) <= 50
    assert all(len(topics) <= 32 for topics in catalogue.learned["plain_scalar"].values())
    assert len(catalogue.learned["tasmota"]) <= 50
    assert len(catalogue.learned["zigbee2mqtt"]) <= 32
    assert len(catalogue._routes) <= 50


def with_one_too_great(body):
    """Variants of JSON in which one value is an integer that no snapshot holds."""
    for key, value in list(body.items()) if isinstance(body, dict) else list(enumerate(body[:4])) if isinstance(body, list) else ():
        for other in (10**30, *with_one_too_great(value)):
            variant = copy.copy(body)
            variant[key] = other
            yield variant


@pytest.mark.parametrize("made", CONVENTIONS)
def test_what_is_learned_can_be_kept(made):
    """No number in any message makes what is learned too great for the snapshot that keeps it."""
    for sample in samples(made.name):
        messages = [one.message() for one in (*sample.after, sample, *sample.reported) if one.topic]
        for place, message in enumerate(messages):
            try:
                body = msgspec.json.decode(message.payload)
            except (msgspec.MsgspecError, UnicodeError):
                continue
            catalogue = Catalogue([Profile.model_validate(sample.profile)] if sample.profile else [])
            for earlier in messages[:place]:
                catalogue.readings(earlier)
            for variant in with_one_too_great(body):
                catalogue.readings(Message(message.topic, json.dumps(variant).encode(), RECEIVED))
            msgspec.msgpack.encode(catalogue.learned)
