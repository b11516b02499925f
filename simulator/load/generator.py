"""The load itself: encodes what is due, keeps the connections busy, and counts."""

from __future__ import annotations

import contextlib
import selectors
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import IO, cast

import structlog

from simulator.broker import Broker
from simulator.load.connection import Connection, RefusedError
from simulator.load.latency import Latency
from simulator.load.loaded import Loaded
from simulator.load.outbox import Outbox, Span
from simulator.load.reports import BLOCK, Reports
from simulator.load.shapes import Due, when
from simulator.load.spec import LoadSpec
from simulator.nanoseconds import SECOND
from simulator.publisher import PublishError

log = structlog.get_logger()

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0
_REFILL = 4
"""A connection is given more when a quarter of its window is free: a few messages at a time would cost a system call each."""
_BATCHES = 16
"""How many batches are written between two looks at the clock and at what the broker says."""
_SHORTEST, _LONGEST = 0.001, 0.1
"""Seconds between two looks at the clock: the messages of a millisecond go out together."""
_GATHER = 0.0005
"""Seconds in which PUBACKs gather while the window is full."""
_MILLISECOND = SECOND // 1000


def run(
    spec: LoadSpec,
    broker: Broker,
    *,
    seconds: float | None = None,
    seed: int = 1,
    start: int | None = None,
    truth: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Loaded], object] | None = None,
) -> Loaded:
    """Publish what falls due within `seconds` (None: for ever), however late, and return when every PUBACK is there.

    Messages are stamped with the time, or, when `start` (epoch ns) is given, with `start` and when they fell due; without a rate, with a
    millisecond for each 1,000: then the same seed gives the same bytes. `truth` is a file of JSON Lines, one per acknowledged message, in
    order of acknowledgement, with its `device`; at QoS 0, one per message that was written. `stopped` is asked all the time, and `on_progress`
    told about once a second; a load that is stopped waits for the PUBACKs of a broker that is there.

    Guarantee: at least once at QoS 1. What was in flight when a connection breaks is sent again (DUP) on the next one, which is tried for
    as long as it takes. At QoS 0 what was in the network's buffers is lost.

    Raises:
        PublishError: the broker is not there at the start, refuses us, or is to be spoken to over websockets.

    """
    if broker.transport != "tcp":
        raise PublishError(f"broker {broker}: a load writes MQTT onto plain or TLS connections; got a websocket URL, ws:// or wss://")
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(truth.open("wb")) if truth else None
        generator = Generator(spec, broker, seed=seed, start=start, truth=file, stopped=stopped, on_progress=on_progress)
        stack.callback(generator.close)
        generator.open()
        generator.send(seconds)
        return generator.figures()


