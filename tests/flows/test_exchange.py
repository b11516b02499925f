"""What goes from one worker to another comes out as it went in, whatever it is."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.form import Column, Heading, Report
from devices.reading import Reading
from flows.exchange import parts, slices
from flows.exchange.parcel import Parcel, opened
from flows.exchange.parts import PartPacker, PartUnpacker, pack_part
from flows.exchange.slices import SlicePacker, SliceUnpacker
from flows.row_order import RowPart
from flows.slice import Looked, Slice
from gateway.store.effects import Counted, Progressed, ReadingKept, ReportKept, spelled_out

TEXT = st.one_of(st.sampled_from(["", "t1", "Küche", "\ud800", "a\x1fb"]), st.text(max_size=4))
NAMES = st.sampled_from(["t1", "t2", "t3", "\udfff"])
NUMBERS = st.integers(-(1 << 63), (1 << 64) - 1)
VALUES = st.one_of(NUMBERS, st.floats(allow_nan=False), st.booleans(), TEXT)
TIMES = st.integers(0, (1 << 63) - 1)
LABELS = st.sampled_from([{}, {"room": "kitchen"}, {"room": "cellar"}, {"room": "kitchen", "floor": "2"}])
GROUPS = st.one_of(
    st.just(()),
    st.tuples(st.tuples(st.just("device"), NAMES)),
    st.builds(Looked, st.tuples(NAMES), st.one_of(st.none(), st.just(()), st.tuples(st.tuples(st.just("device"), NAMES)))),
)


@st.composite
def readings(draw):
    value = draw(VALUES)
    return Reading(
        device=draw(NAMES),
        metric=draw(st.sampled_from(["temperature", "humidity"])),
        channel=draw(st.sampled_from(["", "0"])),
        key=draw(st.sampled_from(["t", "a.b"])),
        value=value,
        unit=draw(st.sampled_from([None, "°C"])),
        raw_value=value if draw(st.booleans()) else draw(VALUES),
        raw_unit=draw(st.sampled_from([None, "°F"])),
        ts=draw(TIMES),
        received=draw(TIMES),
        time_source=draw(st.sampled_from(["device", "received-insane"])),
        convention="json",
        labels=draw(LABELS),
        sequence=draw(st.one_of(st.none(), st.integers(0, 255))),
    )


SLICES = st.builds(
    Slice,
    shard=st.just(3),
    at=TIMES,
    clock=TIMES,
    live=st.booleans(),
    tick=st.booleans(),
    flush=st.booleans(),
    items=st.lists(st.tuples(st.sampled_from(["climate", "tail"]), GROUPS, readings()), max_size=6),
    late=st.lists(st.tuples(st.just("climate"), NAMES), max_size=2),
    offset=st.integers(-(1 << 40), 1 << 40),
    since=TIMES,
    gone=st.lists(NAMES, max_size=2),
    ahead=TIMES,
)
FORMS = [
    Heading(
        name,
        "json",
        labels,
        (Column("temperature", "", "t", "°C", None, float, "number"), Column("on", "", "on", None, None, bool, "switch")),
    )
    for name, labels in (("t1", {}), ("t2", {"room": "kitchen"}), ("\ud800", {}))
]


@st.composite
def reports(draw):
    said = [draw(VALUES), draw(VALUES)]
    values = said if draw(st.booleans()) else [draw(VALUES), draw(VALUES)]
    return ReportKept(draw(TIMES), Report(draw(st.sampled_from(FORMS)), values, said, draw(TIMES), draw(TIMES), "device"))


EFFECTS = st.one_of(
    reports(),
    st.builds(ReadingKept, TIMES, readings(), st.booleans()),
    st.builds(Counted, st.just("normalise"), st.just(""), NAMES, st.just("readings"), st.integers(0, 9)),
    st.builds(Progressed, TIMES, TIMES, TIMES),
)
PARTS = st.builds(RowPart, st.integers(0, 1 << 40), st.lists(EFFECTS, max_size=6), st.none(), st.lists(st.integers(0, 15), max_size=3))


def spelled(value):
    """A value with the kinds of all in it, which `==` would pass over; tuples are as good as lists."""
    if isinstance(value, Reading | ReadingKept | Counted | Progressed):
        return [type(value), *(spelled(getattr(value, name)) for name in value.__struct_fields__)]
    if isinstance(value, list | tuple):
        return [isinstance(value, Looked), *map(spelled, value)]
    return (type(value), repr(value))


def crossed(sent, module, most, packer, unpacker):
    """What comes out at the other side, where both begin their tables anew at so many entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST", most)
        return [unpacker.unpack(packer.pack(one)) for one in sent]


@settings(max_examples=150)
@given(st.lists(SLICES, max_size=6), st.sampled_from([1, 3, 16_384]))
def test_slices_come_out_as_they_went_in(sent, most):
    for row, came in zip(sent, crossed(sent, slices, most, SlicePacker(), SliceUnpacker()), strict=True):
        assert spelled(came) == spelled(row)


@settings(max_examples=150)
@given(st.lists(PARTS, max_size=6), st.sampled_from([1, 2, 65_536]))
def test_parts_of_the_source_come_out_as_they_went_in(sent, most):
    for part, came in zip(sent, crossed(sent, parts, most, PartPacker(), PartUnpacker()), strict=True):
        assert (came.offset, came.shard, list(came.shards)) == (part.offset, part.shard, list(part.shards))
        assert [spelled(one) for one in spelled_out(came.effects)] == [spelled(one) for one in spelled_out(part.effects)]


def test_a_form_keeps_its_identity_on_the_other_side():
    """The store follows series by it: a heading that is told once stands for all reports of its form."""
    packer, unpacker = PartPacker(), PartUnpacker()
    said = [1.5, True]
    part = RowPart(1, [ReportKept(1, Report(FORMS[1], said, said, 1, 1, "device"))])
    first, second = (unpacker.unpack(packer.pack(part)).effects[0].report for _ in range(2))
    assert first.form is second.form
    assert first.said is first.values


def test_a_parcel_is_packed_once_and_only_when_it_goes_elsewhere():
    packed = []

    def pack(part):
        packed.append(part)
        return pack_part(part)

    part = RowPart(7, [Progressed(7, 1, 1)], 3)
    parcel = Parcel(part, pack)
    assert opened(parcel, PartUnpacker().unpack) is part
    assert not packed
    sent = [pickle.loads(pickle.dumps(parcel)) for _ in range(2)]
    assert [opened(one, PartUnpacker().unpack) for one in sent] == [part, part]
    assert packed == [part]
