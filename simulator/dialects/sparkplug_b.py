"""Sparkplug B: an edge node that says its birth with everything it has, then only what it measures, by aliases.

The protobuf is written and read by hand, as small devices do, so that it shares nothing with the decoder.
Sources: Eclipse Sparkplug 3.0, sections 5 and 6 (https://sparkplug.eclipse.org/specification/) and
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from simulator.dialect import Heard, Outgoing, Value

_NAMESPACE = "spBv1.0"
_UNITS = {
    "temperature": "°C", "humidity": "%", "soil_moisture": "%", "battery": "%", "pressure": "hPa", "illuminance": "lx", "energy": "kWh",
    "power": "W", "voltage": "V",
}  # fmt: skip
_INT64, _DOUBLE, _BOOLEAN, _STRING = 4, 10, 11, 12
_REBIRTH = "Node Control/Rebirth"
_STATE = "State"
_BIRTH = 0
"""The birth and death number of the one connection it makes."""


class SparkplugB:
    """One edge node, in a group.

    >>> node = SparkplugB("press")
    >>> [message.topic for at in (1, 2) for message in node.report({"temperature": 21.5}, on=None, at=at)]
    ['spBv1.0/plant/NBIRTH/press', 'spBv1.0/plant/NDATA/press']
    """

    def __init__(self, name: str, *, group: str = "plant") -> None:
        self.connection = name
        self._name = name
        self._group = group
        self._sequence = 0
        self._aliases: dict[str, int] = {}

    def will(self) -> Outgoing:
        return Outgoing(self._topic("NDEATH"), _bytes(2, _metric("bdSeq", datatype=_INT64, value=_BIRTH)))

    def hello(self) -> list[Outgoing]:
        self._aliases = {}  # its first report is its birth
        return []

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        said = {metric.capitalize(): value for metric, value in values.items()} | ({} if on is None else {_STATE: on})
        if not self._aliases.keys() >= said.keys() or not self._aliases:
            return [self._birth(said, at=at)]
        metrics = [_metric(alias=self._aliases[name], value=value, at=at) for name, value in said.items()]
        return [self._message("NDATA", metrics, at=at)] if metrics else []

    def listens(self) -> list[str]:
        return [self._topic("NCMD")]

    def hear(self, topic: str, payload: bytes) -> Heard | None:
        """Take a rebirth, and the state of its output by name or alias."""
        if topic != self._topic("NCMD"):
            return None
        try:
            metrics = [dict(_fields(held)) for number, held in _fields(payload) if number == 2 and isinstance(held, bytes)]
        except ValueError:
            return None
        for metric in metrics:
            name, alias, truth = metric.get(1, b""), metric.get(2), metric.get(14)
            if name == _REBIRTH.encode() and truth:
                self._aliases = {}
                return Heard()
            if truth is not None and (name == _STATE.encode() or (not name and alias == self._aliases.get(_STATE))):
                return Heard(on=bool(truth))
        return None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report({} if self._aliases else values, on=on, at=at)

    def _topic(self, kind: str) -> str:
        return f"{_NAMESPACE}/{self._group}/{kind}/{self._name}"

    def _birth(self, said: Mapping[str, Value], *, at: int) -> Outgoing:
        self._sequence = 0
        self._aliases = {name: alias for alias, name in enumerate(said, 1)}
        metrics = [
            _metric("bdSeq", datatype=_INT64, value=_BIRTH, at=at),
            _metric(_REBIRTH, datatype=_BOOLEAN, value=False, at=at),
        ]
        for name, alias in self._aliases.items():
            value, unit = said[name], _UNITS.get(name.lower())
            datatype = _BOOLEAN if isinstance(value, bool) else _DOUBLE
            metrics.append(
                _metric(name, alias=alias, datatype=datatype, value=value if datatype == _BOOLEAN else float(value), unit=unit, at=at)
            )
        return self._message("NBIRTH", metrics, at=at)

    def _message(self, kind: str, metrics: list[bytes], *, at: int) -> Outgoing:
        payload = _number(1, at // 1_000_000) + b"".join(_bytes(2, metric) for metric in metrics) + _number(3, self._sequence)
        self._sequence = (self._sequence + 1) % 256
        return Outgoing(self._topic(kind), payload, qos=0)


def _metric(
    name: str | None = None,
    *,
    value: Value,
    alias: int | None = None,
    datatype: int | None = None,
    unit: str | None = None,
    at: int | None = None,
) -> bytes:
    """Write a metric: a truth, an integer if it is to be one, else a double."""
    parts = [_bytes(1, name.encode()) if name else b"", b"" if alias is None else _number(2, alias)]
    parts += [b"" if at is None else _number(3, at // 1_000_000), b"" if datatype is None else _number(4, datatype)]
    if unit is not None:
        property_value = _number(1, _STRING) + _bytes(8, unit.encode())
        parts.append(_bytes(9, _bytes(1, b"engUnit") + _bytes(2, property_value)))
    if isinstance(value, bool):
        parts.append(_number(14, int(value)))
    elif datatype == _INT64:
        parts.append(_number(11, int(value)))
    else:
        parts.append(_varint(13 << 3 | 1) + struct.pack("<d", value))
    return b"".join(parts)


def _varint(value: int) -> bytes:
    """Write a number, seven bits a byte, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Read a message's fields. Raises ValueError where it is cut short."""
    at = 0
    while at < len(data):
        tag, at = _read(data, at)
        kind, held = tag & 7, b""
        if kind == 0:
            number, at = _read(data, at)
            yield tag >> 3, number
            continue
        size, at = (8 if kind == 1 else 4, at) if kind in (1, 5) else _read(data, at) if kind == 2 else (-1, at)
        held = data[at : at + size]
        if size < 0 or len(held) != size:
            raise ValueError("a field of this message is cut short")
        yield tag >> 3, held
        at += size


def _read(data: bytes, at: int) -> tuple[int, int]:
    """Read a number, and where the next thing begins."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 127) << shift
        at, shift, more = at + 1, shift + 7, data[at] & 128
        if not more:
            return value, at
    raise ValueError("a number of this message is cut short")
