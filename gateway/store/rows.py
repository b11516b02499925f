"""Turns rows of batches back into readings, with what the series and the device say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from devices.reading import Reading
from gateway.store import totals
from gateway.store.effects import ReadingKept
from gateway.store.values import source, unpack


class Identity(NamedTuple):
    """What all readings of a series share."""

    device: str
    metric: str
    channel: str
    key: str
    unit: str | None
    convention: str
    labels: dict[str, str]


class Rows:
    """Makes readings of rows. Series are looked up once; labels are the series' at the time of reading the row."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._series: dict[int, Identity] = {}
        self._labelled = -1

    def kept(self, rows: Sequence[tuple[Any, ...]]) -> list[ReadingKept]:
        """Give the readings of rows as `batches.COLUMNS`."""
        self._drop_relabelled()
        self._look_up({row[1] for row in rows})
        return [_kept(row, self._series[row[1]]) for row in rows]

    def _look_up(self, wanted: Iterable[int]) -> None:
        for one in wanted:
            if one not in self._series:
                query = "SELECT device, metric, channel, key, unit, convention, labels FROM series WHERE id = ?"
                found = [*self._connection.execute(query, (one,)).fetchone()]
                found[-1] = msgspec.json.decode(found[-1], type=dict[str, str])
                self._series[one] = Identity(*found)

    def _drop_relabelled(self) -> None:
        """Look all series up anew after labels have changed."""
        row = self._connection.execute("SELECT value FROM totals WHERE term = ?", (totals.LABELS,)).fetchone()
        labelled = row[0] if row else 0
        if labelled != self._labelled:
            self._series.clear()
            self._labelled = labelled


def _kept(row: tuple[Any, ...], series: Identity) -> ReadingKept:
    reading_id, _, ts, stored, own_unit, raw, own_raw_unit, delay, time_source, sequence = row
    unit = series.unit if own_unit is None else own_unit or None
    value = unpack(stored)
    return ReadingKept(
        id=reading_id,
        reading=Reading(
            device=series.device,
            metric=series.metric,
            channel=series.channel,
            key=series.key,
            value=value,
            unit=unit,
            raw_value=value if raw is None else unpack(raw),
            raw_unit=unit if own_raw_unit is None else own_raw_unit or None,
            ts=ts,
            received=ts + delay,
            time_source=source(time_source),
            convention=series.convention,
            labels=series.labels,
            sequence=sequence,
        ),
    )
