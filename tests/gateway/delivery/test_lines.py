"""Line protocol: the promised shapes, and nothing that a device says can become another point."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.label_tags import LabelTags
from gateway.delivery.lines import LONGEST_TEXT, Lines, UnwritableError, decoded, encoded

SITE = "green house"
HOSTILE = [
    "x,host=evil v=1\nadmin v=1i",
    "%0a",
    "%0A",
    "100%",
    "{{ 7*7 }}",
    "${jndi:ldap://x}",
    "\x1b[31mred\x1b[0m",
    "=1+1",
    'quo"te',
    "back\\slash",
    "end\\",
    "a\\,b",
    "a\\ b",
    "a\\\\=b",
    "tab\there",
    "nul\0",
    "a=b",
    "#comment",
    " lead and trail ",
    "über-😀",
    "\u202eevil",
    "line\r\nbreak",
    "\x85next",
    "time",
]


def test_readings_have_the_promised_shape(make):
    """Numbers are floats, booleans 0 and 1, text has a field of its own, listed labels are tags."""
    lines = Lines("attic", LabelTags(["room", "floor"], 10))
    ts = make.t0 + 1_000_000_001
    assert lines.line(make.reading(1)) == f"temperature,device=t1,site=attic value=20.5 {ts}"
    assert lines.line(make.reading(1, value=7, channel="a.0")) == f"temperature,channel=a.0,device=t1,site=attic value=7 {ts}"
    assert lines.line(make.reading(1, value=True)) == f"temperature,device=t1,site=attic value=1 {ts}"
    assert lines.line(make.reading(1, value="on")) == f'temperature,device=t1,site=attic text="on" {ts}'
    labels = {"room": "bath room", "secret": "x"}
    assert lines.line(make.reading(1, labels=labels)) == f"temperature,device=t1,room=bath\\ room,site=attic value=20.5 {ts}"


def test_outcomes_have_the_promised_shape(make, line_protocol):
    """Windows, alerts and commands: measurement, tags, fields, and the time they are of."""
    lines = Lines("attic", LabelTags([], 0))
    window = make.window(1, 2, warm=20.5, hot=None, last="on", opened=True)
    assert line_protocol(lines.line(window)) == (
        "climate",
        {"device": "t1", "site": "attic"},
        {"warm": 20.5, "last_text": "on", "opened": 1.0, "count": 6.0, "revision": 2.0},
        window.end,
    )
    assert lines.line(make.window(1, group=())).startswith("climate,site=attic ")
    measurement, tags, fields, time = line_protocol(lines.line(make.alert(1)))
    assert (measurement, time) == ("alerts", make.t0 + 1)
    assert tags == {"device": "t1", "site": "attic", "flow": "climate", "state": "raised"}
    assert fields == {"value": 1.0, "message": "t1 at 29 °C", "severity": "warning", "episode": "a1"}
    measurement, tags, fields, time = line_protocol(lines.line(make.command(1)))
    assert tags == {"device": "fan", "site": "attic", "flow": "climate", "state": "requested", "group": "t1"}
    measurement, tags, fields, time = line_protocol(lines.line(make.fact(1, "sent", 2)))
    assert (measurement, tags["state"], time) == ("commands", "sent", make.t0 + 6)
    assert fields == {"attempt": 2.0, "command": "c1", "settings": '{"state":"ON"}', "detail": ""}


def test_a_label_with_a_taken_name_is_still_a_tag(make, line_protocol):
    """A label or group key called like one of our tags neither replaces it nor is lost."""
    reading = make.reading(1, labels={"site": "mine", "time": "noon"})
    _, tags, _, _ = line_protocol(Lines("attic", LabelTags(["site", "time"], 10)).line(reading))
    assert tags == {"device": "t1", "site": "attic", "label_site": "mine", "label_time": "noon"}
    _, tags, _, _ = line_protocol(Lines("attic", LabelTags([], 0)).line(make.alert(1, group=(("state", "hot"), ("device", "")))))
    assert tags == {"site": "attic", "flow": "climate", "state": "raised", "label_state": "hot"}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_make_one_point(make, line_protocol, name):
    """A hostile name in any place is one point with that name, decodable to the byte."""
    reading = make.reading(1, device=name, metric=name, channel=name, labels={"room": name})
    line = Lines(name, LabelTags(["room"], 10)).line(reading)
    assert "\n" not in line
    assert not line.startswith("#")
    measurement, tags, fields, _ = line_protocol(line)
    assert decoded(measurement) == name
    assert {key: decoded(value) for key, value in tags.items()} == dict.fromkeys(["device", "site", "channel", "room"], name)
    assert fields == {"value": 20.5}
    window = make.window(1, flow=name, group=((f"{name}x", name),), **{f"{name}y": 1.0})
    measurement, tags, fields, _ = line_protocol(Lines("s", LabelTags([], 0)).line(window))
    assert (decoded(measurement), {decoded(key) for key in fields}) == (name, {f"{name}y", "count", "revision"})


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_makes_one_point(make, line_protocol, text):
    """Text comes back as it was; only a line break, which the protocol has no way to write, is spelt out."""
    line = Lines("s", LabelTags([], 0)).line(make.reading(1, value=text))
    assert "\n" not in line
    _, _, fields, _ = line_protocol(line)
    assert fields == {"text": text.replace("\n", "\\n").replace("\r", "\\r")}


@given(name=st.text(min_size=1), other=st.text(min_size=1))
def test_any_name_comes_back_and_stays_apart(make, line_protocol, name, other):
    """For all names: what is read back decodes to the name, so two names never become one."""
    _, tags, _, _ = line_protocol(Lines("s", LabelTags([], 0)).line(make.reading(1, device=name)))
    assert decoded(tags["device"]) == name
    assert (encoded(name) == encoded(other)) == (name == other)


@pytest.mark.parametrize("name", ["Living%20Room", "50 %", "C:\\temp", "a%41b", "%zz"])
def test_harmless_names_stay_as_they_are(name):
    """What line protocol can carry is not touched."""
    assert encoded(name) == name


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "finite"),
        (-math.inf, "finite"),
        (10**400, "fit a float"),
        ("x" * (LONGEST_TEXT + 1), "at most 1048576 bytes"),
        ("é" * (LONGEST_TEXT // 2 + 1), "at most 1048576 bytes"),
    ],
)
def test_what_cannot_be_written_says_why(make, value, reason):
    """A value that InfluxDB has no place for is refused with the reason."""
    with pytest.raises(UnwritableError, match=reason):
        Lines("s", LabelTags([], 0)).line(make.reading(1, value=value))


def test_a_metric_needs_a_name(make):
    """A reading of a metric without a name is refused."""
    with pytest.raises(UnwritableError, match="name"):
        Lines("s", LabelTags([], 0)).line(make.reading(1, metric=""))


@given(value=st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**64), 2**64), st.booleans()))
def test_numbers_come_back_as_floats(make, line_protocol, value):
    """Every finite number is read back as the same float."""
    _, _, fields, _ = line_protocol(Lines("s", LabelTags([], 0)).line(make.reading(1, value=value)))
    assert fields == {"value": float(value)}
