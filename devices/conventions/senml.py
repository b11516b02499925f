"""SenML: packs of named measurements, as JSON or CBOR, on any topic (RFC 8428; secondary units: RFC 8798).

A pack is an array of records. Base fields (`bn bt bu bv bs bver`) hold from their record on; what a record says itself is added to base
name, time, value and sum, and replaces the base unit. In CBOR the labels are numbers (RFC 8428, section 6). A field that ends in `_` must be
understood, and a version beyond 10 too, so a pack with one is refused. `vd` is data, not a reading; other fields that are unknown are skipped.
What was written before there was a standard, and in LwM2M 1.0, is read as well: one object of base fields, with its records in `e`.

*Device and key*: the name up to its last `:` or `/`, and what follows; a name that is an identifier as a whole (`urn:dev:ow:10e2…`,
`2001:db8::3`) has the key `value`, and its metric is then what its unit measures. A name of one word is the topic's device's. *Sum*: a
reading of its own, under `<key>.sum`, in the unit times seconds. *Time*: below 2**28 s from the receive time, else from the epoch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NoReturn

import msgspec

from devices import binary, places, vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, refuse_commands
from devices.conventions.senml_units import QUANTITIES, SUMS, unit_of
from devices.news import News
from devices.payloads import Body
from devices.profile import Profiles
from devices.reading import Encoded, Ignored, Message, TimeSource, Value
from devices.timestamps import SECOND, parse, settle

LABELS: Final[Mapping[str, str]] = {
    "-1": "bver", "-2": "bn", "-3": "bt", "-4": "bu", "-5": "bv", "-6": "bs",
    "0": "n", "1": "u", "2": "v", "3": "vs", "4": "vb", "5": "s", "6": "t", "7": "ut", "8": "vd",
}  # fmt: skip
"""The numbers that CBOR has for field names (RFC 8428, table 4), as the texts that they become where CBOR is read."""

FIELDS: Final = frozenset(LABELS.values())
VALUES: Final = ("v", "vs", "vb", "vd")
BASES: Final = frozenset({"bn", "bt", "bu", "bv", "bs"})
OLDER: Final[Mapping[str, str]] = {"sv": "vs", "bv": "vb", "ver": "bver"}
"""What fields were called in draft-jennings-senml-10, and in LwM2M 1.0 (OMA-TS-LightweightM2M-V1_0, section 6.4.4)."""
_VALUED: Final = frozenset({*VALUES, "s"})
_NUMBERS: Final = (int, float)
_OBJECTS: Final = frozenset({dict})
MOST_FORMS: Final = 4_096
_RULES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    **dict.fromkeys(("n", "bn", "u", "bu", "vs", "vd"), ((str,), "must be text")),
    **dict.fromkeys(("v", "s", "t", "ut", "bt", "bv", "bs", "bver"), (_NUMBERS, "must be a number")),
    "vb": ((bool,), "must be true or false"),
}
"""What each field must be."""
VERSION: Final = 10
RELATIVE: Final = 2**28
"""Times below this many seconds are reckoned from now (RFC 8428, section 4.5.3)."""
MILLISECONDS: Final = 10**11
"""Times from here on would be thousands of years away in seconds: they are in ms, µs or ns, as some write them."""
_EXACT: Final = 2**20
_FAR: Final = 2**40
"""A float holds fewer seconds than the first to the ns, a time of day to the µs, and beyond the second no time that anybody means."""

_ADDRESS: Final = re.compile("(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}")
"""An IPv6, MAC or EUI-64 address."""


class Senml(Convention):
    """Packs of SenML records."""

    name = "senml"
    title = "SenML"
    about = (
        'Sensor measurement lists (RFC 8428), as JSON or CBOR: [{"bn": "urn:dev:ow:10e2073a01080063:", "n": "temp", "u": "Cel", "v": 21.5}]'
    )
    topics = "any: a pack is known by its form"
    setup = "Publish packs to the broker, on any topic; the names in them say which device speaks."
    owns = False
    bodies = frozenset({bytes})
    marks = frozenset({"bn", "bt", "bu", "bver", "n"})
    commands = False

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._forms: dict[tuple[Any, ...], _Form] = {}

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        return _place(levels)

    def takes(self, body: Body) -> bool:
        """Return whether bytes are a pack in CBOR; a pack in JSON is spotted."""
        return isinstance(body, bytes) and _pack(body) is not None

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        return _place(levels) if _pack(body) is not None else None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        records = body if isinstance(body, list) else _pack(body) or []
        if len(records) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a pack must hold at most {MOST_READINGS} records; got {len(records)}")
        said: list[Said] = []
        base, at = NO_BASE, None
        for index, record in enumerate(records):
            shape = (*record, *map(type, record.values()))
            form = self._forms.get(shape) or self._form(shape, record, index, message.topic)
            if form.based:
                base, at = base.renewed(record), None
            if form.value is None and not form.summed:
                continue  # base fields alone are no measurement, and data is none either
            own, later = record.get("n"), record.get("t")
            if own and base.device and ":" not in own and "/" not in own:
                device, path = base.device, (own,)
            else:
                device, path = _split(base.name, own or "", place.device)
            if later:
                ts, source = _when(base.ns + _ns(later), message)
            else:
                ts, source = at = at or _when(base.ns, message)
            unit = record.get("u")
            unit = base.unit if unit is None else unit_of(unit)
            if form.number:
                value = record["v"]
                said.append(Said(device, path, value if base.value is None else _sum(base.value, value), unit, ts, source))
            elif form.value is not None and (value := record[form.value]) != "":
                said.append(Said(device, path, value, None, ts, source))
            if form.summed or (form.number and base.sum is not None):
                said.append(Said(device, (*path, "sum"), _sum(base.sum, record.get("s")), SUMS.get(unit or ""), ts, source))
        return said or Ignored("no value in it", place.device)

    def _form(self, shape: tuple[Any, ...], record: Mapping[str, Any], index: int, topic: str) -> _Form:
        """Check a record and return its form, which is kept, since the next ones are likely to have it too."""
        _refuse_wrong(record, index, topic)
        form = _Form.of(record)
        if "bver" not in record and len(shape) <= 2 * len(FIELDS):
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            self._forms[shape] = form
        return form

    def named(self, one: Said) -> vocabulary.Name:
        """Return metric and channel: the key's, or without a key what the unit measures, since only the unit tells such series apart."""
        if one.path != ("value",):
            return self.series(one.path)
        metric = QUANTITIES.get(one.unit or "")
        return vocabulary.Name(metric, "") if metric else vocabulary.Name("value", "" if one.unit in (None, "1") else one.unit)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


