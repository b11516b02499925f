"""A series in a file of readings: what its lines have in common, made ready once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, NamedTuple

import msgspec

from devices import vocabulary
from devices.profile import Profiles
from devices.reading import Reading, Value

CONVENTION: Final = "file"
"""The convention of readings that no device's message said."""


class FileSeries(NamedTuple):
    """A reading to make others of, and the conversion of its values to the metric's own unit, where they need one."""

    model: Reading
    convert: Callable[[float], float] | None

    @classmethod
    def of(cls, said: Mapping[str, str], profiles: Profiles, *, device: str, metric: str | None) -> FileSeries:
        """Make one of what a line says besides time and value; `device` and `metric` where it names none. ValueError where no metric is known."""
        device, metric = said.get("device") or device, said.get("metric") or metric
        if metric is None:
            raise ValueError("must name a metric; got none, and no --metric")
        written = said.get("unit") or None
        unit, convert = vocabulary.canonical(metric, written and (vocabulary.unit_named(written) or written))
        labels = {name: text for name, text in said.items() if name not in ("device", "metric", "channel", "unit") and text}
        model = Reading(
            device=device,
            metric=metric,
            channel=said.get("channel", ""),
            key=metric,
            value=0,
            unit=unit,
            raw_value=0,
            raw_unit=written,
            ts=0,
            received=0,
            time_source="device",
            convention=CONVENTION,
            labels={**labels, **profiles.of(device).labels},
        )
        return cls(model, convert)

    def reading(self, ts: int, said: Value) -> Reading:
        """Give the reading of one line: the value as it was said, at `ts` (epoch ns)."""
        value = said if self.convert is None or isinstance(said, bool | str) else self.convert(said)
        return msgspec.structs.replace(self.model, ts=ts, received=ts, value=value, raw_value=said)

    def written(self, ts: int, text: str) -> list[Reading]:
        """Give the reading of a line that is text: a number where it is one, a truth where it says one; none of what says nothing (`NaN`, `1e400`)."""
        number = vocabulary.number(text)
        if number is None and (vocabulary.says_nothing(text) or _is_beyond(text)):
            return []
        return [self.reading(ts, vocabulary.spoken(self.model.metric, text) if number is None else number)]


def _is_beyond(text: str) -> bool:
    """Tell whether a text is a number that no float can hold."""
    try:
        return not isfinite(float(text))
    except ValueError:
        return False
