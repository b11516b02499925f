"""Lines of text: Influx line protocol and Graphite are told from ordinary sentences, and read as InfluxDB would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client import Point

from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Message
from devices.samples import RECEIVED
from devices.tagged import MACHINES

SENTENCES = [
    "door open",
    "Battery low: level=5 percent",
    "alarm level=5 percent",
    "temp=21.5",
    "mode=auto state=on",
    "https://host/?a=b c",
    "21.5 °C",
    '"a b=c"',
    "order 66 1234567890",
    "see chapter 2.1 5 1234567890 again",
    "21.5 22.5 1788350300",
    "version 1.2 12",
    "a;b 1 1788350300",
    "# weather,host=roof",
]
LINES = [
    "weather,host=roof temperature=1",
    "weather temperature=1",
    "weather temperature=1 1788350300000000000",
    "weather,host=roof temperature=",
    "weather,host=roof temperature=too hot",
    'weather sky="half clear, half = not" 1788350300000000000',
    "# comment\nweather temperature=1",
    "plant.boiler.level 1 1788350300",
    "load;host=nas 1 1788350300",
    "plant.boiler.level nan 1788350300",
]


def read(text):
    return Catalogue().readings(Message("farm/barn/note", text.encode(), RECEIVED))


@pytest.mark.parametrize("text", SENTENCES)
def test_sentences_are_plain_texts(text):
    """What is no line of either protocol is one plain value, whatever signs are in it."""
    (reading,) = read(text)
    assert reading.convention == "plain_scalar"


@pytest.mark.parametrize("text", LINES)
def test_lines_are_never_plain_texts(text):
    """What is a line, or clearly meant as one, becomes readings of its protocol, or a dead letter, or nothing."""
    outcome = read(text)
    if isinstance(outcome, list):
        assert {one.convention for one in outcome} <= {"line_protocol", "graphite"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a x=1\nb x=1\n\nc x", 4),
        ("a x=1\nb x=1i2", 2),
        ("a x=1\nb x=1 12 34", 2),
        ('a,t=1 x="1\nb x=2', 1),
        ("a x=1e400", 1),
        ("a.b 1 1788350300\nc.d 1", 2),
    ],
)
def test_bad_line_is_named(text, line):
    """A message with one bad line is used in no part, and the reason says which line it is."""
    outcome = read(text)
    assert isinstance(outcome, DeadLetter)
    assert f"line {line} " in outcome.reason


def test_long_lines_are_read_in_linear_time():
    """Texts that are almost lines cost no more than their length."""
    for text in ("a" + ",b=c" * 20_000, "a b=" + "\\" * 60_000, 'a b="' + "x" * 60_000, "a." * 30_000 + " 1", "a " + "b=1," * 15_000):
        read(text)


NAMES = st.text(alphabet='abcXYZ019 ,=."éß_-+/', min_size=1, max_size=12).filter(lambda text: text[0].isalpha())
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(alphabet='abc ,="\\{}[]é1', min_size=1, max_size=12),
)


@given(
    NAMES.filter(lambda text: "=" not in text),
    st.dictionaries(NAMES, NAMES, max_size=3),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=4),
    st.integers(1, 10**9),
)
def test_what_the_client_of_influxdb_writes_is_read(measurement, tags, fields, ahead):
    """A point that InfluxDB's own client wrote gives its fields, each as it was, on the channel of its tags, at its time."""
    written = Point(measurement).time(RECEIVED - ahead)
    for key, value in tags.items():
        written.tag(key, value)
    for key, value in fields.items():
        written.field(key, value)
    line = written.to_line_protocol()
    readings = read(line)
    assert isinstance(readings, list), (line, readings)
    assert {one.key: one.raw_value for one in readings} == {f"{measurement}.{key}": value for key, value in fields.items()}
    assert {one.ts for one in readings} == {RECEIVED - ahead}
    assert all(dict(one.labels) == {tag: value for tag, value in tags.items() if tag not in MACHINES} for one in readings)
