"""The recording of a cold room that ships with the project: made here, from signals and a seed.

python -m simulator.recordings.cold_room > config/scenarios/recordings/cold-room.csv

Two days at five-minute steps, in °C and in local time without a zone, around the end of summer time: on 2025-10-26 the clock goes back
from 03:00 to 02:00, and twelve times come twice. That noon the compressor stays off for two hours and a half.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from simulator.nanoseconds import SECOND
from simulator.physics import relax
from simulator.signals import Daily, Signals, SignalSpec, Walk

_SEED = 20251026
_ROWS = 600
_EVERY = timedelta(minutes=5)
_BEGINS = datetime(2025, 10, 25, tzinfo=UTC) - timedelta(hours=2)
_SUMMER_ENDS = datetime(2025, 10, 26, 1, tzinfo=UTC)
_FAILS = datetime(2025, 10, 26, 11, tzinfo=UTC)
_REPAIRED = _FAILS + timedelta(hours=2, minutes=30)
_WARM = 14.0
"""K that the room would warm by if the compressor never came back."""


def recording() -> Iterator[str]:
    """Give the lines of the file."""
    spec = SignalSpec(measures="warmth", base=3.5, daily=Daily(amplitude=0.4, peak="15:00"), walk=Walk(step=0.05, limit=0.5), noise=0.12)
    room = Signals({"temperature": spec}, seed=_SEED, device="cold-room")
    warm = 0.0
    yield "timestamp,value"
    for number in range(_ROWS):
        moment = _BEGINS + number * _EVERY
        local = moment + timedelta(hours=2 if moment < _SUMMER_ENDS else 1)
        failed = _FAILS <= moment < _REPAIRED
        warm = relax(warm, _WARM if failed else 0.0, time=5.0, inertia=90.0 if failed else 25.0)
        values = room.values(elapsed=0, epoch=int(moment.timestamp()) * SECOND, quantities={"warmth": warm})
        yield f"{local:%Y-%m-%d %H:%M:%S},{values['temperature']}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in recording())
