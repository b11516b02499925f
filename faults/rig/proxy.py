"""A TCP proxy that makes a link slow, cuts it, or leaves it half open."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from dataclasses import dataclass, field
from random import Random
from time import monotonic, sleep

from gateway.broker.embedded import free_port


@dataclass
class Toxics:
    """What is wrong with the link: seconds of latency (give or take `jitter`), bytes a second, pieces of so many bytes at most.

    `hole` takes bytes in and passes none on, without a word (half open).
    """

    latency: float = 0.0
    jitter: float = 0.0
    bandwidth: float = 0.0
    slice: int = 65_536
    hole: bool = False


@dataclass
class _Pipe:
    source: socket.socket
    sink: socket.socket
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    due: float = 0.0


class Proxy:
    """One listening port that leads to another; its toxics can be changed while connections live."""

    def __init__(self, target: int, *, seed: int = 1) -> None:
        self.port = free_port("127.0.0.1", 0)
        self.toxics = Toxics()
        self._target = target
        self._random = Random(seed)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset every connection."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def close(self) -> None:
        self._closed = True
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(_Pipe(source, sink),), daemon=True).start()

    def _carry(self, pipe: _Pipe) -> None:
        """Carry bytes one way until an end of it is closed."""
        with contextlib.suppress(OSError, ValueError):
            while True:
                wait = 0.02 if pipe.waiting else 0.2
                if len(pipe.waiting) < 64 and select.select([pipe.source], [], [], wait)[0]:
                    said = pipe.source.recv(self.toxics.slice)
                    if not said:
                        break
                    toxics = self.toxics
                    delay = max(0.0, toxics.latency + self._random.uniform(-toxics.jitter, toxics.jitter))
                    pipe.due = max(pipe.due, monotonic()) if toxics.bandwidth else monotonic()
                    pipe.due += len(said) / toxics.bandwidth if toxics.bandwidth else 0.0
                    pipe.waiting.append((pipe.due + delay, said))
                elif len(pipe.waiting) >= 64:
                    sleep(0.01)
                while pipe.waiting and not self.toxics.hole and pipe.waiting[0][0] <= monotonic():
                    pipe.sink.sendall(pipe.waiting.pop(0)[1])
        for one in (pipe.source, pipe.sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
