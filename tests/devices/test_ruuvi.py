"""Ruuvi advertisements against the test vectors of their specification, and what is learned of sensors."""

import pytest

from devices.catalogue import Catalogue
from devices.conventions.ruuvi_advertisement import AdvertisementError, decode, payload
from devices.reading import Ignored, Message
from devices.samples import RECEIVED

VECTORS = [  # https://docs.ruuvi.com/communication/bluetooth-advertisements; reserved bytes are 0xFF
    (
        "03291A1ECE1EFC18F94202CA0B53",
        {"temperature": 26.3, "humidity": 20.5, "pressure": 102766, "acceleration_y": -1.726, "battery": 2.899},
    ),
    ("03FF7F63FFFF7FFF7FFF7FFFFFFF", {"temperature": 127.99, "humidity": 127.5, "pressure": 115535, "acceleration_x": 32.767}),
    ("0300FF6300008001800180010000", {"temperature": -127.99, "humidity": 0, "pressure": 50000, "acceleration_z": -32.767, "battery": 0}),
    (
        "057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F",
        {
            "temperature": 163.835,
            "humidity": 163.835,
            "pressure": 115534,
            "acceleration_x": 32.767,
            "battery": 3.646,
            "tx_power": 20,
            "movement_counter": 254,
            "sequence": 65534,
        },
    ),
    (
        "058001000000008001800180010000000000CBB8334C884F",
        {"temperature": -163.835, "humidity": 0, "pressure": 50000, "battery": 1.6, "tx_power": -40, "movement_counter": 0, "sequence": 0},
    ),
    ("06170C5668C79E007000C90501D9FFCD004C884F", {"temperature": 29.5, "humidity": 55.3, "pressure": 101102, "pm_2_5": 11.2, "co2": 201}),
    ("06170C5668C79E007000C90501D9FFCD004C884F", {"voc": 10, "nox": 2, "luminosity": 13026.67, "sequence": 205}),
    ("067FFF9C40FFFE27109C40FAFAFEFFFF074C8F4F", {"temperature": 163.835, "pm_2_5": 1000, "voc": 500, "luminosity": 65535}),
    (
        "E1170C5668C79E0065007004BD11CA00C90A0213E0ACFFFFFFDECDEE01FFFFFFFFFFCBB8334C884F",
        {
            "pm_1": 10.1,
            "pm_2_5": 11.2,
            "pm_4": 121.3,
            "pm_10": 455.4,
            "co2": 201,
            "voc": 20,
            "nox": 4,
            "luminosity": 13027,
            "sequence": 14601710,
        },
    ),
    (
        "E17FFF9C40FFFE27102710271027109C40FAFADC28F0FFFFFFFFFFFE3FFFFFFFFFFFCBB8334C884F",
        {"humidity": 100, "pm_10": 1000, "co2": 40000, "voc": 500, "nox": 500, "luminosity": 144284, "sequence": 16777214},
    ),
]
UNAVAILABLE = [
    "058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF",
    "C58000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    "E18000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFFFFFFFFFFFFFFFF",
]


@pytest.mark.parametrize(("data", "values"), VECTORS)
def test_decode_test_vector(data, values):
    """Each vector of the specification gives the values that it states."""
    measured = decode(bytes.fromhex(data))
    assert {name: measured.values[name] for name in values} == pytest.approx(values, abs=1e-9)


@pytest.mark.parametrize("data", UNAVAILABLE)
def test_decode_unavailable(data):
    """What is not available in any field is no value."""
    assert decode(bytes.fromhex(data)).values == {}


@pytest.mark.parametrize("cut", range(1, 24))
def test_decode_cut_short(cut):
    """No shorter piece of a format is read."""
    with pytest.raises(AdvertisementError):
        decode(bytes.fromhex("0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")[:cut])


def test_payload_skips_other_structures():
    """Ruuvi's structure is found behind flags, names and another maker's data; padding ends the search."""
    ruuvi = "04FF990405"
    assert payload(bytes.fromhex("020106" + "03094142" + "05FF4C001005" + ruuvi)) == b"\x05"
    assert payload(bytes.fromhex("020106" + "00" + ruuvi)) is None


def message(sensor, sequence, *, retained=False):
    data = f"0201061BFF990405{'00' * 15}{sequence:04X}{sensor.replace(':', '')}"
    return Message(f"ruuvi/C1:22:33:44:55:66/{sensor}", b'{"rssi":-60,"data":"%s"}' % data.encode(), RECEIVED, retained)


def test_sequence_gaps_counted():
    """Missed measurements are counted by sensor; the number wraps at 65535, and one heard twice, or retained, is no gap."""
    catalogue, missed = Catalogue(), []
    sensor, other = "E4:10:20:30:40:50", "E4:10:20:30:40:51"
    for number in (65533, 65534, 0, 0, 3):
        (first, *_) = catalogue.readings(message(sensor, number))
        assert first.sequence == number
        missed.append(dict(catalogue.news.sequences.missed))
    for one in (message(sensor, 40, retained=True), message(other, 7)):
        catalogue.readings(one)
        missed.append(dict(catalogue.news.sequences.missed))
    assert missed == [{}, {}, {}, {}, {sensor: 2}, {}, {}]


def test_other_maker_is_ignored():
    """A gateway that passes everything on gives no dead letters for phones and headphones."""
    outcome = Catalogue().readings(Message("ruuvi/C1:22:33:44:55:66/12:34:56:78:9A:BC", b'{"gw_mac":"x","rssi":-60,"data":""}', RECEIVED))
    assert isinstance(outcome, Ignored)
