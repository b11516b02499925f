"""Plain scalars: one topic per metric, `<root>/<device>/<metric>`, with nothing but the value in it."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Heard, Outgoing, Value, said, switch


class PlainScalar:
    """One device, which takes its command on `<root>/<name>/switch/set` and answers on `<root>/<name>/switch`.

    >>> PlainScalar("light-1", root="greenhouse").report({"illuminance": 59120.0}, on=None, at=0)
    [Outgoing(topic='greenhouse/light-1/illuminance', payload=b'59120.0', qos=1, retain=False)]
    """

    def __init__(self, name: str, *, root: str) -> None:
        self.connection = name
        self._topic = f"{root}/{name}"

    def will(self) -> Outgoing | None:
        return None

    def hello(self) -> list[Outgoing]:
        return []

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:  # noqa: ARG002  it sends no time
        reports = [Outgoing(f"{self._topic}/{metric}", _said(value)) for metric, value in values.items()]
        return reports if on is None else [Outgoing(f"{self._topic}/switch", said(on).encode()), *reports]

    def listens(self) -> list[str]:
        return [f"{self._topic}/switch/set"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        return switch(payload.decode(errors="replace"))

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:  # noqa: ARG002  it says only the state
        return [Outgoing(f"{self._topic}/switch", said(on).encode())]


def _said(value: Value) -> bytes:
    return str(value).lower().encode() if isinstance(value, bool) else repr(value).encode()