@lru_cache(maxsize=8192)
def _place(levels: tuple[str, ...]) -> Place:
    return Place(places.of_object(levels)[0])


class _Form(msgspec.Struct, frozen=True):
    """What the fields that a record has, and their types, say of it: which has its value, and whether it has base fields and a sum."""

    value: str | None
    number: bool
    based: bool
    summed: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> _Form:
        value = next((field for field in ("v", "vs", "vb") if record.get(field) is not None), None)
        return cls(value, value == "v", not BASES.isdisjoint(record), record.get("s") is not None)


class _Base(msgspec.Struct, frozen=True):
    """The base fields that hold for a record; `device` where the base name ends behind it, so that a record's name is the key alone."""

    name: str = ""
    device: str = ""
    ns: int = 0
    unit: str | None = None
    value: float | None = None
    sum: float | None = None

    def renewed(self, record: Mapping[str, Any]) -> _Base:
        """Return what holds from a record on that has base fields of its own."""
        name, time, unit, value, total = map(record.get, ("bn", "bt", "bu", "bv", "bs"))
        name = self.name if name is None else name
        return _Base(
            name,
            name[:-1] if name[-1:] in (":", "/") else "",
            self.ns if time is None else _ns(time),
            unit_of(unit) if unit else self.unit,
            self.value if value is None else value,
            self.sum if total is None else total,
        )


NO_BASE: Final = _Base()
"""What holds before any base field."""


def _pack(body: Body) -> list[dict[str, Any]] | None:
    """Return the records of a pack, with the fields' names; None for what is none.

    >>> _pack([{"n": "urn:dev:1", "v": 21.5}]), _pack([{"n": "Ann", "age": 42}])
    ([{'n': 'urn:dev:1', 'v': 21.5}], None)
    """
    if isinstance(body, bytes):
        unpacked = binary.unpack(body) if 0x80 <= body[0] < 0xA0 else None
        body = unpacked[1] if unpacked is not None else ""
        if isinstance(body, list):
            body = [{LABELS.get(key, key): value for key, value in one.items()} if isinstance(one, dict) else one for one in body]
    elif isinstance(body, dict) and "e" in body:
        body = _older(body)
    records: list[Any] = body if isinstance(body, list) else [body]
    if not records or not _OBJECTS.issuperset(map(type, records)) or all(map(_VALUED.isdisjoint, records)):
        return None
    return records if _is_named(records, alone=body is not records) else None


def _is_named(records: list[dict[str, Any]], *, alone: bool) -> bool:
    """Return whether records have names as in a pack: the first of them, unless it only has base fields."""
    first = records[0]
    if isinstance(first.get("bn"), str):
        return True
    if alone or not FIELDS.issuperset(first):
        return False
    if isinstance(first.get("n"), str):
        return True
    return first.keys() <= BASES and any(isinstance(record.get("n"), str) for record in records)


