"""A form: what messages of one topic with the same keys have come to, so that the next of them is read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from devices.convention import GREATEST_INTEGER, LEAST_INTEGER, Convention, Layout, Said, Slot, UnusableError
from devices.kinds import KINDS
from devices.reading import Message, Reading, TimeSource, Value
from devices.timestamps import RELEASED, parse

Given = tuple[Said, Reading]
"""What was said, and the reading that it gave."""


class Column(NamedTuple):
    """What one value of a form is called. `kind` is that of the value as it is said (float for both kinds of number), `becomes` that of the reading."""

    metric: str
    channel: str
    key: str
    unit: str | None
    raw_unit: str | None
    kind: type
    becomes: str


class Heading:
    """What all messages of a form have in common: whose they are, and what their values are called.

    `followed` is for whoever drives the catalogue: what it knows of the series of the columns, in their order.
    """

    __slots__ = ("columns", "convention", "device", "followed", "labels")

    def __init__(self, device: str, convention: str, labels: Mapping[str, str], columns: tuple[Column, ...]) -> None:
        self.device = device
        self.convention = convention
        self.labels = labels
        self.columns = columns
        self.followed: Any = None


class Report(msgspec.Struct, frozen=True, gc=False):
    """What a message says that was read by a form: one value for each of its columns, of one device and one time.

    `values` are the vocabulary's, `said` as the device said them; `ts` and `received` are epoch ns.
    """

    form: Heading
    values: Sequence[Value]
    said: Sequence[Value]
    ts: int
    received: int
    time_source: TimeSource

    def reading(self, place: int) -> Reading:
        """Give one of the values as a reading."""
        form, (metric, channel, key, unit, raw_unit, _, _) = self.form, self.form.columns[place]
        return Reading(
            device=form.device,
            metric=metric,
            channel=channel,
            key=key,
            value=self.values[place],
            unit=unit,
            raw_value=self.said[place],
            raw_unit=raw_unit,
            ts=self.ts,
            received=self.received,
            time_source=self.time_source,
            convention=form.convention,
            labels=form.labels,
        )

    def readings(self) -> list[Reading]:
        """Give all values as readings."""
        return [self.reading(place) for place in range(len(self.values))]


class Form(Heading):
    """Reads an object as another with the same keys was read. What it gives is what the convention would give, or nothing."""

    __slots__ = (
        "_bounds",
        "_convention",
        "_converted",
        "_kinds",
        "_layout",
        "_learned",
        "_said",
        "_time",
    )

    def __init__(
        self,
        convention: Convention,
        layout: Layout,
        body: dict[str, Any],
        given: Sequence[tuple[Slot, Said, Reading]],
        learned: Sequence[dict[str, Any]],
    ) -> None:
        said = given[0][1].device
        known = convention.profiles.of(said, convention.name)
        columns = tuple(_column(slot, one.value, reading) for slot, one, reading in given)
        super().__init__(known.name or said, convention.name, known.labels, columns)
        self._convention = convention
        self._layout = layout
        self._said = said
        self._time = [*body].index(layout.time) if layout.time is not None else -1
        self._kinds = [one.value.__class__ for _, one, _ in given]
        odd = [(place, slot) for place, (slot, _, _) in enumerate(given) if not slot.plain]
        bounded = {place for place, slot in odd if slot.only_bounds(given[place][1].value)}
        self._bounds = tuple((place, slot.low, slot.high) for place, slot in odd if place in bounded)
        self._converted = tuple((place, slot) for place, slot in odd if place not in bounded)
        self._learned = tuple((table, table.get(self.device)) for table in learned)

    @classmethod
    def of(
        cls,
        convention: Convention,
        layout: Layout,
        body: dict[str, Any],
        given: Sequence[Given],
        learned: Sequence[dict[str, Any]],
    ) -> Form | None:
        """Take the form of an object that has been read; None where it has members that gave no reading, or one by another name.

        It holds for as long as each of these tables has what it has now of the device.
        """
        if len(given) != len(body) - (layout.time is not None):
            return None
        slots = convention.profiles.of(given[0][0].device, convention.name).slots
        columns: list[tuple[Slot, Said, Reading]] = []
        for key, (one, reading) in zip((key for key in body if key != layout.time), given, strict=True):
            slot = slots.get((one.path, one.unit, body[key].__class__))
            if slot is None or one.path[-1] != key or (reading.metric, reading.channel) != (slot.metric, slot.channel):
                return None
            columns.append((slot, one, reading))
        return cls(convention, layout, body, columns, learned)

    def read(self, message: Message, body: dict[str, Any]) -> Report | None:
        """Read a message; None where the convention must look at it."""
        device, convention = self.device, self._convention
        for table, known in self._learned:
            if table.get(device) is not known:
                return None
        received = message.received
        ts: int = received
        source: TimeSource = "received" if received >= RELEASED else "received-unsynchronised"
        said: list[Any] = [*body.values()]
        if self._time >= 0:
            stamp = parse(said.pop(self._time), least=self._layout.least)
            if stamp is None:
                return None
            ts, source = convention.when(stamp, message, self._said)
        kinds = [*map(_CLASS, said)]
        if (kinds != self._kinds and not self._of_their_kind(said)) or (int in kinds and not _fit(said)):
            return None
        for place, low, high in self._bounds:
            if not low <= said[place] <= high:
                return None
        values = self._understood(said) if self._converted else said
        return Report(self, values, said, ts, received, source) if values else None

    def _of_their_kind(self, said: Sequence[Any]) -> bool:
        """Tell whether values are of the kinds that their columns have, though a number may be whole or not."""
        return all(
            value.__class__ is column.kind or (column.kind is float and value.__class__ is int)
            for value, column in zip(said, self.columns, strict=True)
        )

    def _understood(self, said: Sequence[Value]) -> list[Value] | None:
        values = [*said]
        for place, slot in self._converted:
            column = self.columns[place]
            try:
                metric, value, unit, raw_unit = self._convention.understood(slot, said[place])
            except UnusableError:
                return None  # it will say so in its own words
            if (
                (metric, unit, raw_unit) != (column.metric, column.unit, column.raw_unit)
                or value == ""
                or KINDS[value.__class__] != column.becomes
            ):
                return None
            values[place] = value
        return values


_CLASS = attrgetter("__class__")


def _fit(said: Sequence[Any]) -> bool:
    """Tell whether all integers, of which there is one, are those that every dialect may say."""
    whole = [value for value in said if value.__class__ is int]
    return min(whole) >= LEAST_INTEGER and max(whole) <= GREATEST_INTEGER


def _column(slot: Slot, value: Value, reading: Reading) -> Column:
    kind = float if value.__class__ is int else value.__class__
    return Column(slot.metric, slot.channel, slot.key, reading.unit, reading.raw_unit, kind, KINDS[reading.value.__class__])
