"""A recording replayed: a CSV file of `timestamp,value` as if a device said it now.

python -m simulator.recording FILE --broker-url mqtt://127.0.0.1 --metric temperature --unit °C --shift-to-now
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gateway import logs
from simulator.broker import Broker
from simulator.dialects.plain_json import Timestamps, timestamp
from simulator.nanoseconds import SECOND
from simulator.options import broker_from, broker_options
from simulator.publisher import Publisher

log = structlog.get_logger()


class RecordingError(ValueError):
    """A recording that cannot be read; the text names the file, the line, the rule and what was got."""


@dataclass(frozen=True)
class Row:
    """One line of a recording; `at` is epoch ns."""

    at: int
    value: float

    def payload(self, *, shift: int, metric: str, unit: str | None, timestamps: Timestamps) -> bytes:
        """Write the row as plain JSON: `{"timestamp", "<metric>": value}`, the value as `{"value", "unit"}` where the unit is known."""
        said = self.value if unit is None else {"value": self.value, "unit": unit}
        body = {**timestamp(self.at + shift, timestamps), metric: said}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Replayed:
    """What a replay came to; `shift` is what was added to every time, in ns."""

    rows: int
    acknowledged: int
    shift: int
    seconds: float


def read_recording(file: Path) -> list[Row]:
    """Read `timestamp,value` lines below a header, in the order of the file; times without a zone are UTC."""
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader, [])
        if header != ["timestamp", "value"]:
            raise RecordingError(f"{file}:1: the header must be timestamp,value; got {','.join(header)!r}")
        return [_row(fields, where=f"{file}:{reader.line_num}") for fields in reader if fields]


def _row(fields: list[str], *, where: str) -> Row:
    try:
        written, value = fields
        moment = datetime.fromisoformat(written)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return Row(at=round(moment.timestamp() * 1000) * 1_000_000, value=float(value))
    except ValueError as error:
        raise RecordingError(f"{where}: must be an ISO 8601 time and a number; got {','.join(fields)!r}") from error


def shift_to(rows: list[Row], now: int) -> int:
    """Give what to add to every time, in ns, so that the newest row (the last, in a file in order) is `now`, in whole seconds.

    One constant: a clock that stepped back in the recording steps back in the replay.
    """
    return (now - max(row.at for row in rows)) // SECOND * SECOND


def replay(
    broker: Broker,
    file: Path,
    *,
    device: str | None = None,
    metric: str = "value",
    unit: str | None = None,
    shift_to_now: bool = False,
    speed: float | None = None,
    timestamps: Timestamps = "iso",
    qos: int = 1,
    root: str = "recordings",
    in_flight: int = 1000,
) -> Replayed:
    """Publish a recording as plain JSON on `<root>/<device>` and return when every PUBACK is there.

    `device` is the file's name unless given. `speed` is how many times faster than it was recorded, None for as fast as the broker takes
    it; where the recording's clock steps back nothing waits. RecordingError for a file that cannot be read, before anything is sent;
    PublishError when the broker is not there at the start; see `Publisher` for what happens when it goes away later.
    """
    rows = read_recording(file)
    if not rows:
        raise RecordingError(f"{file}: must have rows; got only a header")
    shift = shift_to(rows, time.time_ns()) if shift_to_now else 0
    topic = f"{root}/{device or file.stem}"
    with Publisher(broker, in_flight=in_flight) as publisher:
        began = time.monotonic()
        for before, row in zip([rows[0], *rows], rows, strict=False):
            if speed is not None:
                publisher.wait((row.at - before.at) / SECOND / speed)
            publisher.publish(topic, row.payload(shift=shift, metric=metric, unit=unit, timestamps=timestamps), qos=qos)
        publisher.drain()
        return Replayed(rows=publisher.sent, acknowledged=publisher.acknowledged, shift=shift, seconds=time.monotonic() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage, a recording that cannot be read, or no broker. The result is JSON on stdout."""
    about = "Replay a recording as a device that speaks plain JSON."
    parser = argparse.ArgumentParser(prog="python -m simulator.recording", description=about, parents=[broker_options()])
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV with the header timestamp,value")
    parser.add_argument("--device", help="its name (default: the file's)")
    parser.add_argument("--metric", default="value")
    parser.add_argument("--unit")
    parser.add_argument("--shift-to-now", action="store_true", help="add one constant to all times, so that the newest row is now")
    parser.add_argument("--speed", type=parse_speed, default=None, help="how many times faster than recorded, or max (default)")
    parser.add_argument("--timestamps", choices=("iso", "ms", "none"), default="iso")
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    options = parser.parse_args(arguments)
    logs.configure()
    try:
        replayed = replay(
            broker_from(options),
            options.file,
            device=options.device,
            metric=options.metric,
            unit=options.unit,
            shift_to_now=options.shift_to_now,
            speed=options.speed,
            timestamps=options.timestamps,
            qos=options.qos,
        )
    except (OSError, ValueError) as error:
        log.error("cannot replay", error=str(error))  # noqa: TRY400  the text says it all
        return 2
    sys.stdout.write(f"{json.dumps(asdict(replayed))}\n")
    return 0


def parse_speed(written: str) -> float | None:
    """Read how many times faster than recorded, None for `max`; ValueError for anything else.

    >>> parse_speed("max"), parse_speed("60")
    (None, 60.0)
    """
    if written == "max":
        return None
    speed = float(written)
    if not speed > 0:
        raise ValueError(f"speed: must be greater than 0, or max; got {written}")
    return speed


if __name__ == "__main__":
    sys.exit(main())
