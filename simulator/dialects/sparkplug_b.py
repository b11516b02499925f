"""Sparkplug B: an edge node that says its birth with everything it has, then only what it measures, by aliases.

Source: Eclipse Sparkplug 3.0, sections 5 and 6 (https://sparkplug.eclipse.org/specification/)
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Heard, Outgoing, Value
from simulator.dialects.protobuf import bytes_field, double_field, fields, number_field
from simulator.manner import USUAL, Manner
from simulator.units import unit_of

_NAMESPACE = "spBv1.0"
_GROUP = "plant"
_INT64, _DOUBLE, _BOOLEAN, _STRING = 4, 10, 11, 12
_REBIRTH = "Node Control/Rebirth"
_STATE = "State"
_BIRTH = 0
"""The birth and death number of the one connection it makes."""


class SparkplugB(Dialect):
    """One edge node, in the group `plant`. Its births are no discovery: without them nobody could read it.

    >>> node = SparkplugB("press")
    >>> [message.topic for at in (1, 2) for message in node.report({"temperature": 21.5}, on=None, at=at)]
    ['spBv1.0/plant/NBIRTH/press', 'spBv1.0/plant/NDATA/press']
    """

    stamped = True
    wills = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.called = f"{_GROUP}/{name}"
        self._sequence = 0
        self._born: dict[str, tuple[int, int]] = {}
        """Alias and datatype of each metric that its birth named."""

    def will(self) -> Outgoing | None:
        number = bytes_field(2, _metric("bdSeq", datatype=_INT64, value=_BIRTH))
        return None if self.manner.will is False else Outgoing(self._topic("NDEATH"), number)

    def hello(self) -> list[Outgoing]:
        self._born = {}  # its first report is its birth
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        said = {metric.capitalize(): value for metric, value in values.items()} | ({} if on is None else {_STATE: on})
        if not self._born or any(self._born.get(name, (0, 0))[1] != _datatype(value) for name, value in said.items()):
            return [self._birth(said, at=at)]
        metrics = [_metric(alias=self._born[name][0], datatype=self._born[name][1], value=value, at=at) for name, value in said.items()]
        return [self._message("NDATA", metrics, at=at)] if metrics else []

    def listens(self) -> list[str]:
        return [self._topic("NCMD")]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take a rebirth, and the state of its output by name or alias."""
        if topic != self._topic("NCMD"):
            return None
        try:
            metrics = [dict(fields(held)) for number, held in fields(payload) if number == 2 and isinstance(held, bytes)]
        except ValueError:
            return None
        for metric in metrics:
            name, alias, truth = metric.get(1, b""), metric.get(2), metric.get(14)
            if name == _REBIRTH.encode() and truth:
                self._born = {}
                return Heard()
            if truth is not None and (name == _STATE.encode() or (not name and alias == self._born.get(_STATE, (None, 0))[0])):
                return Heard(on=bool(truth))
        return None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report({} if self._born else values, on=on, at=at)

    def _topic(self, kind: str) -> str:
        return f"{_NAMESPACE}/{_GROUP}/{kind}/{self.connection}"

    def _birth(self, said: Mapping[str, Value], *, at: int) -> Outgoing:
        self._sequence = 0
        self._born = {name: (alias, _datatype(value)) for alias, (name, value) in enumerate(said.items(), 1)}
        metrics = [
            _metric("bdSeq", datatype=_INT64, value=_BIRTH, at=at),
            _metric(_REBIRTH, datatype=_BOOLEAN, value=False, at=at),
        ]
        for name, (alias, datatype) in self._born.items():
            unit = unit_of(name.lower()) if datatype == _DOUBLE else None
            metrics.append(_metric(name, alias=alias, datatype=datatype, value=said[name], unit=unit, at=at))
        return self._message("NBIRTH", metrics, at=at)

    def _message(self, kind: str, metrics: list[bytes], *, at: int) -> Outgoing:
        payload = (
            number_field(1, at // 1_000_000) + b"".join(bytes_field(2, metric) for metric in metrics) + number_field(3, self._sequence)
        )
        self._sequence = (self._sequence + 1) % 256
        return Outgoing(self._topic(kind), payload, qos=0)


def _datatype(value: Value) -> int:
    if isinstance(value, str):
        return _STRING
    return _BOOLEAN if isinstance(value, bool) else _DOUBLE


def _metric(
    name: str | None = None, *, datatype: int, value: Value, alias: int | None = None, unit: str | None = None, at: int | None = None
) -> bytes:
    """Write a metric; its datatype is said where its name is, that is in a birth."""
    parts = [bytes_field(1, name.encode()) if name else b"", b"" if alias is None else number_field(2, alias)]
    parts += [b"" if at is None else number_field(3, at // 1_000_000), number_field(4, datatype) if name else b""]
    if unit is not None:
        property_value = number_field(1, _STRING) + bytes_field(8, unit.encode())
        parts.append(bytes_field(9, bytes_field(1, b"engUnit") + bytes_field(2, property_value)))
    return b"".join([*parts, _value(datatype, value)])


def _value(datatype: int, value: Value) -> bytes:
    """Write a metric's value in the field of its datatype."""
    if datatype == _STRING:
        return bytes_field(15, str(value).encode())
    if datatype == _BOOLEAN:
        return number_field(14, int(value))
    return number_field(11, int(value)) if datatype == _INT64 else double_field(13, float(value))