class Generator:
    """All connections of a load in one thread. Use `run`."""

    def __init__(
        self,
        spec: LoadSpec,
        broker: Broker,
        *,
        seed: int,
        start: int | None,
        truth: IO[bytes] | None,
        stopped: Callable[[], bool],
        on_progress: Callable[[Loaded], object] | None,
    ) -> None:
        self._spec, self._broker = spec, broker
        self._reports = Reports(spec, seed=seed)
        self._due = spec.due()
        self._start, self._truth, self._stopped, self._on_progress = start, truth, stopped, on_progress
        boxes = [Outbox(size=self._reports.size, qos=spec.qos, in_flight=spec.in_flight) for _ in range(spec.connections)]
        self._connections = [Connection(broker, box) for box in boxes]
        self._selector = selectors.DefaultSelector()
        self._latency = Latency()
        self._sent = self._done = self._reconnects = self._lagging = 0
        self._began = self._told = self._ended = self._next = 0

    def open(self) -> None:
        """Connect all; PublishError when the broker is not there or refuses."""
        for connection in self._connections:
            try:
                connection.open()
            except RefusedError as error:
                raise PublishError(f"broker {self._broker}: does not take us; got {error}") from error
            except OSError as error:
                raise PublishError(f"broker {self._broker}: cannot connect; got {error}") from error
            self._selector.register(connection, selectors.EVENT_READ)
        self._began = self._told = time.monotonic_ns()

    def close(self) -> None:
        self._selector.close()
        for connection in self._connections:
            connection.close()

    def send(self, seconds: float | None) -> None:
        """Send what falls due within `seconds`, and wait until all of it is done."""
        end = sys.maxsize if seconds is None else round(seconds * SECOND)
        while not self._stopped():
            elapsed = time.monotonic_ns() - self._began
            due = self._due(min(elapsed, end)) if self._due else sys.maxsize
            if elapsed >= end and (self._due is None or self._sent >= due):
                break
            blocked = self._fill(due)
            self._turn(self._pause(due, blocked=blocked))
        while not self._settled() and not (self._stopped() and self._away()):
            self._turn(_LONGEST)
        self._ended = time.monotonic_ns()

    def figures(self) -> Loaded:
        """Say what it has come to so far."""
        elapsed = ((self._ended or time.monotonic_ns()) - self._began) / SECOND
        return Loaded(
            sent=self._sent,
            acknowledged=self._done if self._spec.qos else None,
            seconds=round(elapsed, 6),
            rate=round(self._done / elapsed, 1) if elapsed else 0.0,
            p50_ms=self._latency.quantile(0.5),
            p99_ms=self._latency.quantile(0.99),
            max_ms=self._latency.longest,
            bytes=self._sent * self._reports.size,
            connections=len(self._connections),
            reconnects=self._reconnects,
            lagging=round(self._lagging / SECOND, 3),
        )

    def _fill(self, due: int) -> bool:
        """Encode and write what is due, as far as every connection has room; say whether one has not."""
        share, enough = len(self._connections), max(self._spec.in_flight // _REFILL, 1)
        for _ in range(_BATCHES):
            if self._sent >= due:
                break
            room = min(connection.outbox.room for connection in self._connections)
            wanted = min(due - self._sent, self._reports.together(self._sent))
            if room < min(enough, -(-wanted // share)):
                return True
            stamp, wanted = self._stamp(wanted)
            self._batch(min(wanted, room * share), stamp=stamp)
        return False

    def _batch(self, count: int, *, stamp: int) -> None:
        """Encode the next messages, for each connection those of its devices: device d, from 0, has connection d modulo their number."""
        first, share = self._sent, len(self._connections)
        self._sent += count
        for offset in range(min(count, share)):
            connection = self._connections[(first % self._spec.devices + offset) % share]
            size = -(-(count - offset) // share)
            packets = self._reports.encode(first + offset, size, step=share, position=connection.outbox.end, stamp=stamp)
            connection.outbox.put(packets, size, now=time.monotonic_ns())
            self._exchange(connection, selectors.EVENT_WRITE)

    def _stamp(self, count: int) -> tuple[int, int]:
        """Give the next message's stamp, in epoch ms, and how many of `count` from it on have the same."""
        if self._start is None:
            return time.time_ns() // _MILLISECOND, count
        if self._due is None:
            return self._start // _MILLISECOND + self._sent // BLOCK, count
        stamp = (self._start + self._when(self._due)) // _MILLISECOND
        return stamp, max(1, min(count, self._due((stamp + 1) * _MILLISECOND - self._start) - self._sent))

    def _when(self, due: Due) -> int:
        """Give when the next message falls due, in ns since the load began."""
        self._next = when(due, self._sent, after=self._next)
        return self._next

    def _pause(self, due: int, *, blocked: bool) -> float:
        """Say for how many seconds nothing but the network wants us."""
        elapsed = time.monotonic_ns() - self._began
        if self._due is not None and self._sent < due:
            self._lagging = max(self._lagging, elapsed - self._when(self._due))
        if blocked:
            if self._spec.qos:
                time.sleep(_GATHER)
            return _LONGEST
        if self._due is None or self._sent < due:
            return 0.0
        return min(max((self._when(self._due) - elapsed) / SECOND, _SHORTEST), _LONGEST)

    def _turn(self, seconds: float) -> None:
        """Wait for the network for so long at most, and do what it and the time ask for."""
        for key, events in self._selector.select(seconds):
            self._exchange(cast("Connection", key.fileobj), events)
        now = time.monotonic_ns()
        if now - self._told >= SECOND:
            self._tell(now)
            for connection in self._connections:
                self._guarded(connection, partial(connection.tend, now=now))

    def _exchange(self, connection: Connection, events: int) -> None:
        """Read and write what is there, and watch for the network to take more when it does not take all."""

        def work() -> None:
            if events & selectors.EVENT_READ:
                self._count(connection.read(now=time.monotonic_ns()))
            if events & selectors.EVENT_WRITE:
                self._count(connection.write())
                wanted = selectors.EVENT_READ if connection.outbox.unwritten() is None else selectors.EVENT_READ | selectors.EVENT_WRITE
                if self._selector.get_key(connection).events != wanted:
                    self._selector.modify(connection, wanted)

        self._guarded(connection, work)

    def _count(self, spans: Iterable[Span]) -> None:
        for batch, start, stop in spans:  # one after the other: those before a connection breaks count
            self._done += stop - start
            if self._spec.qos:
                self._latency.add(time.monotonic_ns() - batch.made, stop - start)
            if self._truth is not None:
                self._truth.writelines(self._reports.truth(batch.packets, start, stop))

    def _settled(self) -> bool:
        """Whether every PUBACK is there; at QoS 0, whether the broker has read all: it is asked for that."""
        if self._spec.qos:
            return not any(connection.outbox.waiting for connection in self._connections)
        for connection in self._connections:
            if not connection.settled:
                self._guarded(connection, connection.ask)
        return all(connection.settled for connection in self._connections)

    def _away(self) -> bool:
        return not all(connection.up for connection in self._connections)

    def _guarded(self, connection: Connection, work: Callable[[], None]) -> None:
        """Do something that needs the broker; when it is gone, connect again."""
        try:
            work()
        except OSError as error:
            if connection.up:
                self._selector.unregister(connection)
                connection.drop()
                log.warning("broker away, trying again until it is back", broker=str(self._broker), error=str(error))
            self._reconnect(connection)

    def _reconnect(self, connection: Connection) -> None:
        delay = _FIRST_DELAY
        while not self._stopped():
            self._idle(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
            with contextlib.suppress(OSError):
                connection.open()
                self._selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
                self._reconnects += 1
                return

    def _idle(self, seconds: float) -> None:
        """Let time pass, unless stopped."""
        until = time.monotonic_ns() + round(seconds * SECOND)
        while (now := time.monotonic_ns()) < until and not self._stopped():
            time.sleep(min((until - now) / SECOND, _LONGEST))
            if now - self._told >= SECOND:
                self._tell(now)

    def _tell(self, now: int) -> None:
        self._told = now
        if self._on_progress is not None:
            self._on_progress(self.figures())
