"""Plain JSON: an object or array whose keys say what its values are, in any of the shapes that people and gateways write.

* flat and nested objects: `{"temperature": 21.5, "outdoor": {"temp": 3}}`; the path of keys names a value (`devices.vocabulary`);
* wrappers: `{"data": {…}}`, `{"values": {…}}`, …: they stay in the key, but not in metric and channel;
* one value: `{"value": 21.5, "unit": "°C", "time": …}` is read as the plain scalar on that topic;
* named values: `{"name": "temperature", "value": 21.5}`, alone or in arrays, also typed by a sibling (`"valueType": "Int16", "value":
  "-8146"`);
* records: an array of objects, each with its own time, device or label, else told apart by its index. Texts beside such an array describe
  it.

*Device*: a key that claims it (`device`, `deviceName`, `dev_id`, `mac`, …), also inside a wrapper, else the topic (`devices.places`); where
many devices share the topic, also a weak name (`id`, `name`, `sensor`, …). *Time*: `timestamp`, `time`, `ts`, … in any form of
`devices.timestamps`, for the object it stands in and all below. Nulls, empty texts, and arrays of texts give nothing.

Commands are one object on `<the device's topic>/set`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from devices import places, vocabulary
from devices.convention import (
    LONGEST_KEY,
    MOST_READINGS,
    Convention,
    Layout,
    Place,
    Said,
    UnusableError,
    check_size,
)
from devices.news import News
from devices.payloads import Body
from devices.profile import Profiles
from devices.reading import Encoded, Ignored, Message, TimeSource, Value
from devices.timestamps import parse

ENVELOPES: Final = frozenset(
    vocabulary.words(
        "data payload values value state status readings reading measurements measurement telemetry fields attributes params"
        " properties sensors sensor body content message reported metrics object records samples event"
    )
)
"""Keys of objects and arrays that say nothing but that values follow."""

TIMES: Final = vocabulary.words(
    "timestamp ts time datetime date_time event_time eventtime timestamp_ms timestamp_us timestamp_ns time_stamp epoch"
    " epoch_ms epoch_time unixtime unix_time origin sampled_at measured_at time_utc timestamp_utc utc_time utc t date"
    " last_seen lastseen last_update last_updated updated_at created_at reported_at"
)
"""Keys that hold the time of a measurement, best first."""
CLOCKS: Final = frozenset(
    vocabulary.words("timestamp ts timestamp_ms timestamp_us timestamp_ns time_stamp epoch epoch_ms epoch_time unixtime unix_time origin")
)
"""Of these, those whose number is a time however small: a clock that was never set."""

DEVICES: Final = vocabulary.words(
    "device_id deviceid device_name devicename device dev_id devid dev sensor_id sensorid node_id nodeid station_id client_id"
    " clientid dev_eui deveui mac mac_address macaddress thing_id asset_id"
)
"""Keys that claim to name the device, best first."""
WEAK: Final = vocabulary.words("id name sensor node station source serial serial_number sn asset thing")
"""Keys that may name the device, where the topic does not."""
NAMES: Final = vocabulary.words(
    "name metric resource_name resourcename parameter measurement property field variable tag point quantity measure key"
)
"""Keys that name the value beside them."""
KINDS: Final = vocabulary.words("type sensor sensor_type kind id label")
"""Keys that name the value beside them if they hold a word of the vocabulary."""
LABELS: Final = vocabulary.words("name id label channel sensor address addr index port")
"""Keys that tell the records of an array apart."""
VALUES: Final = ("value", "val", "v")
UNITS: Final = ("unit", "units", "uom", "unit_of_measurement", "unit_of_measure")
CARRIED: Final = ("object_value", "objectvalue", "binary_value", "binaryvalue")
"""Keys that hold a named value which is no number or text (EdgeX)."""
TYPES: Final = ("value_type", "valuetype", "data_type", "datatype", "type")
BAD: Final = frozenset({"bad", "invalid", "error", "uncertain", "fault"})

_MEASURES: Final = (int, float, bool)

BUNDLE: Final = 64
"""Objects with more keys than this have no shape worth keeping."""


class Shape(msgspec.Struct, frozen=True):
    """What an object's keys say of it, whatever their values; each group is in order of preference, by the keys as they are written.

    `plain` is the usual case: no key claims to be a device, a time or a value.
    """

    plain: bool
    times: tuple[tuple[str, float], ...]
    devices: tuple[str, ...]
    weak: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    values: tuple[str, ...]
    units: tuple[str, ...]
    types: tuple[str, ...]
    quality: tuple[str, ...]
    carried: tuple[str, ...]
    measured: tuple[str, ...]
    beside: tuple[str, ...]
    """What a named value says besides: `measured` without what tells it apart or judges it."""

    @classmethod
    def of(cls, keys: tuple[str, ...]) -> Shape:
        snakes: dict[str, str] = {}
        for key in keys:
            snakes.setdefault(vocabulary.snake(key), key)

        def those(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(snakes[name] for name in names if name in snakes)

        times = tuple((snakes[name], 0 if name in CLOCKS else 100_000_000) for name in TIMES if name in snakes)
        devices, values, units = those(DEVICES), those(VALUES), those(UNITS)
        claims = {*devices, *values, *units, *(key for key, _ in times)}
        measured = tuple(key for key in keys if key not in claims)
        labels, quality = those(LABELS), those(("quality",))
        return cls(
            plain=not (times or devices or values),
            times=times,
            devices=devices,
            weak=those(WEAK),
            names=those(NAMES),
            kinds=those(KINDS),
            labels=labels,
            values=values,
            units=units,
            types=those(TYPES),
            quality=quality,
            carried=those(CARRIED),
            measured=measured,
            beside=tuple(key for key in measured if key not in labels and key not in quality),
        )


class _At(msgspec.Struct, frozen=True):
    """What holds for an object and all below it, unless it says otherwise."""

    message: Message
    device: str
    ts: int
    source: TimeSource
    timed: str | None = None

    def of(self, device: str) -> _At:
        return self if device == self.device else _At(self.message, device, self.ts, self.source, self.timed)


class PlainJson(Convention):
    """Objects and arrays of any shape."""

    name = "plain_json"
    title = "Plain JSON"
    about = 'An object or array of named values: {"temperature": 21.5, "humidity": 40}'
    topics = "any that no dialect owns: `home/kitchen` ← `{…}`; commands on `<the device's topic>/set`"
    setup = "Publish to the broker, on a topic whose last level names the device."
    guesses = True
    owns = False
    bodies = frozenset({dict, list})

    MOST_SHAPES = 20_000

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        device, numbers, base = places.of_object(levels)
        own, path = places.of_value(levels)
        claimed = self.profiles.device_at(topic)
        value = Place(claimed or own, path=path)
        role = "claimed" if claimed else "shared" if places.is_shared(levels) else "stream" if levels[-1].lower() in places.DATA else ""
        return Place(claimed or device, base, numbers, role, levels, alternative=value)

    def takes(self, body: Body) -> bool:
        return isinstance(body, (dict, list))

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        said: list[Said] = []
        at = _At(message, place.device, message.received, "received")
        if isinstance(body, list):
            self._list(said, body, place.path, at, 1)
        elif isinstance(body, dict):
            self._top(said, body, at, place)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("no value in it", place.device)

    def layout(self, place: Place, body: dict[str, Any]) -> Layout | None:
        shape = self._shape(body)
        if shape.devices or shape.weak or shape.values or place.device in body or not _is_bundle(body):
            return None
        return Layout(*shape.times[0]) if shape.times else Layout(None, 0)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a path without its wrappers; `temperature.value` is `temperature`."""
        kept = tuple(key for key in path[:-1] if vocabulary.snake(key) not in ENVELOPES)
        if kept and not kept[-1].isdigit() and vocabulary.snake(path[-1]) in VALUES:
            return vocabulary.name(kept)
        return vocabulary.name((*kept, path[-1]))

    def _top(self, said: list[Said], body: dict[str, Any], at: _At, place: Place) -> None:
        """Read the outermost object: as the scalar of its topic if it holds one value and nothing else that is measured."""
        check_size(place.device, body, 1)
        shape, path = self._shape(body), place.path
        if place.device in body and place.role != "claimed":
            device, path, _ = places.of_object(place.levels, body)
            at = at.of(device)
        own = at if shape.plain and not (shape.weak and place.role) else self._context(body, shape, at, role=place.role)
        if not shape.values:
            self._members(said, body, shape, path, own, depth=1)
            return
        label = _label(body, shape)
        value = None if label is not None else _lone_value(body, shape)
        if label is not None:
            _named(said, body, shape, (path, label), own)
        elif value is None or place.alternative is None:
            self._members(said, body, shape, path, own, depth=1)
        elif not _is_bad(body, shape):
            own = own.of(place.alternative.device) if own.device == at.device else own
            _scalar(said, value, place.alternative.path, _unit(body, shape), own)

    def _object(self, said: list[Said], body: dict[str, Any], path: tuple[str, ...], at: _At, depth: int) -> bool:
        """Read an object inside another; True if it holds an array of records, which the texts beside and above it describe."""
        check_size(at.device, body, depth)
        shape = self._shape(body)
        own = self._time(body, shape, at) if shape.times else at
        if shape.devices and vocabulary.snake(path[-1]) in ENVELOPES and (claim := _claimed(body, shape)):
            own = own.of(claim)
        if (label := _label(body, shape)) is not None:
            _named(said, body, shape, (path, label), own)
            return False
        return self._members(said, body, shape, path, own, depth=depth)

    def _members(
        self, said: list[Said], body: dict[str, Any], shape: Shape, path: tuple[str, ...], at: _At, *, depth: int, mark: str = ""
    ) -> bool:
        """Read what an object holds; True if there is an array of records among it."""
        used = (mark,) if shape.plain and not shape.weak else _used(body, shape, at, mark)
        unit = _unit(body, shape) if shape.values else None
        device, ts, source = at.device, at.ts, at.source
        described, texts = False, []
        for key, value in body.items():
            kind = value.__class__
            if kind is dict:
                if key not in used:
                    described |= self._object(said, value, (*path, key), at, depth + 1)
            elif kind is list:
                described |= bool(value) and value[0].__class__ is dict
                self._list(said, value, (*path, key), at, depth + 1)
            elif value is not None and value != "" and key not in used:
                if kind is str:
                    texts.append(len(said))
                said.append(Said(device, (*path, key), value, unit if unit and key in shape.values else None, ts, source))
        for place in reversed(texts if described else ()):
            del said[place]
        return described

    def _list(self, said: list[Said], body: list[Any], path: tuple[str, ...], at: _At, depth: int) -> None:
        check_size(at.device, body, depth)
        for index, value in enumerate(body):
            kind = value.__class__
            if kind is dict:
                self._record(said, value, path, index, at, depth=depth + 1)
            elif kind is list:
                self._list(said, value, (*path, str(index)), at, depth + 1)
            elif kind is not str and value is not None:
                said.append(Said(at.device, (*path, str(index)), value, None, at.ts, at.source))

    def _record(self, said: list[Said], body: dict[str, Any], path: tuple[str, ...], index: int, at: _At, *, depth: int) -> None:
        """Read one object of an array: told apart by its own device, else its label, else by its own time, else by its index."""
        check_size(at.device, body, depth)
        shape = self._shape(body)
        own = at if shape.plain else self._context(body, shape, at)
        label = _label(body, shape)
        if label is not None:
            _named(said, body, shape, (path, label), own)
            return
        if shape.carried and shape.names:
            self._carried(said, body, shape, path, own, depth=depth)
            return
        mark = ""
        if not shape.devices or not _claimed(body, shape):
            timed = own.timed is not None
            mark = _mark(body, shape, texts_only=timed)
            path = (*path, str(body[mark])) if mark else path if timed else (*path, str(index))
        self._members(said, body, shape, path, own, depth=depth, mark=mark)

    def _carried(self, said: list[Said], body: dict[str, Any], shape: Shape, path: tuple[str, ...], at: _At, *, depth: int) -> None:
        """Read a named value that is an object. Bytes are no reading, and all else in its record describes."""
        name, value = _first(body, shape.names), _first(body, shape.carried)
        if isinstance(name, str) and name and isinstance(value, dict):
            self._object(said, value, (*_inside(path), name), at, depth + 1)

    def _context(self, body: dict[str, Any], shape: Shape, at: _At, *, role: str = "") -> _At:
        """Return what an object says of its own device and time."""
        claim = _claimed(body, shape) if shape.devices and role != "claimed" else None
        if claim is None and role in ("shared", "stream") and (shape.weak or not shape.plain):
            claim = _weakly_claimed(body, shape, role)
        at = at.of(claim or at.device)
        return self._time(body, shape, at) if shape.times else at

    def _time(self, body: dict[str, Any], shape: Shape, at: _At) -> _At:
        """Return what holds with the time that an object states best; `timed` is the key that stated it."""
        for key, least in shape.times:
            if stamp := parse(body[key], least=least):
                return _At(at.message, at.device, *self.when(stamp, at.message, at.device), key)
        unreadable = next((key for key, least in shape.times if not least and isinstance(body[key], str) and body[key]), None)
        if unreadable is None:
            return at
        source: TimeSource = "received-unreadable" if at.source == "received" else at.source
        return _At(at.message, at.device, at.ts, source, unreadable)

    def _shape(self, body: dict[str, Any]) -> Shape:
        keys = tuple(body)
        shape = self._shapes.get(keys)
        if shape is None:
            shape = Shape.of(keys)
            if _is_bundle(keys):
                if len(self._shapes) >= self.MOST_SHAPES:
                    self._shapes.clear()
                self._shapes[keys] = shape
        return shape

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one object for all settings. A setting is a key as the device writes it, or `metric/channel`: an object in an object."""
        body, expects = self.told(device, settings)
        return [Encoded(f"{base}/set", msgspec.json.encode(body), expects)]


def _is_bundle(keys: Collection[str]) -> bool:
    """Tell whether keys are so few and short that what is known of them is worth keeping."""
    return len(keys) <= BUNDLE and sum(map(len, keys)) <= LONGEST_KEY


def _first(body: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Return the first of these keys' values that is there."""
    for key in keys:
        if (value := body[key]) is not None:
            return value
    return None


