"""OPC UA PubSub over time: numbers of writers, what meta data have taught, and messages of any form."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import Catalogue
from devices.conventions import opcua_pubsub
from devices.reading import DeadLetter, Ignored, Message
from devices.samples import RECEIVED
from devices.vocabulary import words

TOPIC = "opcua/json/data/line-4/fast/boiler"
KEYS = st.sampled_from(
    words(
        "MessageId MessageType PublisherId Messages DataSetWriterId DataSetWriterName SequenceNumber Timestamp Status Payload Value Type Body"
        " StatusCode SourceTimestamp UaType TypeId Text Locale Id Code Symbol MetaData Fields Name Properties Key BuiltInType DisplayName X"
    )
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["ua-data", "ua-event", "ua-metadata", "ua-status", "ua-keepalive", "x", "", "NaN", "12", "Int64", "2026-09-02T11:59:50Z"]
    ),
)
BODIES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=6)), max_leaves=30
)


@pytest.fixture
def catalogue():
    return Catalogue()


def hear(catalogue, number, *, writer="boiler", kind="ua-keyframe", **more):
    message = {"DataSetWriterName": writer, "SequenceNumber": number, "MessageType": kind, "Payload": {"Level": 4.5}, **more}
    network = {"MessageId": "1", "MessageType": "ua-data", "PublisherId": "line-4", "Messages": [message]}
    return catalogue.readings(Message(TOPIC, msgspec.json.encode(network), RECEIVED))


def test_gaps_are_counted_for_each_writer(catalogue):
    """Two writers count for themselves; a keep-alive's number is the next one's."""
    for number, writer, missed in (
        (7, "boiler", {}),
        (90, "mixer", {}),
        (8, "boiler", {}),
        (91, "mixer", {}),
        (12, "boiler", {"line-4/boiler": 3}),
    ):
        (got,) = hear(catalogue, number, writer=writer)
        assert got.sequence == number
        assert catalogue.news.sequences.missed == missed
    assert isinstance(hear(catalogue, 13, kind="ua-keepalive", Payload=None), Ignored)
    hear(catalogue, 13)
    assert catalogue.news.sequences.missed == {}


def test_a_publisher_that_begins_anew_missed_nothing(catalogue):
    """After a restart the numbers are small again."""
    hear(catalogue, 500)
    hear(catalogue, 1)
    assert catalogue.news.sequences.missed == {}


def test_what_is_learned_is_bounded(catalogue, monkeypatch):
    """A flood of writers does not grow what is learned beyond its limit."""
    monkeypatch.setattr(opcua_pubsub, "MOST_WRITERS", 20)
    monkeypatch.setattr(opcua_pubsub, "MOST_FIELDS", 5)
    for number in range(100):
        described = {"Fields": [{"Name": f"f{field}", "BuiltInType": 10} for field in range(10)]}
        body = {"MessageType": "ua-metadata", "PublisherId": f"p{number}", "MetaData": described}
        catalogue.readings(Message("plant/ua", msgspec.json.encode(body), RECEIVED))
    learned = catalogue.learned["opcua_pubsub"]
    assert len(learned) == 20
    assert all(len(fields) == 5 for fields in learned.values())


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([TOPIC, "opcua/json/status/p", "opcua/json/metadata/p/g/w", "plant/ua"]), BODIES), max_size=4))
def test_any_json_becomes_an_outcome(rows):
    """No JSON makes decoding raise, and a catalogue that goes on from what was learned gives the same answers."""
    first, second = Catalogue(), Catalogue()
    for topic, body in rows:
        message = Message(topic, msgspec.json.encode(body), RECEIVED)
        outcome = first.readings(message)
        assert not isinstance(outcome, DeadLetter) or "bug" not in outcome.reason, outcome
        assert second.readings(message) == outcome
        second = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(second.learned)))
    assert first.learned == second.learned
