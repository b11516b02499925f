"""SenML: a pack means the same in JSON, in CBOR, and resolved; no pack makes decoding raise."""

import cbor2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import Catalogue
from devices.conventions.senml import LABELS
from devices.reading import DeadLetter, Ignored, Message
from devices.samples import RECEIVED, samples

NUMBERS = {name: int(number) for number, name in LABELS.items()}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "Cel", "lat", "urn:dev:ow:1:", "urn:dev:ow:1", "temp", "/", ":", "1", 1_788_350_390, 1e308, -1e308, -5, 0.1]),
    st.lists(st.integers(), max_size=2),
)
RECORDS = st.dictionaries(st.one_of(st.sampled_from(sorted(NUMBERS)), st.sampled_from(["x", "x_"])), VALUES, max_size=6)


def read(payload):
    outcome = Catalogue().readings(Message("field/north", payload, RECEIVED))
    if not isinstance(outcome, list):
        return outcome
    return [(one.device, one.key, one.metric, one.channel, one.value, one.unit, one.ts, one.time_source) for one in outcome]


def in_cbor(pack):
    return cbor2.dumps([{NUMBERS.get(field, field): value for field, value in record.items()} for record in pack])


SAMPLES = [msgspec.json.decode(one.payload) for one in samples("senml") if one.payload and one.readings]
PACKS = [pack for pack in SAMPLES if isinstance(pack, list)]


@pytest.mark.parametrize("pack", PACKS, ids=range(len(PACKS)))
def test_packs_mean_the_same_in_cbor(pack):
    """The numbers stand for the names."""
    assert read(in_cbor(pack)) == read(msgspec.json.encode(pack))


def test_resolved_records_mean_the_same():
    """What base fields say once may be said in each record instead (RFC 8428, section 4.6)."""
    packed = [
        {"bn": "urn:dev:ow:28ff641f7b16045c:", "bt": 1_788_350_390.5, "bu": "Cel", "n": "in", "v": 20.5, "t": -10},
        {"n": "out", "v": 3.25},
        {"n": "damp", "u": "%RH", "v": 60},
    ]
    resolved = [
        {"n": "urn:dev:ow:28ff641f7b16045c:in", "u": "Cel", "v": 20.5, "t": 1_788_350_380.5},
        {"n": "urn:dev:ow:28ff641f7b16045c:out", "u": "Cel", "v": 3.25, "t": 1_788_350_390.5},
        {"n": "urn:dev:ow:28ff641f7b16045c:damp", "u": "%RH", "v": 60, "t": 1_788_350_390.5},
    ]
    assert read(msgspec.json.encode(packed)) == read(msgspec.json.encode(resolved))


@settings(max_examples=500, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=5), st.booleans())
def test_any_pack_becomes_an_outcome(pack, as_cbor):
    """No record makes decoding raise, and every reading has a name and a finite value."""
    pack[0].setdefault("bn", "urn:dev:ow:1:")
    pack[0].setdefault("v", 1)
    outcome = read(in_cbor(pack) if as_cbor else msgspec.json.encode(pack))
    if isinstance(outcome, (DeadLetter, Ignored)):
        assert "bug" not in outcome.reason, outcome
    else:
        msgspec.json.encode(outcome)
        assert all(one[0] and one[1] and one[4] not in ("", None, float("inf"), float("-inf")) for one in outcome)
