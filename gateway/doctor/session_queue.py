"""How long the broker's queue holds what comes while the gateway is away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.doctor.traffic import Traffic

ENOUGH = 600.0
"""Seconds: an outage of ten minutes is a restart of the machine with a look at its disk."""

_DEFAULTS = {"max_queued_messages": 1000, "max_inflight_messages": 20, "max_queued_bytes": 0}
"""mosquitto.conf(5); 0 is no limit."""


class SessionQueue(NamedTuple):
    """What a mosquitto keeps of one session; 0 is no limit."""

    queued: int
    in_flight: int
    size: int

    @classmethod
    def of(cls, configuration: str) -> SessionQueue:
        """Read it from the text of a mosquitto.conf.

        >>> SessionQueue.of("max_queued_messages 5000")
        SessionQueue(queued=5000, in_flight=20, size=0)
        """
        lines = [line.split() for line in configuration.splitlines()]
        said = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[0] in _DEFAULTS and words[1].isdigit()}
        values: Mapping[str, int] = {**_DEFAULTS, **said}
        return cls(values["max_queued_messages"], values["max_inflight_messages"], values["max_queued_bytes"])

    def holds(self, traffic: Traffic) -> tuple[float, str]:
        """Give for how many seconds it holds what comes, and how that is computed.

        >>> SessionQueue(1000, 20, 0).holds(Traffic(100.0, 50.0))
        (10.2, '(1,000 queued + 20 in flight) / 100 messages a second')
        """
        seconds, formula = float("inf"), "no limit"
        if self.queued:
            seconds = (self.queued + self.in_flight) / traffic.rate
            formula = f"({self.queued:,} queued + {self.in_flight:,} in flight) / {traffic.rate:,.3g} messages a second"
        if self.size and traffic.size and (by_size := self.size / (traffic.rate * traffic.size)) < seconds:
            seconds = by_size
            formula = f"{self.size:,} bytes / ({traffic.rate:,.3g} messages a second of {traffic.size:,.0f} bytes)"
        return seconds, formula


MOSQUITTO = SessionQueue.of("")
"""One that nobody has configured."""
