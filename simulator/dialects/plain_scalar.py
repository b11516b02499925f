"""Plain scalars: one topic per metric, `<root>/<device>/<metric>`, with nothing but the value in it."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Heard, Outgoing, Value, said, switch, text
from simulator.dialects.rooted import Rooted


class PlainScalar(Rooted):
    """One device, which takes its command on `<root>/<name>/switch/set` and answers on `<root>/<name>/switch`.

    >>> PlainScalar("light-1").report({"illuminance": 59120.0}, on=None, at=0)
    [Outgoing(topic='sim/light-1/illuminance', payload=b'59120.0', qos=1, retain=False)]
    """

    bare = True

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        reports = [Outgoing(f"{self.topic}/{metric}", text(value).encode()) for metric, value in values.items()]
        return reports if on is None else [self._switch(on), *reports]

    def listens(self) -> list[str]:
        return [f"{self.topic}/switch/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        return switch(payload.decode(errors="replace"))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [self._switch(on)]

    def _switch(self, on: bool) -> Outgoing:
        return Outgoing(f"{self.topic}/switch", said(on).encode())
