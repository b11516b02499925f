"""Objects in CBOR and MessagePack: what JSON could say comes out as JSON would have it, and nothing costs more than its bytes."""

from time import perf_counter

import cbor2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import binary
from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Message
from devices.samples import RECEIVED

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
)
BODIES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)), max_leaves=12
)
KEYS = st.text(min_size=1, max_size=6).filter(str.isprintable)
OBJECTS = st.dictionaries(KEYS, BODIES, min_size=1, max_size=5)


@settings(max_examples=300, deadline=None)
@given(OBJECTS, st.sampled_from(["cbor", "msgpack"]))
def test_objects_come_back_as_they_were(body, encoding):
    """Any object of JSON's values goes through either encoding unchanged, and is told from the other."""
    assert binary.unpack(binary.pack(encoding, body)) == (encoding, body)
    assert binary.unpack(binary.pack(encoding, [body, body])) == (encoding, [body, body])


@settings(max_examples=300, deadline=None)
@given(OBJECTS, st.sampled_from(["cbor", "msgpack"]))
def test_packed_objects_read_like_json(body, encoding):
    """What is read of an object does not depend on how it was written."""

    def read(payload):
        outcome = Catalogue().readings(Message("home/attic", payload, RECEIVED))
        return [(one.key, one.metric, one.channel, one.value, one.ts) for one in outcome] if isinstance(outcome, list) else type(outcome)

    if not {"bn", "n", "MessageType", "Messages"} & body.keys():
        assert read(binary.pack(encoding, body)) == read(msgspec.json.encode(body))


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_an_object_or_nothing(payload):
    """No bytes make unpacking raise, and what comes out is JSON's."""
    if payload and (unpacked := binary.unpack(payload)):
        msgspec.json.encode(unpacked[1])


HOSTILE = [
    b"\x81" * 100_000,  # nested without end
    b"\xa1\x61a" * 50_000 + b"\x01",
    b"\x9b\x00\xff\xff\xff\xff\xff\xff\xff",  # sizes that no payload has
    b"\xbb\x00\x00\x00\xff\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff\xa1a\x01",
    b"\xa1\x61a\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",  # a big float: 2**(2**63)
    b"\xa1\x61a\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",  # a decimal fraction of as many places
    b"\xa1\x61a\xc2\x5a\x00\x03\x0d\x40" + b"\xff" * 200_000,  # an integer of 1,600,000 bits
    b"\xa1\x61a\xd8\x23\x78\x19((a+)+)+$" + b"a" * 14,  # a regular expression
    b"\xa1\x61a\xd8\x1c\x81\xd8\x1d\x00",  # an array that holds itself
]


@pytest.mark.parametrize("payload", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bytes_cost_nothing(payload):
    """Depth, sizes and tags that promise much are answered at once."""
    began = perf_counter()
    unpacked = binary.unpack(payload)
    assert perf_counter() - began < 0.5
    assert unpacked is None or unpacked[1] in ({"a": None}, {})


def test_bytes_that_could_be_both_are_what_gives_keys_of_text():
    """A map of one in MessagePack begins like an array of one in CBOR; a key of control characters is no text, and then it is CBOR."""
    assert binary.unpack(b"\x81\xa1a\x01") == ("msgpack", {"a": 1})
    assert binary.unpack(b"\x81\xa1\x61a\x01") == ("cbor", [{"a": 1}])
    assert msgspec.msgpack.decode(b"\x81\xa1\x01\x05") == {"\x01": 5}
    assert binary.unpack(b"\x81\xa1\x01\x05") == ("cbor", [{"1": 5}])


def test_a_scalar_in_cbor_is_a_dead_letter():
    """A lone number has no name, and could be any byte."""
    assert isinstance(Catalogue().readings(Message("home/attic", cbor2.dumps(-1000), RECEIVED)), DeadLetter)
