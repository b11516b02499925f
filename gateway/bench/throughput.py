"""How many messages a second go all the way, held against what a C client receives and does nothing with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

from gateway.bench.stand import Stand, loaded
from gateway.bench.waiting import StuckError, until
from gateway.status import memories

LAG = 1.0
"""Seconds after the last message within which all has been read, windowed and stored: else the rate was not sustained."""
_TRIES = 6
_PROBE = 5.0
"""Seconds of a load as fast as the broker takes it, from which the first guess at a rate is made."""
_STEP, _SHORT = 1.15, 8.0
"""By how much one try is above the other, and seconds that it takes."""
_TEACHING = 1_000.0
"""Messages a second while each device says something for the first time."""
_WARM_UP = 2.0
_QUIET = 5.0
"""Seconds without any change after which what has not come is lost."""


@dataclass
class Sustained:
    """A rate (messages/s) at which everything that was sent came all the way, `lag` seconds after it was sent at the end.

    By process: `cpu` in µs a message, `written` in bytes a message, `memory` in bytes.
    """

    qos: int
    rate: float
    sent: int
    lost: int
    lag: float
    cpu: dict[str, float] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    @property
    def lasts(self) -> bool:
        """Whether it could go on so for ever."""
        return self.lag <= LAG and not self.lost

    def document(self) -> dict[str, Any]:
        return asdict(self)


def generator_alone(folder: Path, *, qos: int, seconds: float) -> float:
    """Give the messages a second of the load alone: a broker, and nobody who listens."""
    with Stand(folder) as stand:
        return float(loaded(stand.load(qos=qos, seconds=seconds))["rate"])


def received_by_c(folder: Path, *, qos: int, seconds: float) -> float:
    """Give the messages a second that `mosquitto_sub` receives of the same load, as fast as it comes. Raises StuckError."""
    client = shutil.which("mosquitto_sub")
    if client is None:
        raise StuckError("mosquitto_sub is not installed (apt install mosquitto-clients)")
    with Stand(folder) as stand:
        words = [client, "-h", stand.broker.host, "-p", str(stand.broker.port), "-V", "mqttv5", "-t", "load/#", "-q", str(qos)]
        with _counting([*words, "-N", "-F", "x"]) as counted:
            load = stand.load(qos=qos, seconds=seconds + _WARM_UP)
            until(lambda: counted[0] > 0, "mosquitto_sub receives")
            sleep(_WARM_UP)
            before, began = counted[0], monotonic()
            sleep(seconds - 1)
            rate = (counted[0] - before) / (monotonic() - began)
            loaded(load)
    return rate


@contextmanager
def _counting(words: list[str]) -> Iterator[list[int]]:
    """Run a client that prints a byte for each message, and count."""
    counted = [0]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)  # noqa: S603  our own words
    assert process.stdout
    out = process.stdout

    def count() -> None:
        while found := out.read1(1 << 20):  # type: ignore[attr-defined]
            counted[0] += len(found)

    thread = Thread(target=count, daemon=True)
    thread.start()
    try:
        sleep(0.5)  # it has no way to say that it has subscribed
        yield counted
    finally:
        process.terminate()
        process.wait(10)
        thread.join(10)
        out.close()


def sustained(folder: Path, *, qos: int, seconds: float, devices: int = 1000) -> Sustained:
    """Find a rate that is sustained for so many seconds: by short tries upwards until something lags, else downwards; then in full.

    Each device is known before, since one that is new costs more. Raises StuckError.
    """
    with Stand(folder) as stand:
        stand.start_gateway()
        stand.teach(devices, rate=_TEACHING)
        rate = _guess(stand, qos=qos, devices=devices)
        for _ in range(_TRIES):
            if not _held(stand, qos=qos, seconds=min(seconds, _SHORT), devices=devices, rate=rate * _STEP).lasts:
                break
            rate *= _STEP
        for _ in range(_TRIES):
            found = _held(stand, qos=qos, seconds=seconds, devices=devices, rate=rate)
            if found.lasts:
                return found
            rate *= max(0.6, min(0.95, seconds / (seconds + found.lag)))
    raise StuckError(f"no rate was sustained; at {found.rate:,} messages/s the lag was {found.lag:.1f} s, and {found.lost:,} were lost")


def _guess(stand: Stand, *, qos: int, devices: int) -> float:
    """Give the rate at which a load that is as fast as can be is read to its end."""
    before, began = stand.messages()[0], monotonic()
    stand.read(stand.load(qos=qos, seconds=_PROBE, devices=devices))
    return (stand.messages()[0] - before) / (monotonic() - began)


def _held(stand: Stand, *, qos: int, seconds: float, devices: int, rate: float) -> Sustained:
    began_with, _ = stand.messages()
    before = stand.taken()
    load = stand.load(qos=qos, seconds=seconds, devices=devices, rate=rate)
    came = loaded(load)
    sent = int(came["sent"])
    lag, received = _settled(stand, began_with + sent)
    after = stand.taken()
    spent = {name: one.since(before[name]) for name, one in after.items() if name in before}
    cpu = {name: round(one.cpu / sent * 1e6, 2) for name, one in spent.items()}
    written = {name: round(one.written / sent, 1) for name, one in spent.items()}
    lost, memory = sent - (received - began_with), memories(stand.processes())
    return Sustained(qos, round(sent / float(came["seconds"])), sent, lost, round(lag, 2), cpu, written, memory)


def _settled(stand: Stand, wanted: int) -> tuple[float, int]:
    """Wait until all that was sent has been stored, or nothing more comes; give the seconds until then, and how many were received."""
    began = moved = monotonic()
    last = stand.messages()
    while last != (wanted, 0) and monotonic() - moved < _QUIET:
        sleep(0.02)
        if (now := stand.messages()) != last:
            last, moved = now, monotonic()
    return moved - began, last[0]
