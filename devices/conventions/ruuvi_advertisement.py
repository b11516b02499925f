"""The Bluetooth advertisements of Ruuvi sensors, as bytes (https://docs.ruuvi.com/communication/bluetooth-advertisements).

An advertisement is a row of structures: a length, a type, and data. Ruuvi's stand in the manufacturer's structure (type 0xFF, company
0x0499, least byte first), whose next byte is the data format: 3 (RAWv1), 5 (RAWv2), C5 (RAWv2 without acceleration), 6 and E1 (Ruuvi
Air). The largest number, or the smallest where there is a sign, means that a value is not available; format 3 has no such number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

MANUFACTURER: Final = 0xFF
COMPANY: Final = b"\x99\x04"

Decoded = dict[str, float]

_LOGARITHM: Final = math.log(65536) / 254
"""Format 6 gives light as the logarithm of lux + 1, in steps of this."""


class AdvertisementError(ValueError):
    """An advertisement that is cut short, or of a format nobody knows; the words say which."""


class Measured(NamedTuple):
    """What an advertisement says: its format, its values by name, its measurement's number, and how many such numbers there are."""

    form: int
    values: Decoded
    sequence: int | None
    wraps: int


def payload(advertisement: bytes) -> bytes | None:
    """Return what Ruuvi's structure holds, from its data format on; None where there is none.

    Raises AdvertisementError where a structure is cut short.

    >>> payload(bytes.fromhex("02010604ff990405")).hex(), payload(bytes.fromhex("020106"))
    ('05', None)
    """
    at = 0
    while at < len(advertisement):
        size = advertisement[at]
        if size == 0:
            return None
        structure = advertisement[at + 1 : at + 1 + size]
        if len(structure) < size:
            raise AdvertisementError(f"a structure of {size} bytes is cut short; got {len(structure)}")
        if structure[0] == MANUFACTURER and structure[1:3] == COMPANY:
            return structure[3:]
        at += 1 + size
    return None


def decode(data: bytes) -> Measured:
    """Return what Ruuvi's structure says. Raises AdvertisementError.

    >>> decode(bytes.fromhex("03291A1ECE1EFC18F94202CA0B53")).values["temperature"]
    26.3
    """
    form = data[0] if data else -1
    if form not in _FORMATS:
        raise AdvertisementError(f"data format must be one of {', '.join(f'{one:X}' for one in _FORMATS)}; got {data[:1].hex() or 'none'}")
    size, read = _FORMATS[form]
    if len(data) < size:
        raise AdvertisementError(f"data format {form:X} must have {size} bytes; got {len(data)}")
    return read(data)


def _unsigned(data: bytes, at: int, size: int) -> int | None:
    number = int.from_bytes(data[at : at + size], "big")
    return None if number == (1 << 8 * size) - 1 else number


def _signed(data: bytes, at: int) -> int | None:
    number = int.from_bytes(data[at : at + 2], "big", signed=True)
    return None if number == -0x8000 else number


def _available(values: Mapping[str, float | None]) -> Decoded:
    return {name: value for name, value in values.items() if value is not None}


def _scaled(number: int | None, over: int, *, plus: int = 0) -> float | None:
    return None if number is None else (number + plus) / over


def _climate(data: bytes) -> dict[str, float | None]:
    """Return temperature, humidity and pressure, which all formats but 3 have in the same place."""
    pressure = _unsigned(data, 5, 2)
    return {
        "temperature": _scaled(_signed(data, 1), 200),
        "humidity": _scaled(_unsigned(data, 3, 2), 400),
        "pressure": None if pressure is None else pressure + 50_000,
    }


def _acceleration(data: bytes, at: int) -> dict[str, float | None]:
    return {f"acceleration_{axis}": _scaled(_signed(data, at + 2 * place), 1000) for place, axis in enumerate("xyz")}


def _power(data: bytes, at: int) -> dict[str, float | None]:
    """Return battery voltage (11 bits, mV above 1600) and power of the sender (5 bits, 2 dBm above -40)."""
    both = int.from_bytes(data[at : at + 2], "big")
    millivolts, steps = both >> 5, both & 31
    return {
        "battery": None if millivolts == 2047 else (millivolts + 1600) / 1000,
        "tx_power": None if steps == 31 else steps * 2 - 40,
        "movement_counter": _unsigned(data, at + 2, 1),
    }


def _air(high: int, flag: int) -> int | None:
    """Return one of the two indexes of gases: nine bits, the least of them among the flags."""
    index = high << 1 | flag
    return None if index == 0x1FF else index


def _form3(data: bytes) -> Measured:
    whole, hundredths = data[2] & 0x7F, data[3]
    temperature = (whole * 100 + hundredths) / 100
    values = {
        "temperature": -temperature if data[2] & 0x80 and temperature else temperature,
        "humidity": data[1] / 2,
        "pressure": int.from_bytes(data[4:6], "big") + 50_000,
        **{
            f"acceleration_{axis}": int.from_bytes(data[6 + 2 * place : 8 + 2 * place], "big", signed=True) / 1000
            for place, axis in enumerate("xyz")
        },
        "battery": int.from_bytes(data[12:14], "big") / 1000,
    }
    return Measured(3, values, None, 0)


def _form5(data: bytes) -> Measured:
    sequence = _unsigned(data, 16, 2)
    values = {**_climate(data), **_acceleration(data, 7), **_power(data, 13), "sequence": sequence}
    return Measured(5, _available(values), sequence, 65_535)


def _form_c5(data: bytes) -> Measured:
    sequence = _unsigned(data, 10, 2)
    values = {**_climate(data), **_power(data, 7), "sequence": sequence}
    return Measured(0xC5, _available(values), sequence, 65_535)


def _form6(data: bytes) -> Measured:
    flags, code = data[16], _unsigned(data, 13, 1)
    values = {
        **_climate(data),
        "pm_2_5": _scaled(_unsigned(data, 7, 2), 10),
        "co2": _unsigned(data, 9, 2),
        "voc": _air(data[11], flags >> 6 & 1),
        "nox": _air(data[12], flags >> 7),
        "luminosity": None if code is None else round(math.exp(code * _LOGARITHM) - 1, 2),
        "sequence": data[15],
    }
    return Measured(6, _available(values), data[15], 256)


def _form_e1(data: bytes) -> Measured:
    flags, sequence = data[28], _unsigned(data, 25, 3)
    values = {
        **_climate(data),
        **{f"pm_{size}": _scaled(_unsigned(data, 7 + 2 * place, 2), 10) for place, size in enumerate(("1", "2_5", "4", "10"))},
        "co2": _unsigned(data, 15, 2),
        "voc": _air(data[17], flags >> 6 & 1),
        "nox": _air(data[18], flags >> 7),
        "luminosity": _scaled(_unsigned(data, 19, 3), 100),
        "sequence": sequence,
    }
    return Measured(0xE1, _available(values), sequence, (1 << 24) - 1)


_FORMATS: Final[Mapping[int, tuple[int, Callable[[bytes], Measured]]]] = {
    3: (14, _form3),
    5: (24, _form5),
    0xC5: (18, _form_c5),
    6: (20, _form6),
    0xE1: (40, _form_e1),
}
"""How many bytes a format has, and what reads it."""
