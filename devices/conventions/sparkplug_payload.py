"""The Sparkplug B payload: its protobuf messages, and what their data types mean.

Source: Eclipse Sparkplug 3.0, section 6.4, and its `sparkplug_b.proto` (https://github.com/eclipse-tahu/tahu/tree/master/sparkplug_b). Only the
fields that are read or written here are described; any others are skipped.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from devices import vocabulary
from devices.payloads import UnreadableError
from devices.reading import Value

COMPRESSED: Final = "SPBV1.0_COMPRESSED"
"""The `uuid` of a payload whose `body` is another one, compressed, as Tahu and Ignition can send them."""
MOST_BYTES: Final = 4 * 1024 * 1024

_VALUES: Final = "int_value:uint32 long_value:uint64 float_value:float double_value:double boolean_value:bool string_value:string"
_MESSAGES: Final[Mapping[str, tuple[str, str, int]]] = {
    "Payload": ("timestamp:uint64=1 metrics:*Metric=2 seq:uint64=3 uuid:string=4 body:bytes=5", "", 0),
    "Metric": (
        "name:string=1 alias:uint64=2 timestamp:uint64=3 datatype:uint32=4 is_null:bool=7 properties:PropertySet=9",
        f"{_VALUES} bytes_value:bytes dataset_value:DataSet template_value:Template",
        10,
    ),
    "PropertySet": ("keys:*string=1 values:*PropertyValue=2", "", 0),
    "PropertyValue": ("type:uint32=1 is_null:bool=2", _VALUES, 3),
    "DataSet": ("num_of_columns:uint64=1 columns:*string=2 types:*uint32=3 rows:*Row=4", "", 0),
    "Row": ("elements:*DataSetValue=1", "", 0),
    "DataSetValue": ("", _VALUES, 1),
    "Template": ("metrics:*Metric=2 template_ref:string=4 is_definition:bool=5", "", 0),
}
"""Each message's fields, those of its `value` (one of which is set), and the number at which these begin."""

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATE_TIME, TEXT, UUID = range(1, 16)

WIDTHS: Final[Mapping[int, int]] = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}
"""Bits of the signed integers: they travel in unsigned fields, in two's complement, of this width or of the field's."""
RANGES: Final[Mapping[int, tuple[int, int]]] = {
    **{kind: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for kind, bits in WIDTHS.items()},
    UINT8: (0, 2**8 - 1),
    UINT16: (0, 2**16 - 1),
    UINT32: (0, 2**32 - 1),
    UINT64: (0, 2**64 - 1),
    DATE_TIME: (0, 2**64 - 1),
}
"""The integers that a data type holds. A date and time is milliseconds since 1970."""
TEXTS: Final = frozenset({STRING, TEXT, UUID})
_MOST_FLOAT: Final = 3.4028234663852886e38
_LONG: Final = frozenset({INT64, UINT64, DATE_TIME})
_ARRAYS: Final[Mapping[int, str]] = dict(zip(range(22, 32), "bhiqBHIQfd", strict=True)) | {34: "Q"}
"""Arrays of numbers are packed in bytes, little-endian."""


def _classes() -> dict[str, Any]:
    """Build the messages' classes, in a pool of their own so that another library's Sparkplug does not meet them."""
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="sparkplug_b", syntax="proto2")
    for name, (fields, values, first) in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            _add(message, *field.split("="))
        if values:
            message.oneof_decl.add(name="value")
            for number, field in enumerate(values.split(), first):
                _add(message, field, number, oneof_index=0)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"sparkplug_b.{name}")) for name in _MESSAGES}


def _add(message: Any, field: str, number: int | str, **more: int) -> None:
    name, kind = field.split(":")
    made = message.field.add(name=name, number=int(number), label=3 if kind[0] == "*" else 1, **more)
    kind = kind.removeprefix("*")
    if kind in _MESSAGES:
        made.type, made.type_name = made.TYPE_MESSAGE, f".sparkplug_b.{kind}"
    else:
        made.type = getattr(made, f"TYPE_{kind.upper()}")


_CLASSES: Final = _classes()
Payload: Final = _CLASSES["Payload"]


def read(payload: bytes) -> Any:
    r"""Return the Payload message that bytes hold.

    Raises UnreadableError for bytes that hold none.

    >>> [(metric.name, metric.int_value) for metric in read(b"\x12\x07\x0a\x01t \x03P\x15").metrics]
    [('t', 21)]
    """
    message = _parsed(payload)
    if message.uuid == COMPRESSED:
        return _parsed(_inflated(message.body))
    if payload and not message.ListFields():
        raise UnreadableError(f"payload is not Sparkplug B: {len(payload)} bytes with no field of such a message")
    return message


