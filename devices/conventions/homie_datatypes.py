"""Homie's datatypes: a payload as the value that it is, and a value as the payload that a property takes.

By the sections "Payload", "Property attributes" and "Units" of https://homieiot.github.io/specification/. What is known of a property is a
mapping with `datatype`, `format`, `unit` and `settable`, as far as its device has said them, and `looks` where it has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devices import vocabulary
from devices.convention import UnusableError, on_off, refuse
from devices.conventions.plain_scalar import NO_VALUE
from devices.reading import Value

NUMBERS: Final = frozenset({"integer", "float", "percent"})
TEXTS: Final = frozenset({"string", "enum", "color", "datetime", "duration"})
_SPEAKS: Final[Mapping[str, bool]] = {"true": True, "false": False, "on": True, "off": False}


def typed(text: str, datatype: str | None, topic: str) -> Value | None:
    """Return a payload as the value that its datatype says it is; None for what says that there is none. Raises UnusableError.

    >>> typed("21.5", "float", ""), typed("0042", "string", ""), typed("true", "boolean", ""), typed("on", None, "")
    (21.5, '0042', True, 'on')
    """
    if datatype in TEXTS:
        return text
    plain = text.strip()
    number = vocabulary.number(plain)
    truth = _SPEAKS.get(plain.lower())
    if number is None and plain.lower() in NO_VALUE:
        return None
    if datatype in NUMBERS:
        if number is None:
            raise UnusableError(f"topic {topic!r}: a value of datatype {datatype} must be a number; got {text[:40]!r}")
        return number
    if datatype == "boolean":
        if truth is None:
            raise UnusableError(f"topic {topic!r}: a value of datatype boolean must be true or false; got {text[:40]!r}")
        return truth
    return number if number is not None else truth if plain in ("true", "false") else text


def is_truth(known: Mapping[str, Any]) -> bool:
    """Return whether a property is true or false, by its datatype or, where it has said none, by its look."""
    return bool(known.get("datatype", known.get("looks")) == "boolean")


def unit_of(known: Mapping[str, Any]) -> str | None:
    """Return the unit that a property states; `#` only says that it counts."""
    unit = known.get("unit") or ("%" if known.get("datatype") == "percent" else None)
    return None if not unit or unit == "#" else vocabulary.unit_named(unit) or str(unit)


def written(known: Mapping[str, Any], device: str, setting: str, value: Value) -> str:
    """Return a value as the property's datatype wants it written. Raises CommandError where the datatype or format forbids it."""
    datatype, form = known.get("datatype"), str(known.get("format") or "")
    if datatype in NUMBERS:
        return _number(datatype, form, device, setting, value)
    truth = value if isinstance(value, bool) else _SPEAKS.get(value.lower()) if isinstance(value, str) else None
    if datatype == "boolean" or (datatype is None and known.get("looks") == "boolean"):
        if truth is None:
            refuse(device, setting, "must be true or false", value)
        return "true" if truth else "false"
    if isinstance(value, bool):
        return _word_for(form, truth=value) if datatype == "enum" and form else "true" if value else "false"
    text = on_off(value)
    if datatype == "enum" and form and text not in _choices(form):
        refuse(device, setting, f"must be one of {form}", value)
    return text


def _choices(form: str) -> list[str]:
    """Return the values of an enumeration; Homie 3 writes a comma inside one twice.

    >>> _choices("low,high"), _choices("a,,b,c")
    (['low', 'high'], ['a,b', 'c'])
    """
    return [choice.replace("\0", ",").strip() for choice in form.replace(",,", "\0").split(",")]


def _word_for(form: str, *, truth: bool) -> str:
    """Return the enumeration's own word for on or off."""
    words = ("true", "on") if truth else ("false", "off")
    return next((choice for choice in _choices(form) if choice.lower() in words), words[0])


def _number(datatype: str, form: str, device: str, setting: str, value: Value) -> str:
    number = value if not isinstance(value, str) else vocabulary.number(value)
    if number is None or isinstance(number, (bool, str)):
        refuse(device, setting, "must be a number", value)
    if datatype == "integer" and number != int(number):
        refuse(device, setting, "must be an integer", value)
    low, _, rest = form.partition(":")
    least, most = vocabulary.number(low), vocabulary.number(rest.partition(":")[0])
    if (least is not None and number < least) or (most is not None and number > most):
        refuse(device, setting, f"must be within {form}", value)
    return on_off(number)
