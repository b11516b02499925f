"""Templates: a payload of a user's own, taught in a profile: where on the topic the device stands, and where in the payload its values do."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from devices import topics, vocabulary
from devices.broken import Path, hold
from devices.reading import Value

DEVICE = "{device}"
"""The level of a template's topic that names the device."""


def _unit(text: str) -> str:
    symbol = vocabulary.unit_named(text)
    if symbol is None:
        raise ValueError("unit must be one that the vocabulary knows, such as °C, °F, mV, kWh, hPa")
    return symbol


Unit = Annotated[str, AfterValidator(_unit)]


def _path(written: Any) -> Any:
    if not isinstance(written, str) or not all(written.split(".")):
        raise ValueError("must be a path of keys and indexes joined with '.', none of them empty")
    return written


def _place(written: Any) -> Any:
    if isinstance(written, bool) or not isinstance(written, (str, int)):
        raise ValueError("must be a path or the number of a field")  # noqa: TRY004 - pydantic takes ValueError for a finding
    return _path(written) if isinstance(written, str) else written


Place = Annotated[str | int, BeforeValidator(_place)]
"""Where a value stands in a payload: a path of keys and indexes joined with `.`, or the number of a field."""


class TemplateValue(BaseModel):
    """One value: where it stands (`at`: a path of keys and indexes joined with `.`, or the number of a field), and what it is.

    What is read is `value * scale + offset`, in `unit`; a raw value that is one of `nothing` is no reading.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    at: Place
    unit: Unit | None = None
    scale: float = 1
    offset: float = 0
    nothing: list[bool | int | float | str] = Field(default_factory=list)

    def read(self, raw: Any) -> Value | None:
        """Return the value; None for what is no value.

        >>> TemplateValue(at=0, scale=0.01, nothing=[32767]).read(2150), TemplateValue(at=0, nothing=[32767]).read(32767)
        (21.5, None)
        """
        if isinstance(raw, bytes):
            raw = raw.rstrip(b"\0").decode(errors="replace")
        if not isinstance(raw, (bool, int, float, str)) or raw == "" or raw in self.nothing:
            return None
        if isinstance(raw, (bool, str)) or (self.scale == 1 and self.offset == 0):
            return raw
        return round(raw * self.scale + self.offset, 9)


def _value(written: Any) -> Any:
    return {"at": written} if isinstance(written, (str, int)) else written


def _name(text: str) -> str:
    metric, _, channel = text.partition("/")
    if not metric or vocabulary.snake(metric) != metric or "/" in channel:
        raise ValueError("must be a metric in lower snake-case, or metric/channel")
    return text


def _topic(text: str) -> str:
    wrong = topics.check_filter(text.replace(DEVICE, "+"))
    if wrong:
        raise ValueError(wrong)
    return text


def _layout(text: str) -> str:
    try:
        struct.calcsize(text)
    except struct.error as error:
        raise ValueError(f"must be a layout of Python's struct module: {error}") from None
    return text


class Template(BaseModel):
    """How a payload is read. Without `struct` it is JSON; with it, bytes in that layout (https://docs.python.org/3/library/struct.html)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: Annotated[str, AfterValidator(_topic)] = Field(
        description="Which topics: `{device}` is the level that names the device, `+` any level, `#` at the end all that follow."
    )
    struct: Annotated[str, AfterValidator(_layout)] | None = Field(
        default=None, description="The layout of a binary payload, such as `<hHB`; absent: the payload is JSON."
    )
    device: Annotated[str, BeforeValidator(_path)] | None = Field(
        default=None, description="Where the payload names the device, as a path; else the topic, else `devices`."
    )
    time: Place | None = Field(default=None, description="Where the payload says when, in any usual form.")
    values: dict[Annotated[str, AfterValidator(_name)], Annotated[TemplateValue, BeforeValidator(_value)]] = Field(
        min_length=1, description="By metric, or metric/channel: where the value stands, or {at, unit, scale, offset, nothing}."
    )

    @model_validator(mode="after")
    def _fits(self) -> Template:
        if self.struct is not None:
            hold(self._broken(len(self.fields(bytes(struct.calcsize(self.struct))))))
        return self

    def _broken(self, count: int) -> Iterator[tuple[Path, str]]:
        """Give what does not fit a layout of `count` fields."""
        if self.device is not None:
            yield ("device",), "device is a path in JSON; a binary payload's device stands in the topic, or in `devices`"
        places: dict[Path, str | int | None] = {("values", name, "at"): value.at for name, value in self.values.items()}
        for where, at in {**places, ("time",): self.time}.items():
            if at is not None and (not isinstance(at, int) or not 0 <= at < count):
                name = where[1] if len(where) > 1 else where[0]
                yield where, f"{name} must be the number of a field, from 0 to {count - 1}"

    def device_at(self, levels: tuple[str, ...]) -> str | None:
        """Return the device that a topic names, `""` if the template's topic names none, or None if it is another topic.

        >>> Template(topic="plant/{device}/raw", values={"level": "l"}).device_at(("plant", "tank-1", "raw"))
        'tank-1'
        """
        device = ""
        for place, part in enumerate(self.topic.split("/")):
            if part == "#":
                return device
            if place >= len(levels) or part not in ("+", DEVICE, levels[place]):
                return None
            device = levels[place] if part == DEVICE else device
        return device if len(levels) == self.topic.count("/") + 1 else None

    def fields(self, payload: bytes) -> tuple[Any, ...]:
        """Return the fields of a binary payload; ValueError where its size is not the layout's."""
        layout = self.struct or ""
        if len(payload) != struct.calcsize(layout):
            raise ValueError(f"payload must have {struct.calcsize(layout)} bytes, by its layout {layout!r}; got {len(payload)}")
        return struct.unpack(layout, payload)


def look_up(body: Any, at: str | int) -> Any:
    """Return what stands in a body at a path of keys and indexes, or under a number; None if nothing does.

    >>> look_up({"data": [{"t": 21.5}]}, "data.0.t"), look_up((1, 2), 1), look_up({}, "a.b")
    (21.5, 2, None)
    """
    for key in _steps(at):
        if isinstance(body, dict):
            body = body.get(key)
        elif isinstance(body, (list, tuple)) and key.isdecimal() and int(key) < len(body):
            body = body[int(key)]
        else:
            return None
    return body


def _steps(at: str | int) -> Iterator[str]:
    yield from str(at).split(".")
