"""A recording said again to a broker, as if its devices said it now."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog

from simulator.broker import Broker
from simulator.nanoseconds import SECOND
from simulator.publisher import Publisher
from simulator.recordings.message import messages
from simulator.recordings.pace import Length, Pace
from simulator.recordings.recording import open_recording
from simulator.recordings.row import RecordingError
from simulator.timestamps import Timestamps

log = structlog.get_logger()


@dataclass(frozen=True)
class Replayed:
    """What a replay came to.

    `messages` were published for the `rows`, and `acknowledged` by the broker; `unread` were no rows, such as messages that give no reading;
    `shift` is what was added to every time, in ns.
    """

    rows: int
    messages: int
    acknowledged: int
    unread: int
    shift: int
    seconds: float


def replay(
    broker: Broker,
    path: Path,
    *,
    device: str | None = None,
    metric: str | None = None,
    unit: str | None = None,
    shift_to_now: bool = False,
    speed: float | None = None,
    timestamps: Timestamps = "iso",
    qos: int = 1,
    root: str = "recordings",
    in_flight: int = 1000,
) -> Replayed:
    """Publish a recording as plain JSON on `<root>/<device>`, its rows in their order, and return when every PUBACK is there.

    `device`, `metric` and `unit` are as in `open_recording`. `speed` is how many times faster than it was recorded, None for as fast as the
    broker takes it; see `Pace` for clocks that step back.

    All times are shifted by one constant of whole seconds, so that a clock that steps back in the recording steps back in the replay. With
    `shift_to_now` it is the greatest that has no time ahead of the moment at which it is said: the last row is now. Without, it is 0, unless
    the recording's own times lie in the future: those are shifted back.

    It is read twice, and what is added to it meanwhile is left out. RecordingError and OSError for one that cannot be read, before anything
    is sent; PublishError when the broker is not there at the start; see `Publisher` for what happens when it goes away later.
    """
    recording = open_recording(path, device=device, metric=metric, unit=unit)
    length = Length.of(recording.rows(), speed)
    if not length.rows:
        raise RecordingError(f"{path}: must have rows with values; got none")
    pace, unread = Pace(), recording.unread
    with Publisher(broker, in_flight=in_flight) as publisher:
        began = time.monotonic()
        shift = _shift(time.time_ns() + length.lead, shift_to_now=shift_to_now)
        for row in islice(recording.rows(), length.rows):
            if speed is not None:
                publisher.wait(began + pace.due(row) / SECOND / speed - time.monotonic())
            for topic, payload in messages(row, root=root, shift=shift, timestamps=timestamps):
                publisher.publish(topic, payload, qos=qos)
        publisher.drain()
        seconds = time.monotonic() - began
        return Replayed(length.rows, publisher.sent, publisher.acknowledged, unread, shift, seconds)


def _shift(greatest: int, *, shift_to_now: bool) -> int:
    """Choose what to add to all times, in ns, of at most `greatest`."""
    whole = greatest // SECOND * SECOND
    if shift_to_now or whole >= 0:
        return whole if shift_to_now else 0
    log.warning("the recording's times lie in the future: they are shifted back", seconds=-whole // SECOND)
    return whole