def _claimed(body: dict[str, Any], shape: Shape) -> str | None:
    """Return the device that an object claims to be of."""
    return next((name for key in shape.devices if (name := _device_name(body[key]))), None)


def _weakly_claimed(body: dict[str, Any], shape: Shape, role: str) -> str | None:
    """Return the device that an object on a shared topic seems to be of. A radio receiver names a sensor by model and number."""
    if _label(body, shape) is not None:
        return None
    model, number = body.get("model"), body.get("id")
    if isinstance(model, str) and model and isinstance(number, (str, int)):
        return _device_name(f"{model}/{number}")
    if role != "shared":
        return None
    return next((name for key in shape.weak if (name := _device_name(body[key]))), None)


def _used(body: dict[str, Any], shape: Shape, at: _At, mark: str) -> tuple[str, ...]:
    """Return the keys that say whose, when or in what unit, and so are no readings: a few at most."""
    used: tuple[str, ...] = (mark, at.timed) if shape.times and at.timed is not None else (mark,)
    if shape.devices:
        used += tuple(key for key in shape.devices if _device_name(body[key]) == at.device)
    if shape.weak:
        used += tuple(key for key in shape.weak if str(body[key]) in (at.device, at.device.rpartition("/")[2]))
    return used + shape.units if shape.values else used


