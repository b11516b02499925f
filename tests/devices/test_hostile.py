"""Hostile payloads and topics: a typed refusal or the right value, quickly."""

import time

import pytest

from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Ignored, Message
from devices.samples import RECEIVED

TOPICS = ["home/x", "zigbee2mqtt/x", "tele/x/SENSOR"]
REFUSED = {
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "beyond a double": b'{"a": 1e400}',
    "5000 digits": b'{"a": ' + b"1" * 5000 + b"}",
    "beyond 64 bits": b'{"a": 18446744073709551616}',
    "400 digits in a unit to convert": b'{"temp_f": ' + b"1" * 400 + b"}",
    "a text of 60 digits": b'{"temperature": "' + b"1" * 60 + b'"}',
    "below 64 bits": b'{"a": -9223372036854775809}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "lone surrogate in a key": b'{"\\ud800": 1}',
    "bad UTF-8": b'{"a": "\xff"}',
    "100,000 arrays": b"[" * 100_000,
    "nested too deep": b'{"a":' * 90 + b"1" + b"}" * 90,
    "arrays nested too deep": b'{"a":' + b"[" * 90 + b"1" + b"]" * 90 + b"}",
    "100,000 keys": b"{" + b",".join(b'"k%d":1' % i for i in range(100_000)) + b"}",
    "100,000 values": b'{"a":[' + b",".join(b"1" for _ in range(100_000)) + b"]}",
    "1,025 values in parts": b'{"a":[' + b",".join(b"1" for _ in range(600)) + b'],"b":[' + b",".join(b"1" for _ in range(600)) + b"]}",
    "a key of 1 MB": b'{"' + b"k" * 1_000_000 + b'":1}',
    "a control character in a key": b'{"a\\nb": 1}',
    "cut short": b'{"a": 1',
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("payload", REFUSED.values(), ids=REFUSED.keys())
def test_hostile_payload_is_refused(topic, payload):
    """The message becomes a dead letter with a reason that fits a line, without a long wait."""
    started = time.perf_counter()
    outcome = Catalogue().readings(Message(topic, payload, RECEIVED))
    assert time.perf_counter() - started < 2
    assert isinstance(outcome, DeadLetter), outcome
    assert outcome.reason.isprintable()
    assert 10 < len(outcome.reason) < 400
    assert "bug" not in outcome.reason


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b'{"a": 18446744073709551615}', 18446744073709551615),
        (b'{"a": -9223372036854775808}', -9223372036854775808),
        (b'{"a": 1E-999999999}', 0.0),
        (b'{"a": 1, "a": 2}', 2),
        (b'\xef\xbb\xbf{"a": 3}', 3),
        (b'{"a": 4}\0', 4),
        (b' \r\n{"a": 5}\n', 5),
        (b'{"a": "x\\u0000y"}', "x\0y"),
        (b'{"a": -0.0}', 0.0),
    ],
)
def test_odd_payload_is_read_rightly(payload, value):
    """What is unusual but right comes through with its exact value."""
    (reading,) = Catalogue().readings(Message("home/x", payload, RECEIVED))
    assert reading.value == value
    assert type(reading.value) is type(value)


@pytest.mark.parametrize("topic", ["x" * 2000, "a\nb", "a\x1bb/c", "home/\u202ename/temp", ""])
def test_hostile_topic_is_refused(topic):
    """A topic that could break a line or a screen is a dead letter."""
    outcome = Catalogue().readings(Message(topic, b"1", RECEIVED))
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason.isprintable()


def test_odd_topics_stay_apart():
    """Distinct topics give distinct series, whatever characters they have."""
    topics = ["../../etc/x", "a//b", "/a/b", "a/b/", "a b/c,d", "a=b/c", 'a"b/c', "ä/ü", "a/" * 200 + "z", "+/x", "#/y"]
    outcomes = [Catalogue().readings(Message(topic, b"1", RECEIVED)) for topic in topics]
    assert not any(isinstance(one, (DeadLetter, Ignored)) for one in outcomes)


def test_device_claims_are_checked():
    """A name that a payload claims is used only if it is short and printable; else the topic's stands."""
    catalogue = Catalogue()
    for claim in ('"a\\nb"', '""', "true", "{}", f'"{"x" * 300}"', "null", '"5f0d3a52-9c8f-4c1b-8d7e-1c2d3e4f5a6b"'):
        outcome = catalogue.readings(Message("home/x", b'{"device": %s, "temp": 1}' % claim.encode(), RECEIVED))
        assert {one.device for one in outcome} == {"x"}, claim


@pytest.mark.parametrize("topic", ["$SYS/broker/uptime", "homeassistant/sensor/x/config", "sluice/site/status", "zwave/_CLIENTS/gw/status"])
def test_housekeeping_is_ignored(topic):
    """What no device says is ignored, whatever it holds."""
    assert isinstance(Catalogue().readings(Message(topic, b'{"a": NaN', RECEIVED)), Ignored)


def test_a_bug_is_a_dead_letter(monkeypatch):
    """An error nobody foresaw keeps the message, names itself, and stops nothing."""
    catalogue = Catalogue()
    monkeypatch.setattr(catalogue.conventions["plain_json"], "decode", lambda *_: 1 // 0)
    outcome = catalogue.readings(Message("home/x", b"{}", RECEIVED))
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason.startswith("bug in decoding topic 'home/x': ZeroDivisionError")
