"""One MQTT connection of a load: a socket that never blocks while the load runs."""

from __future__ import annotations

import secrets
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

from simulator.broker import Broker
from simulator.load.outbox import Outbox, Span
from simulator.load.packets import DISCONNECT, PINGREQ, PINGRESP, Answer, answers, connect, refusal
from simulator.nanoseconds import SECOND

KEEP_ALIVE = 30
"""What the broker is told, in s. It is asked for a sign of life after half of that in silence, and given up after one and a half."""
_PATIENCE = 5.0
_READ = 1 << 16
_BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class RefusedError(OSError):
    """A broker that answers, and does not take us; the text is its reason."""


class Connection:
    """Writes what an outbox holds and reads the answers. Every method that talks to the broker raises OSError when it is gone.

    Guarantee: as the outbox has it, when `open` is called again after each loss. At QoS 1 at least once; at QoS 0 what was in the
    network's buffers when a connection broke is lost.
    """

    def __init__(self, broker: Broker, outbox: Outbox) -> None:
        self.outbox = outbox
        self._broker = broker
        self._socket: socket.socket | None = None
        self._asked = self._blocked = False
        self._asked_behind = self._answered_behind = -1
        self._alive = 0

    def open(self) -> None:
        """Connect and be taken: within 5 s, or OSError; RefusedError for a broker that does not want us."""
        opened = socket.create_connection((self._broker.host, self._broker.port), timeout=_PATIENCE)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._broker.tls is not None:
                opened = self._broker.tls.wrap_socket(opened, server_hostname=self._broker.host)
            self._enter(opened)
        except BaseException:
            opened.close()
            raise
        opened.setblocking(False)
        self._socket, self._alive = opened, time.monotonic_ns()
        self._asked = self._blocked = False
        self._hurry()
        self._asked_behind = self._answered_behind = -1
        self.outbox.again()

    @property
    def up(self) -> bool:
        return self._socket is not None

    @property
    def settled(self) -> bool:
        """Whether the broker has answered a ping behind all that was put into the outbox: then it has read it."""
        return self._answered_behind == self.outbox.end

    def fileno(self) -> int:
        return self._opened.fileno()

    def write(self) -> Iterator[Span]:
        """Write as much as the network takes, and give the messages that are done by it (QoS 0)."""
        with suppress(*_BLOCKED):
            while (packets := self.outbox.unwritten()) is not None:
                was_blocked, self._blocked = self._blocked, True
                written = self._opened.send(packets)
                self._blocked = False
                if was_blocked:  # the broker has read: at full speed of QoS 0 its only sign of life
                    self._alive = time.monotonic_ns()
                yield from self.outbox.wrote(written)

    def read(self, *, now: int) -> Iterator[Span]:
        """Read what the broker has sent, and give the messages that are done by it (QoS 1)."""
        with suppress(*_BLOCKED):
            while True:  # a TLS connection may hold more than its socket shows
                received = self._opened.recv(_READ)
                if not received:
                    raise ConnectionResetError("the broker closed the connection")
                self._alive = now
                spans, others = self.outbox.acknowledged(received)
                yield from spans
                if any(answer.kind == PINGRESP for answer in others):
                    self._asked, self._answered_behind = False, self._asked_behind
                if len(received) < _READ and self._broker.tls is None:
                    break
        self._hurry()

    def tend(self, *, now: int) -> None:
        """Keep the connection alive; TimeoutError when the broker has been silent for too long."""
        if now - self._alive > 1.5 * KEEP_ALIVE * SECOND:
            raise TimeoutError(f"nothing heard for {KEEP_ALIVE * 1.5:g} s")
        if now - self._alive > KEEP_ALIVE * SECOND // 2:
            self.ask()

    def ask(self) -> None:
        """Ask the broker for a sign of life behind all that was written, unless there is more to write, or it has been asked."""
        if self._asked or self.outbox.unwritten() is not None:
            return
        with suppress(*_BLOCKED):
            if self._opened.send(PINGREQ) != len(PINGREQ):
                raise ConnectionResetError("half a PINGREQ was taken")
            self._asked, self._asked_behind = True, self.outbox.end

    def drop(self) -> None:
        """Close without a word, as after a loss."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Take leave, and wait for the broker to close: else what it has not yet read could be thrown away."""
        if self._socket is None:
            return
        with suppress(OSError):
            self._socket.settimeout(_PATIENCE)
            self._socket.sendall(DISCONNECT)
            while self._socket.recv(_READ):
                pass
        self.drop()

    def _hurry(self) -> None:
        """Have the kernel acknowledge at once what it receives next; the option holds only for a while (tcp(7)).

        Else a broker without TCP_NODELAY holds its PUBACKs back for 40 ms whenever the window is full and we have nothing to say.
        """
        if sys.platform == "linux":
            self._opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    @property
    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionResetError("not connected")
        return self._socket

    def _enter(self, opened: socket.socket) -> None:
        broker = self._broker
        name = f"simulator-{secrets.token_hex(4)}"
        opened.sendall(connect(name, keep_alive=KEEP_ALIVE, username=broker.username, password=broker.password))
        received = b""
        found: list[Answer] = []
        while not found:
            more = opened.recv(4 - len(received))  # a CONNACK and no more
            if not more:
                raise ConnectionResetError("a closed connection")
            received += more
            found, _ = answers(received)
        why = refusal(found[0])
        if why is not None:
            raise RefusedError(why)