def _older(pack: dict[str, Any]) -> list[Any]:
    """Return the records of a pack as it was written before RFC 8428.

    >>> _older({"bn": "urn:dev:1/", "e": [{"n": "open", "bv": True}]})
    [{'bn': 'urn:dev:1/'}, {'n': 'open', 'vb': True}]
    """
    entries = pack["e"] if isinstance(pack["e"], list) else []
    base = {key: value for key, value in pack.items() if key != "e"}
    return [{OLDER.get(key, key): value for key, value in one.items()} for one in (base, *entries) if isinstance(one, dict)]


def _refuse_wrong(record: Mapping[str, Any], index: int, topic: str) -> None:
    """Refuse a record that must not be read, or whose fields are not what they must be (RFC 8428, sections 4.1 to 4.4)."""
    values = 0
    for field, value in record.items():
        rule = _RULES.get(field)
        if rule is None:
            if field.endswith("_"):
                _refuse(topic, index, field, "must be understood to read the pack, and is not", value)
        elif value is not None:
            if value.__class__ not in rule[0]:
                _refuse(topic, index, field, rule[1], value)
            values += field in VALUES
            if field == "bver" and isinstance(value, _NUMBERS) and value > VERSION:
                _refuse(topic, index, field, f"must be at most {VERSION}", value)
    if values > 1:
        raise UnusableError(
            f"topic {topic!r}: record {index} of a pack must have one value; got {', '.join(f for f in VALUES if f in record)}"
        )


def _refuse(topic: str, index: int, field: str, rule: str, got: Any) -> NoReturn:
    raise UnusableError(f"topic {topic!r}: field {field[:40]!r} of record {index} {rule}; got {str(got)[:40]!r}")


def _ns(seconds: float) -> int:
    """Return seconds as ns: a fraction is what its digits say, as far as a float holds them.

    >>> _ns(1276020076.001), _ns(-0.1), _ns(3)
    (1276020076001000000, -100000000, 3000000000)
    """
    if seconds.__class__ is int or -_EXACT < seconds < _EXACT:
        return round(seconds * SECOND)
    return round(seconds * 1e6) * 1000 if -_FAR < seconds < _FAR else int(seconds) * SECOND


def _when(ns: int, message: Message) -> tuple[int, TimeSource]:
    if ns == 0:
        return message.received, "received"
    if ns >= MILLISECONDS * SECOND and (stamp := parse(ns // SECOND)):
        ns = stamp.ns
    return settle(ns if ns >= RELATIVE * SECOND else message.received + ns, message)


def _sum(base: float | None, own: float | None) -> float:
    """Return a base and what is added to it; as decimals where they have fractions, so that none is lost.

    >>> _sum(20.1, -5), _sum(None, 3), _sum(0.1, 0.2)
    (15.1, 3, 0.3)
    """
    if not base or not own:
        return base or own or 0
    total = base + own if isinstance(base, int) and isinstance(own, int) else float(Decimal(repr(base)) + Decimal(repr(own)))
    if isinstance(total, float) and math.isinf(total):
        raise UnusableError(f"a base field and what is added to it must stay a number; got {base!r} and {own!r}")
    return total


@lru_cache(maxsize=8192)
def _split(base: str, own: str, topics_device: str) -> tuple[str, tuple[str]]:
    """Return device and path of a record's name, which is its base name and its own.

    >>> _split("urn:dev:ow:10e2073a01080063:", "temp", ""), _split("", "urn:dev:ow:10e2073a01080063", "")
    (('urn:dev:ow:10e2073a01080063', ('temp',)), ('urn:dev:ow:10e2073a01080063', ('value',)))
    >>> _split("/3303/0/5700", "", ""), _split("2001:db8::3", "", ""), _split("pump-", "flow", ""), _split("", "humidity", "attic")
    (('/3303/0', ('5700',)), ('2001:db8::3', ('value',)), ('pump', ('flow',)), ('attic', ('humidity',)))
    """
    name = base + own
    at = max(name.rfind(":"), name.rfind("/"))
    if at < len(base) - 1 and base and own:  # the base name ends without a mark, but it ends there all the same
        return base.rstrip("-_. ") or base, (own,)
    device, key = (name[:at], name[at + 1 :]) if at >= 0 else ("", name)
    if not key:
        return device or topics_device, ("value",)
    if not device:
        return (topics_device, (key,)) if at == 0 or vocabulary.word(key) else (key, ("value",))
    whole = (own == "" or base == "") and _identifies(name)
    return (name, ("value",)) if whole else (device, (key,))


def _identifies(name: str) -> bool:
    """Return whether a name as a whole is a device's: a URN (those of RFC 9039 have a part more than others), or an address."""
    if name.startswith("urn:"):
        return "/" not in name and name.count(":") == (3 if name.startswith("urn:dev:") else 2)
    return _ADDRESS.fullmatch(name) is not None
