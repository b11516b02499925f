"""A form: what messages of one topic with the same keys have come to, so that the next of them is read in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from devices.convention import GREATEST_INTEGER, LEAST_INTEGER, Convention, Layout, Said, Slot, UnusableError
from devices.kinds import KINDS
from devices.reading import Message, Reading, TimeSource, Value
from devices.timestamps import RELEASED, parse

Given = tuple[Said, Reading]
"""What was said, and the reading that it gave."""


class _Column(NamedTuple):
    """`kind` is that of the value as it is said (float for both kinds of number), `becomes` that of the reading."""

    slot: Slot
    kind: type
    becomes: str


class Form:
    """Reads an object as another with the same keys was read. What it gives is what the convention would give, or nothing.

    `followed` is for whoever drives the catalogue: what it knows of the series of the readings, in their order.
    """

    __slots__ = ("_columns", "_convention", "_device", "_labels", "_layout", "_learned", "_said", "followed")

    def __init__(
        self, convention: Convention, layout: Layout, said: str, columns: Sequence[_Column | None], learned: Sequence[dict[str, Any]]
    ) -> None:
        known = convention.profiles.of(said, convention.name)
        self._convention = convention
        self._layout = layout
        self._said = said
        self._device = known.name or said
        self._labels = known.labels
        self._columns = columns
        self._learned = tuple((table, table.get(self._device)) for table in learned)
        self.followed: Any = None

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
        device = given[0][0].device
        slots = convention.profiles.of(device, convention.name).slots
        columns: list[_Column | None] = []
        values = iter(given)
        for key, value in body.items():
            if key == layout.time:
                columns.append(None)
                continue
            one, reading = next(values)
            slot = slots.get((one.path, one.unit, value.__class__))
            if slot is None or one.path[-1] != key or (reading.metric, reading.channel) != (slot.metric, slot.channel):
                return None
            columns.append(_Column(slot, float if value.__class__ is int else value.__class__, KINDS[reading.value.__class__]))
        return cls(convention, layout, device, tuple(columns), learned)

    def read(self, message: Message, body: dict[str, Any]) -> list[Reading] | None:
        """Read a message; None where the convention must look at it."""
        device, convention = self._device, self._convention
        for table, known in self._learned:
            if table.get(device) is not known:
                return None
        received = message.received
        ts: int = received
        source: TimeSource = "received" if received >= RELEASED else "received-unsynchronised"
        if self._layout.time is not None:
            stamp = parse(body[self._layout.time], least=self._layout.least)
            if stamp is None:
                return None
            ts, source = convention.when(stamp, message, self._said)
        try:
            return self._readings(body, ts, received, source)
        except UnusableError:
            return None  # it will say so in its own words

    def _readings(self, body: dict[str, Any], ts: int, received: int, source: TimeSource) -> list[Reading] | None:
        readings: list[Reading] = []
        device, name, labels = self._device, self._convention.name, self._labels
        for said, column in zip(cast("Iterable[Value]", body.values()), self._columns, strict=True):
            if column is None:
                continue
            slot, kind, becomes = column
            value, unit, raw_unit = said, slot.unit, slot.raw_unit
            if said.__class__ is not kind and not (said.__class__ is int and kind is float and LEAST_INTEGER <= said <= GREATEST_INTEGER):
                return None
            if not slot.plain:
                metric, value, unit, raw_unit = self._convention.understood(slot, said)
                if metric != slot.metric or value == "" or KINDS[value.__class__] != becomes:
                    return None
            readings.append(
                Reading(
                    device=device,
                    metric=slot.metric,
                    channel=slot.channel,
                    key=slot.key,
                    value=value,
                    unit=unit,
                    raw_value=said,
                    raw_unit=raw_unit,
                    ts=ts,
                    received=received,
                    time_source=source,
                    convention=name,
                    labels=labels,
                )
            )
        return readings
