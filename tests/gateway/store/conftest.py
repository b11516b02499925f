"""Effects to write, and a dump of everything the store can be asked."""

from __future__ import annotations

import pytest

from devices.reading import Reading
from gateway.store.effects import ReadingKept
from gateway.store.reader import StoreReader

T0 = 1_760_000_000_000_000_000


@pytest.fixture(scope="session")
def kept():
    """Make a reading under an id."""

    def make(number, device="t1", metric="temperature", value=20.5, *, ts=None, **further):
        ts = T0 + number * 1_000_000_000 if ts is None else ts
        unit = further.pop("unit", "°C")
        settings = {
            "key": metric,
            "convention": "plain-json",
            "raw_value": value,
            "raw_unit": unit,
            "received": T0 + number * 1_000_000_000 + 7,
            "time_source": "device",
        } | further
        return ReadingKept(number << 20, Reading(device=device, metric=metric, value=value, unit=unit, ts=ts, **settings))

    return make


@pytest.fixture(scope="session")
def dump():
    """Give all that a store says, in a form to compare: the order in which series were first seen does not matter, all else does."""

    def read(path):
        with StoreReader(path) as reader:
            effects = [effect for _, effect in reader.effects_after(0, 1_000_000)]
            devices = reader.devices()
            return {
                "readings": [repr(one) for one in reader.readings_after(-1, 1_000_000)],
                "history": [repr(reader.history(device.device)) for device in devices],
                "devices": repr(devices),
                "effects": effects,
                "commands": reader.commands(newest=1_000),
                "counts": reader.counts(),
                "counters": sorted(reader.counters(), key=repr),
                "progress": reader.progress(),
                "dead": reader.dead_letters(newest=1_000, state=None),
                "points": reader.size().points,
            }

    return read
