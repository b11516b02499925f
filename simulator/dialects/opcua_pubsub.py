"""OPC UA PubSub in JSON: a publisher with one data set, whose metadata says types and units.

Source: OPC 10000-14, 7.2.5 (messages) and 7.3.4.7 (topics), https://reference.opcfoundation.org/Core/Part14/v105/docs/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.dialect import Dialect, Outgoing, Value, compact
from simulator.dialects.rfc3339 import written
from simulator.manner import USUAL, Manner
from simulator.units import unit_of

_GROUP, _WRITER = "line", "sensors"
_BOOLEAN, _DOUBLE, _STRING = 1, 11, 12
"""Built-in types (OPC 10000-6, 5.1.2)."""
_OPERATIONAL, _ERROR = 2, 3
"""States of a publisher (OPC 10000-14, 6.2.1)."""
_UNITS = "http://www.opcfoundation.org/UA/units/un/cefact"


class OpcUaPubSub(Dialect):
    """One publisher, of whose writer the readings are; whether it is there is said of the publisher alone. It takes no commands.

    >>> [message.topic for message in OpcUaPubSub("press").report({"temperature": 21.5}, on=None, at=0)]
    ['opcua/json/metadata/press/line/sensors', 'opcua/json/data/press/line/sensors']
    """

    stamped = True
    discovers = True
    wills = True
    obeys = False

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self.called = f"{name}/{_WRITER}"
        self._publisher = name
        self._messages = 0
        self._sequence = 0
        self._fields: dict[str, int] = {}
        self._version = 0

    def will(self) -> Outgoing | None:
        return None if self.manner.will is False else self._status(_ERROR)

    def hello(self) -> list[Outgoing]:
        self._fields = {}
        self._sequence = 0
        return [] if self.manner.will is False else [self._status(_OPERATIONAL)]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        payload: dict[str, Value] = {**({} if on is None else {"state": on}), **values}
        if not payload:
            return []
        metadata = self._described(payload) if self.manner.discovery else []
        self._sequence += 1
        about = {"DataSetWriterId": 1, "DataSetWriterName": _WRITER, "SequenceNumber": self._sequence}
        data_set = {**about, "Timestamp": f"{written(at)[:-3]}Z", "MessageType": "ua-keyframe", "Payload": payload}
        return [*metadata, self._message("data", {"Messages": [data_set]})]

    def _described(self, payload: Mapping[str, Value]) -> list[Outgoing]:
        """Say types and units, where there is a field that is new or of another type."""
        fields = {name: _type(value) for name, value in payload.items()}
        if fields.items() <= self._fields.items():
            return []
        self._fields |= fields
        self._version += 1
        version = {"MajorVersion": self._version, "MinorVersion": 0}
        described = {
            "Name": _WRITER,
            "Fields": [_field(name, kind) for name, kind in self._fields.items()],
            "ConfigurationVersion": version,
        }
        return [self._message("metadata", {"DataSetWriterId": 1, "DataSetWriterName": _WRITER, "MetaData": described}, retain=True)]

    def _status(self, status: int) -> Outgoing:
        body = {"MessageId": f"{self._publisher}-status-{status}", "MessageType": "ua-status", "PublisherId": self._publisher}
        return Outgoing(f"opcua/json/status/{self._publisher}", compact({**body, "IsCyclic": False, "Status": status}), retain=True)

    def _message(self, kind: str, content: dict[str, Any], *, retain: bool = False) -> Outgoing:
        self._messages += 1
        head = {"MessageId": f"{self._publisher}-{self._messages}", "MessageType": f"ua-{kind}", "PublisherId": self._publisher}
        return Outgoing(f"opcua/json/{kind}/{self._publisher}/{_GROUP}/{_WRITER}", compact({**head, **content}), retain=retain)


def _type(value: Value) -> int:
    if isinstance(value, str):
        return _STRING
    return _BOOLEAN if isinstance(value, bool) else _DOUBLE


def _field(name: str, kind: int) -> dict[str, Any]:
    """Describe a field, its unit (an EUInformation: OPC 10000-8, 5.6.4) by what is shown of it, without the number that it may have."""
    field = {"Name": name, "BuiltInType": kind, "DataType": {"Id": kind}, "ValueRank": -1}
    unit = unit_of(name) if kind == _DOUBLE else None
    if unit is None:
        return field
    information = {"NamespaceUri": _UNITS, "UnitId": -1, "DisplayName": {"Text": unit}}
    return {
        **field,
        "Properties": [{"Key": {"Name": "EngineeringUnits"}, "Value": {"Type": 22, "Body": {"TypeId": {"Id": 887}, "Body": information}}}],
    }