def _parsed(payload: bytes) -> Any:
    try:
        return Payload.FromString(payload)
    except (DecodeError, ValueError):
        raise UnreadableError(f"payload is not Sparkplug B: {len(payload)} bytes that are no such protobuf message") from None


def _inflated(body: bytes) -> bytes:
    """Return what was compressed, by zlib or gzip: the bytes tell which."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS + 32)
    try:
        inside = inflater.decompress(body, MOST_BYTES)
    except zlib.error as error:
        raise UnreadableError(f"payload is compressed, but not so that it can be read: {error}") from None
    if not inflater.eof:
        raise UnreadableError(f"payload is compressed, and must hold at most {MOST_BYTES} bytes and be whole")
    return inside


def value_of(holder: Any, datatype: int) -> Value | None:
    """Return the scalar in a metric, property or cell as its data type (0: unknown) says it is; None for none, and for what is no number.

    >>> metric = Payload().metrics.add(int_value=0xFB)
    >>> value_of(metric, INT8), value_of(metric, UINT8), value_of(metric, BOOLEAN), value_of(metric, DOUBLE)
    (-5, 251, True, 251.0)
    """
    field = holder.WhichOneof("value")
    value: Any = getattr(holder, field) if field else None
    kind = value.__class__
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is int:
        return _integer(value, datatype)
    return value if kind is bool or kind is str else None  # a text that is not UTF-8 comes as bytes


def _integer(value: int, datatype: int) -> Value:
    """Return an integer as what its data type says."""
    bits = WIDTHS.get(datatype)
    if bits is not None:
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value
    return bool(value) if datatype == BOOLEAN else float(value) if datatype in (FLOAT, DOUBLE) else value


def array_of(data: bytes, datatype: int) -> list[Value | None]:
    r"""Return the numbers of an array; nothing for bytes, files, and arrays of texts and truths.

    >>> array_of(b"\x01\x00\xfe\xff", 23), array_of(b"\x01", 17)
    ([1, -2], [])
    """
    code = _ARRAYS.get(datatype)
    if code is None or len(data) % struct.calcsize(code):
        return []
    return [value if math.isfinite(value) else None for (value,) in struct.iter_unpack(f"<{code}", data)]


def cells_of(table: Any) -> Iterator[tuple[str, Value]]:
    """Yield the scalars of a DataSet, each with row and column as its name."""
    columns, types = list(table.columns), list(table.types)
    for number, row in enumerate(table.rows):
        for column, datatype, cell in zip(columns, types, row.elements, strict=False):
            value = value_of(cell, datatype)
            if value is not None and isinstance(column, str):
                yield f"{number}/{column}", value


def fit(datatype: int, value: Value) -> Value:
    """Return a value as one of this data type, as a device would report it.

    Raises ValueError, with the rule, for one that is not.

    >>> fit(BOOLEAN, "ON"), fit(INT8, 5.0), fit(FLOAT, 0.1)
    (True, 5, 0.10000000149011612)
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if datatype == BOOLEAN:
        truth = vocabulary.spoken("state", value) if isinstance(value, str) else value
        if isinstance(truth, bool):
            return truth
        raise ValueError("must be true or false")
    if datatype in RANGES:
        least, most = RANGES[datatype]
        if number and value == int(value) and least <= value <= most:
            return int(value)
        raise ValueError(f"must be a whole number from {least} to {most}")
    if datatype in (FLOAT, DOUBLE):
        if number and (datatype == DOUBLE or abs(value) <= _MOST_FLOAT):  # type: ignore[arg-type]
            return as_float(float(value)) if datatype == FLOAT else float(value)
        raise ValueError("must be a number" if datatype == DOUBLE else "must be a number that 32 bits can hold")
    if datatype in TEXTS and isinstance(value, str) and value:
        return value
    raise ValueError("must be text" if datatype in TEXTS else f"is of data type {datatype}, which cannot be told")


def put(metric: Any, datatype: int, value: Value) -> None:
    """Set a metric's value, which is of its data type, in the field where that type travels.

    Negative integers fill the field's width, as in Tahu's Java, C and JavaScript; its Python cuts them to the type's.
    """
    if datatype in RANGES:
        bits = 64 if datatype in _LONG else 32
        setattr(metric, "long_value" if bits == 64 else "int_value", int(value) & ((1 << bits) - 1))
    elif datatype in TEXTS:
        metric.string_value = value
    else:
        setattr(metric, {FLOAT: "float_value", DOUBLE: "double_value"}.get(datatype, "boolean_value"), value)


def as_float(value: float) -> float:
    """Return what is left of a number in the 32 bits of a Float: that is what a device reports back.

    >>> as_float(0.1)
    0.10000000149011612
    """
    return float(struct.unpack("<f", struct.pack("<f", value))[0])
