"""What the fields of OPC UA data set messages hold, in the JSON encodings of OPC 10000-6 (section 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from devices import vocabulary
from devices.convention import NO_LABELS, Convention, Said, check_size
from devices.reading import Message, TimeSource, Value
from devices.timestamps import parse

BAD: Final = 0x8000_0000
"""The bit of a status code that says bad (OPC 10000-4, 7.39)."""
NUMBERS: Final = frozenset(range(2, 12))
NO_READINGS: Final = frozenset({15, 17, 18, 20})
INT32: Final = 6
STATUS_CODE: Final = 19
"""Built-in types by their numbers (OPC 10000-6, 5.1.2): those of numbers, and bytes, node ids and qualified names."""
TYPES: Final[Mapping[str, int]] = {
    **{name: number for number, name in enumerate(vocabulary.words("SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double"), 2)},
    "ByteString": 15,
    "NodeId": 17,
    "ExpandedNodeId": 18,
    "StatusCode": STATUS_CODE,
    "QualifiedName": 20,
}
"""Some publishers write the types' names."""
PLAIN: Final = (float, int, bool)
LONGEST_UNIT: Final = 24

DATA_VALUE: Final = frozenset(
    vocabulary.words("Value StatusCode Status SourceTimestamp ServerTimestamp SourcePicoseconds ServerPicoseconds UaType Dimensions")
)
VARIANT: Final = frozenset({"Type", "Body", "Dimensions"})
NODE_ID: Final = frozenset({"Id", "IdType", "Namespace", "ServerUri"})
QUALIFIED_NAME: Final = frozenset({"Name", "Uri"})


class Taken:
    """What holds for all fields of a data set message: whose they are, its number, and its time where a field states none."""

    def __init__(self, convention: Convention, message: Message, device: str, stated: Any, number: int | None) -> None:
        self.device = device
        self.number = number
        self.labels: Mapping[str, str] = NO_LABELS
        self._convention = convention
        self._message = message
        self._stated = stated
        self._last: tuple[Any, tuple[int, TimeSource]] | None = None

    def at(self, stated: Any) -> tuple[int, TimeSource]:
        """Return the time that a field, else its message, states."""
        stated = stated if isinstance(stated, str) else self._stated
        if self._last is None or self._last[0] != stated:
            stamp = parse(stated) if isinstance(stated, str) else None
            self._last = stated, self._convention.when(stamp, self._message, self.device)
        return self._last[1]


class Field(NamedTuple):
    """What is known of a field, or of a part of one: its path, built-in type (0: unknown), unit and time."""

    path: tuple[str, ...]
    kind: int
    unit: str | None
    at: tuple[int, TimeSource]


def read(said: list[Said], held: Any, field: Field, taken: Taken) -> None:
    """Read what a field holds, out of its wrappers."""
    if len(field.path) > 1 and isinstance(held, (dict, list)):
        check_size(taken.device, held, len(field.path))
    if isinstance(held, dict):
        _object(said, held, field, taken)
    elif isinstance(held, list):
        for index, one in enumerate(held):
            if not isinstance(one, str) or field.kind in NUMBERS:
                read(said, one, field._replace(path=(*field.path, str(index))), taken)
    else:
        value = _scalar(held, field.kind)
        if value is not None:
            unit = None if isinstance(value, (bool, str)) else field.unit
            said.append(Said(taken.device, field.path, value, unit, *field.at, taken.labels, taken.number))


def _object(said: list[Said], held: dict[str, Any], field: Field, taken: Taken) -> None:
    """Read a DataValue, a Variant, an ExtensionObject, a localized text, or a structure; what only names nodes or states is no reading."""
    keys = held.keys()
    if is_data_value(held):
        value, kind, at = opened(held, field.kind, taken)
        read(said, value, Field(field.path, kind, field.unit, at), taken)
    elif keys <= VARIANT and "Body" in keys:
        read(said, held["Body"], field._replace(kind=_type(held.get("Type"), field.kind)), taken)
    elif "TypeId" in keys and "Body" in keys:
        read(said, held["Body"], field, taken)
    elif keys <= {"Text", "Locale"}:
        read(said, held.get("Text"), field._replace(kind=0), taken)
    elif field.kind not in NO_READINGS and not any(keys <= names for names in (NODE_ID, QUALIFIED_NAME, {"Code", "Symbol"})):
        for key, one in held.items():
            if key != "UaTypeId":
                read(said, one, Field((*field.path, key), 0, None, field.at), taken)


def is_data_value(held: Mapping[str, Any]) -> bool:
    """Return whether an object is a DataValue; one without a value may have its status alone."""
    return DATA_VALUE.issuperset(held) and ("Value" in held or "StatusCode" in held or "Status" in held)


def opened(held: Mapping[str, Any], known: int, taken: Taken) -> tuple[Any, int, tuple[int, TimeSource]]:
    """Return what a DataValue holds (nothing, where its status is bad), of which built-in type, and its time."""
    status, stated = held.get("StatusCode") or held.get("Status"), held.get("UaType")
    value = None if status and is_bad(status) else held.get("Value")
    return value, known if stated is None else _type(stated, known), taken.at(held.get("SourceTimestamp") or held.get("ServerTimestamp"))


def _scalar(value: Any, kind: int) -> Value | None:
    """Return a value that is a reading: a number that came as text is one, where its type says so; NaN is none.

    An enumeration is an Int32 that the verbose encoding writes with its name.

    >>> _scalar("18446744073709551615", 9), _scalar("NaN", 11), _scalar("007", 12), _scalar("Zm9v", 15), _scalar("Open_2", 6)
    (18446744073709551615, None, '007', None, 'Open_2')
    """
    if isinstance(value, str):
        if kind in NUMBERS and not (kind == INT32 and "_" in value):
            return vocabulary.number(value)
        return value if value and kind not in NO_READINGS else None
    return value if isinstance(value, (bool, int, float)) and kind != STATUS_CODE else None


def _type(stated: Any, known: int) -> int:
    """Return a built-in type's number, where a message states it as number or name."""
    number = TYPES.get(stated, 0) if isinstance(stated, str) else stated
    return number if number.__class__ is int and 0 < number < 32 else known


def is_bad(status: Any) -> bool:
    code = status.get("Code") if isinstance(status, dict) else status
    return isinstance(code, int) and bool(code & BAD)


def unit_of(properties: Any) -> str | None:
    """Return the unit in a field's property EngineeringUnits, an EUInformation (OPC 10000-8, 5.6.4) in one or two wrappers."""
    for one in properties if isinstance(properties, list) else ():
        key = one.get("Key") if isinstance(one, dict) else None
        name = key.get("Name") if isinstance(key, dict) else key
        if not isinstance(name, str) or not name.endswith("EngineeringUnits"):
            continue
        held = one.get("Value")
        for _ in range(4):
            if not isinstance(held, dict) or "DisplayName" in held:
                break
            held = held.get("Body", held.get("Value"))
        shown = held.get("DisplayName") if isinstance(held, dict) else None
        text = shown.get("Text") if isinstance(shown, dict) else shown
        if isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_UNIT:
            return vocabulary.unit_named(text) or text.strip()
    return None