def _label(body: dict[str, Any], shape: Shape) -> str | None:
    """Return what a named value is called; None if this object is not one."""
    if not shape.values or isinstance(_first(body, shape.values), (dict, list)):
        return None
    name = _first(body, shape.names)
    if isinstance(name, str) and name:
        return name
    kind = _first(body, shape.kinds)
    return kind if isinstance(kind, str) and vocabulary.word(kind) else None


def _lone_value(body: dict[str, Any], shape: Shape) -> Any:
    """Return the value of an object that measures nothing else."""
    value = _first(body, shape.values)
    if value is None or isinstance(value, (dict, list)):
        return None
    return value if all(body[key] is None or isinstance(body[key], str) for key in shape.measured) else None


def _mark(body: dict[str, Any], shape: Shape, *, texts_only: bool) -> str:
    """Return the key that tells a record apart, or nothing."""
    for key in shape.labels:
        value = body[key]
        if (isinstance(value, str) and value and _device_name(value)) or (not texts_only and value.__class__ is int):
            return key
    return ""


def _unit(body: dict[str, Any], shape: Shape) -> str | None:
    unit = _first(body, shape.units)
    return vocabulary.unit_named(unit) or unit.strip() if isinstance(unit, str) and 0 < len(unit.strip()) <= 16 else None


