"""The other hosts of a cluster: who is there, with which config, and how far each has read its partition of the journal."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from time import monotonic, sleep, time_ns
from typing import Any

import msgspec
import structlog

from gateway.setting_types import Listen

log = structlog.get_logger()

_EVERY = 0.1
"""Seconds between two words to each other."""
_FRESH = 1.0
"""Seconds for which a word counts when the hosts gather."""
_SILENT = 5.0
"""Seconds without a word after which a host is taken for gone."""
_ENDS = 30.0
"""Seconds within which all have ended a run that one has begun to end."""
_AHEAD = 1_000_000_000
"""ns by which a partition may be read ahead of the slowest: what is ahead is held in the shards."""
_SKEW = 1_000_000_000
"""ns by which the clocks of two hosts may differ before it is said."""
_LONGEST = 2_048


class Word(msgspec.Struct, array_like=True):
    """What a host says, in one datagram of MessagePack.

    `hosts` stands for the list of all, and `config` for what they are to run. `run` is another each time that it is ready to run; `goes_with` are the
    runs of all, once it goes with them. `kept` names the state that it has kept. `reached` is up to which receive time it has given what it read; `now`
    is its clock (both epoch ns).
    """

    member: int
    hosts: str
    run: str
    config: str
    kept: str
    goes_with: tuple[str, ...]
    reached: int
    now: int
    leaving: bool


_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Word).decode


class Peers:
    """All hosts of a cluster, as one of them sees the others.

    Bytewax runs only while all are there, and does not notice one that falls silent. So they say ten times a second, by datagrams to the same
    ports, how they are: they begin together, with the same config, all from the states that they kept together or all anew. While they run,
    `gone` is called, with a sentence, when one falls silent or begins anew, and `ending` is set when another wants to end the run: then all do.
    """

    def __init__(
        self,
        addresses: Sequence[Listen],
        member: int,
        *,
        stopping: threading.Event,
        ending: threading.Event,
        gone: Callable[[str], None],
    ) -> None:
        """Listen at our own address. Raises OSError where that cannot be."""
        self._addresses = addresses
        self._member = member
        self._stopping = stopping
        self._ending = ending
        self._gone = gone
        family, own = _resolved(addresses[member])
        with socket.socket(family, socket.SOCK_STREAM) as probe:  # Bytewax says of a port that is taken neither which it is nor why
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(own)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind(own)
        self._others: dict[int, Any] = {}
        self._socket.settimeout(_EVERY)
        self._hosts = sha256(" ".join(map(str, addresses)).encode()).hexdigest()[:16]
        self._word = Word(member, self._hosts, "", "", "", (), 0, 0, leaving=False)
        self._heard: dict[int, tuple[Word, float]] = {}
        self._ended_at = 0.0
        self._skewed: set[int] = set()
        self.reached: Callable[[], int] = lambda: 0

    def start(self) -> None:
        """Speak and listen from now on, in a thread, for as long as the process lives."""
        threading.Thread(target=self._talk, name="peers", daemon=True).start()

    def gather(self, config: str, kept: str, beat: Callable[[], bool], tell: Callable[[str], None]) -> str | None:
        """Wait until all are there with this config. Give the name of the state that all keep from now on: `kept` where all have that.

        `beat` is called in each turn and tells whether to wait on; None where it says no. `tell` is told for what we wait, and "" in the end.
        """
        self.reached = lambda: 0
        self._word = Word(self._member, self._hosts, os.urandom(8).hex(), config, kept, (), 0, 0, leaving=False)
        said = None
        while beat():
            waits = self._waits_for()
            if waits != said:
                tell(waits)
            if not waits:
                return self._go(kept)
            said = waits
            sleep(_EVERY)
        return None

    def _go(self, kept: str) -> str:
        words = [self._word if member == self._member else self._heard[member][0] for member in range(len(self._addresses))]
        runs = tuple(word.run for word in words)
        self._ended_at = 0.0
        self._word.goes_with = runs
        agreed = kept and all(word.kept == kept for word in words)
        return kept if agreed else sha256("".join(runs).encode()).hexdigest()[:16]

    @property
    def _ends(self) -> bool:
        return self._ending.is_set() or self._stopping.is_set()

    @property
    def slowest(self) -> int:
        """Up to which receive time all others have read."""
        return min((word.reached for word, _ in self._heard.values()), default=0)

    def is_ahead(self) -> bool:
        """Tell whether we have read so far ahead of the others that we must wait for them."""
        return self.reached() > self.slowest + _AHEAD

    def _waits_for(self) -> str:
        """Say what we wait for; "" where all are ready."""
        waits = []
        for member, address in enumerate(self._addresses):
            word, at = self._heard.get(member, (None, 0.0))
            if member == self._member:
                continue
            if word is None or monotonic() - at > _FRESH or word.leaving or not word.run:
                waits.append(f"{address} to be there")
            elif word.hosts != self._hosts:
                waits.append(f"{address} to have the same flows.cluster, in the same order")
            elif word.config != self._word.config:
                waits.append(f"{address} to have the same flows, profiles and Sluice")
            elif word.goes_with and word.goes_with[self._member] != self._word.run:
                waits.append(f"{address} to end its last run")
        return "; ".join(waits)

    def _talk(self) -> None:
        said = 0.0
        while True:
            if monotonic() - said >= _EVERY:
                said = monotonic()
                self._say()
                self._look()
            try:
                packet, where = self._socket.recvfrom(_LONGEST)
            except OSError:
                continue
            self._hear(packet, where)

    def _hear(self, packet: bytes, where: Sequence[Any]) -> None:
        """Take a word, if it is one, and comes from another host's address."""
        member = next((number for number, address in self._others.items() if address[:2] == where[:2]), None)
        if member is None:
            return
        try:
            word = _decode(packet)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        if word.hosts != self._hosts or len(word.goes_with) in {0, len(self._addresses)}:
            self._heard[member] = word, monotonic()
            self._compare_clocks(member, word)

    def _say(self) -> None:
        word = self._word
        word.reached, word.now = self.reached(), time_ns()
        word.leaving = word.leaving or (bool(word.goes_with) and self._ends)
        packet = _encode(word)
        for member, address in enumerate(self._addresses):
            if member != self._member:
                with suppress(OSError):  # who does not hear us takes us for silent
                    if member not in self._others:
                        _, self._others[member] = _resolved(address)
                    self._socket.sendto(packet, self._others[member])

    def _look(self) -> None:
        """While we run, see whether all others still do."""
        runs = self._word.goes_with
        if not runs:
            return
        heard = list(self._heard.items())
        for member, (_, at) in heard:
            if monotonic() - at > _SILENT:
                self._gone(f"{self._addresses[member]} is silent")
        if self._ends:
            self._ended_at = self._ended_at or monotonic()
            if monotonic() - self._ended_at > _ENDS:
                self._gone("not all hosts have ended the run")
            return
        for member, (word, _) in heard:
            if word.run != runs[member]:
                self._gone(f"{self._addresses[member]} has begun anew")
            elif word.leaving:
                self._ending.set()

    def _compare_clocks(self, member: int, word: Word) -> None:
        skew = time_ns() - word.now
        if abs(skew) > _SKEW and member not in self._skewed:
            self._skewed.add(member)
            log.warning(
                "clocks differ: what all hosts decide together is as late as the slowest clock",
                host=str(self._addresses[member]),
                seconds=round(skew / 1e9, 1),
            )


def _resolved(address: Listen) -> tuple[socket.AddressFamily, Any]:
    family, _, _, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
    return family, where
