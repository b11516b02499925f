"""Parts of rows on their way to the sink on another worker: reports as their values, behind a table of their headings."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec

from devices.form import Heading, Report
from flows.row_order import RowPart
from gateway.store.effects import Effect, ReportKept, spelled_out

MOST = 65_536
"""Headings in a table from which on both sides begin it anew."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def pack_part(part: RowPart) -> bytes:
    """Give a shard's part as bytes."""
    return pickle.dumps(part)


class PartPacker:
    """Packs the parts of the source. Each refers to what those before it have told, so that none may be left out or change its place."""

    def __init__(self) -> None:
        self._table: dict[Heading, int] = {}

    def pack(self, part: RowPart) -> bytes:
        """Give a part as bytes."""
        reports: list[ReportKept] = []
        others: dict[int, Effect] = {}
        for place, effect in enumerate(part.effects):
            if type(effect) is ReportKept:
                reports.append(effect)
            else:
                others[place] = effect
        if not reports:
            return pack_part(part)
        if len(self._table) >= MOST:
            self._table.clear()
        told: list[Any] = []
        try:
            packed = _encode([self._row(one, told) for one in reports])
        except (UnicodeEncodeError, OverflowError):  # what MessagePack cannot hold: a lone surrogate
            self._table.clear()
            return pack_part(part._replace(effects=spelled_out(part.effects)))
        return pickle.dumps((part._replace(effects=()), others, told, packed))

    def _row(self, kept: ReportKept, told: list[Any]) -> tuple[Any, ...]:
        table, report = self._table, kept.report
        form = report.form
        number = table.get(form)
        if number is None:
            number = table[form] = len(table)
            told.append((number, form.device, form.convention, dict(form.labels), form.columns))
        values, said = report.values, report.said
        return number, kept.id, values, None if said is values else said, report.ts, report.received, report.time_source


class PartUnpacker:
    """The other side of a `PartPacker`, and of `pack_part`."""

    def __init__(self) -> None:
        self._table: dict[int, Heading] = {}

    def unpack(self, packed: bytes) -> RowPart:
        """Give a part that was packed."""
        found = pickle.loads(packed)  # noqa: S301  of our own worker, as Bytewax's own exchange
        if isinstance(found, RowPart):
            return found
        part, others, told, packed_reports = found
        for number, *heading in told:
            self._table[number] = Heading(*heading)
        reports = self._reports(packed_reports)
        kept = iter(reports)
        effects = [others[place] if place in others else next(kept) for place in range(len(others) + len(reports))]
        return RowPart(part.offset, effects, part.shard, part.shards)

    def _reports(self, packed: bytes) -> list[ReportKept]:
        table = self._table
        return [
            ReportKept(first, Report(table[number], values, values if said is None else said, ts, received, source))
            for number, first, values, said, ts, received, source in _decode(packed)
        ]