def _is_bad(body: dict[str, Any], shape: Shape) -> bool:
    quality = _first(body, shape.quality)
    return quality is False or (isinstance(quality, str) and quality.lower() in BAD)


def _scalar(said: list[Said], value: Any, path: tuple[str, ...], unit: str | None, at: _At) -> None:
    if value.__class__ in _MEASURES or (isinstance(value, str) and value):
        said.append(Said(at.device, path, value, unit, at.ts, at.source))


def _named(said: list[Said], body: dict[str, Any], shape: Shape, name: tuple[tuple[str, ...], str], at: _At) -> None:
    """Read a named value. What else it says in words describes it; other numbers are values of their own."""
    if _is_bad(body, shape):
        return
    path = (*_inside(name[0]), name[1])
    _scalar(said, _typed(_first(body, shape.values), _first(body, shape.types)), path, _unit(body, shape), at)
    said += [Said(at.device, (*path, key), body[key], None, at.ts, at.source) for key in shape.beside if body[key].__class__ in _MEASURES]


@lru_cache(maxsize=4096)
def _inside(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path without its wrappers."""
    return tuple(key for key in path if vocabulary.snake(key) not in ENVELOPES)


def _device_name(value: Any) -> str | None:
    """Return a claim as a device's name: short, printable, and no id that is new in every message."""
    if (
        isinstance(value, dict) and value and all(isinstance(one, str) for one in value.values())
    ):  # it describes the device, and measures nothing
        value = next((value[key] for key in ("id", "name", "serial") if value.get(key)), None)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    name = str(value).strip()
    unique = len(name) == 36 and name.count("-") == 4
    return name if 0 < len(name) <= 128 and name.isprintable() and not unique else None


def _typed(value: Any, kind: Any) -> Any:
    """Return a text as the number or truth that its sibling says it is.

    >>> _typed("-8146", "Int16"), _typed("true", "Bool"), _typed("007", "String")
    (-8146, True, '007')
    """
    if not isinstance(value, str) or not isinstance(kind, str):
        return value
    kind = kind.lower()
    if kind.startswith(("int", "uint", "float", "double", "number", "decimal", "real")):
        number = vocabulary.number(value)
        return value if number is None else number
    return {"true": True, "false": False}.get(value.lower(), value) if kind.startswith("bool") else value
