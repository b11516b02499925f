"""A load: many devices that publish plain JSON at a steady rate, and the truth about what was acknowledged.

python -m simulator.load --broker-url mqtt://127.0.0.1 --devices 100 --rate 1000 --for 60
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import structlog

from gateway import logs
from simulator.broker import Broker
from simulator.options import broker_from, broker_options
from simulator.publisher import Publisher

log = structlog.get_logger()


@dataclass(frozen=True)
class Loaded:
    """What a load came to. At QoS 0 `acknowledged` counts what was handed to the network."""

    sent: int
    acknowledged: int
    seconds: float

    @property
    def rate(self) -> float:
        """Messages per second, from the first one to the last acknowledgement."""
        return self.sent / self.seconds if self.seconds else 0.0


class _Truth:
    """Remembers what is in flight, and writes one line of JSON for each message that is acknowledged."""

    def __init__(self, file: IO[str] | None) -> None:
        self._file = file
        self._pending: dict[int, str] = {}

    def sent(self, number: int, device: str, payload: str) -> None:
        if self._file is not None:
            self._pending[number] = f'{{"device":"{device}",{payload[1:]}\n'

    def acknowledged(self, number: int) -> None:
        if self._file is not None:
            self._file.write(self._pending.pop(number))


def load(
    broker: Broker,
    *,
    devices: int = 10,
    rate: float | None = 1000.0,
    seconds: float = 60.0,
    qos: int = 1,
    truth: Path | None = None,
    root: str = "load",
    in_flight: int = 1000,
) -> Loaded:
    """Publish `rate` messages a second for `seconds`, the devices in turn, and return when every PUBACK is there.

    A message is `{"seq", "ts", "temperature"}` on `<root>/d-<number>`: `seq` counts from 0 over all devices, `ts` is epoch ms, and
    `temperature` (°C) follows from `seq`, so that no two messages of a device are alike. `rate=None` is as fast as the broker takes them.
    `truth` is a file of JSON Lines, one per acknowledged message, in order of acknowledgement, with its `device`. PublishError when the
    broker is not there at the start; see `Publisher` for what happens when it goes away later.
    """
    names = [f"d-{number + 1:04}" for number in range(devices)]
    total = round(rate * seconds) if rate is not None else None
    with contextlib.ExitStack() as stack:
        told = _Truth(stack.enter_context(truth.open("w", encoding="utf-8")) if truth else None)
        publisher = stack.enter_context(Publisher(broker, in_flight=in_flight, acknowledged=told.acknowledged))
        began = time.monotonic()
        while publisher.sent < total if total is not None else time.monotonic() - began < seconds:
            if rate is not None:
                publisher.wait(began + publisher.sent / rate - time.monotonic())
            device, said = names[publisher.sent % devices], payload(publisher.sent, time.time_ns())
            told.sent(publisher.sent, device, said)
            publisher.publish(f"{root}/{device}", said.encode(), qos=qos)
        publisher.drain()
        return Loaded(sent=publisher.sent, acknowledged=publisher.acknowledged, seconds=time.monotonic() - began)


def payload(seq: int, at: int) -> str:
    """Write the `seq`th message's payload; `at` is epoch ns.

    >>> payload(1234, 1_750_000_000_250_000_000)
    '{"seq":1234,"ts":1750000000250,"temperature":22.34}'
    """
    return json.dumps({"seq": seq, "ts": at // 1_000_000, "temperature": (2000 + seq % 1000) / 100}, separators=(",", ":"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Give the exit code: 0 fine, 2 wrong usage or no broker. The result is JSON on stdout."""
    about = "Publish plain JSON at a steady rate."
    parser = argparse.ArgumentParser(prog="python -m simulator.load", description=about, parents=[broker_options()])
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--rate", type=float, help="messages a second, all devices together (default: as fast as the broker takes them)")
    parser.add_argument("--for", dest="seconds", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--qos", type=int, choices=(0, 1), default=1)
    parser.add_argument("--truth", type=Path, metavar="FILE", help="write every acknowledged message here, as JSON Lines")
    options = parser.parse_args(arguments)
    logs.configure()
    try:
        loaded = load(
            broker_from(options), devices=options.devices, rate=options.rate, seconds=options.seconds, qos=options.qos, truth=options.truth
        )
    except (OSError, ValueError) as error:
        log.error("cannot load", error=str(error))  # noqa: TRY400  the text says it all
        return 2
    sys.stdout.write(f"{json.dumps({**asdict(loaded), 'rate': round(loaded.rate, 1)})}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
