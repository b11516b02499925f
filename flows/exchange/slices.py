"""Slices on their way to a shard of another worker: each reading as what is new in it, behind a table of what is not."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from devices.reading import Reading
from flows.slice import Item, Looked, Slice
from gateway.store.effects import Group

MOST = 16_384
"""Entries of a table from which on both sides begin it anew."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_PLAIN, _PICKLED = b"\0", b"\1"


class Constant(NamedTuple):
    """What of an item stays as it is from one to the next: the flow, the group, and what never changes within a series."""

    flow: str
    group: Group | Looked
    device: str
    metric: str
    channel: str
    key: str
    unit: str | None
    raw_unit: str | None
    convention: str


class SlicePacker:
    """Packs the slices of one shard. Each refers to what those before it have told, so that none may be left out or change its place.

    Values stay what they were, of the kind that they were.
    """

    def __init__(self) -> None:
        self._table: dict[Constant, tuple[int, Mapping[str, str]]] = {}
        self._next = 0

    def pack(self, row: Slice) -> bytes:
        """Give a slice as bytes: MessagePack, or a pickle where that cannot hold it (a lone surrogate)."""
        if self._next >= MOST:
            self._begin_anew()
        table = self._table
        told: list[Any] = []
        items = []
        for flow, group, one in row.items:
            constant = Constant(flow, group, one.device, one.metric, one.channel, one.key, one.unit, one.raw_unit, one.convention)
            number, labels = table.get(constant, (-1, one.labels))
            if number < 0 or (labels is not one.labels and labels != one.labels):
                number, self._next = self._next, self._next + 1
                table[constant] = number, one.labels
                told.append((number, isinstance(group, Looked), constant, dict(one.labels)))
            raw = None if one.raw_value is one.value else one.raw_value
            items.append((number, one.value, raw, one.ts, one.received, one.time_source, one.retained, one.sequence))
        try:
            return _PLAIN + _encode((row._replace(items=()), told, items))
        except (UnicodeEncodeError, OverflowError):
            self._begin_anew()
            return _PICKLED + pickle.dumps(row)

    def _begin_anew(self) -> None:
        self._table.clear()
        self._next = 0


class SliceUnpacker:
    """The other side of a `SlicePacker`."""

    def __init__(self) -> None:
        self._table: dict[int, tuple[Constant, Mapping[str, str]]] = {}

    def unpack(self, packed: bytes) -> Slice:
        """Give a slice that a `SlicePacker` has packed."""
        if packed[:1] == _PICKLED:
            row: Slice = pickle.loads(packed[1:])  # noqa: S301  of our own worker, as Bytewax's own exchange
            return row
        head, told, items = _decode(packed[1:])
        for number, looked, constant, labels in told:
            if number == 0:
                self._table.clear()
            self._table[number] = _constant(constant, looked=looked), labels
        return Slice(*head)._replace(items=[self._item(one) for one in items])

    def _item(self, packed: Sequence[Any]) -> Item:
        number, value, raw, ts, received, source, retained, sequence = packed
        (flow, group, device, metric, channel, key, unit, raw_unit, convention), labels = self._table[number]
        reading = Reading(
            device=device,
            metric=metric,
            channel=channel,
            key=key,
            value=value,
            unit=unit,
            raw_value=value if raw is None else raw,
            raw_unit=raw_unit,
            ts=ts,
            received=received,
            time_source=source,
            convention=convention,
            labels=labels,
            retained=retained,
            sequence=sequence,
        )
        return flow, group, reading


def _constant(packed: Sequence[Any], *, looked: bool) -> Constant:
    flow, group, *rest = packed
    if not looked:
        return Constant(flow, _group(group), *rest)
    names, of = group
    return Constant(flow, Looked(tuple(names), None if of is None else _group(of)), *rest)


def _group(packed: Sequence[Sequence[str]]) -> Group:
    return tuple((name, value) for name, value in packed)
