"""Findings of profiles: each at the key that it is about, with what stood there."""

import pytest

from devices.profile import Profile
from gateway.findings import compose, parse
from gateway.profile_check import check, failed_samples

TEMPLATE = "devices: [a]\ntemplate:\n  topic: plant/{device}/raw\n"


def lines(text):
    return [str(one) for one in sorted(parse(compose(text, file="p.yaml", environ={}), Profile).findings)]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("name: Boiler\ndevices: [a*]\n", "p.yaml:1:7: name needs exactly one name in devices, without wildcards (got 'Boiler')"),
        ("topics: [x/#]\n", "p.yaml:1:9: topics needs exactly one name in devices, without wildcards"),
        ("convention: tasmota\n", "p.yaml:1:13: convention and base say together where commands go: give both or neither (got 'tasmota')"),
        (
            "template: {topic: a/b, values: {level: l}}\n",
            "p.yaml:1:19: a template must have {device} in its topic, or device, or its profile exactly one name in devices (got 'a/b')",
        ),
        ("command: {topic: a/+}\n", "p.yaml:1:18: topic must be a topic without wildcards (got 'a/+')"),
        ("allow: {level: {min: 9, max: 5}}\n", "p.yaml:1:22: min must not be above max, which is 5 (got 9)"),
        ("allow: {level: {min: 9}}\n", "p.yaml:1:9: missing key 'max'"),
        ("allow: {level: 5}\n", "p.yaml:1:16: level must be a list of values, or {min, max} (got 5)"),
        ("allow: {level: [5, ~]}\n", "p.yaml:1:20: level[1] must be true, false, a number or text (got nothing)"),
        (
            "calibrate: {level: {points: [[2, 1], [1, 1]]}}\n",
            "p.yaml:1:29: points must be two or more, each [shown, true], by what is shown, from small to great",
        ),
        ("template: {topic: 'a/b+', values: {level: l}}\n", "p.yaml:1:19: '+' must stand alone in its level; got 'b+' (got 'a/b+')"),
        (
            TEMPLATE + "  struct: <hz\n  values: {level: 0}\n",
            "p.yaml:4:11: struct must be a layout of Python's struct module: bad char in struct format (got '<hz')",
        ),
        (TEMPLATE + "  struct: <hh\n  values: {level: {at: 7}}\n", "p.yaml:5:24: level must be the number of a field, from 0 to 1 (got 7)"),
        (TEMPLATE + "  struct: <hh\n  values: {level: x}\n", "p.yaml:5:19: level must be the number of a field, from 0 to 1 (got 'x')"),
        (
            TEMPLATE + "  struct: <hh\n  values: {level: 0}\n  device: id\n",
            "p.yaml:6:11: device is a path in JSON; a binary payload's device stands in the topic, or in `devices` (got 'id')",
        ),
        (TEMPLATE + "  values: {level: l}\n  time: {at: 1}\n", "p.yaml:5:9: time must be a path or the number of a field (got a mapping)"),
        (
            TEMPLATE + "  values: {level: {at: a..b}}\n",
            "p.yaml:4:24: at must be a path of keys and indexes joined with '.', none of them empty (got 'a..b')",
        ),
        (
            "samples: [{topic: a, payload: '1'}]\n",
            "p.yaml:1:11: a message must have a topic, a payload, and one of readings, ignored, dead_letter, held",
        ),
    ],
)
def test_finding_stands_at_the_key_it_is_about(text, finding):
    """One mistake is one finding, at its key and not at what holds it."""
    assert lines(text) == [finding]


@pytest.fixture
def checked(tmp_path):
    """Give what `check` says of a profile's text."""
    (tmp_path / "devices").mkdir()

    def run(text):
        (tmp_path / "devices" / "p.yaml").write_text(text)
        return [str(one) for one in check(tmp_path)]

    run.config = tmp_path
    return run


def test_blank_that_nothing_fills_in_is_a_finding(checked):
    """It stands at its place in the text, with the one that may be meant; JSON's own braces are no blanks."""
    assert checked('command: {topic: "a/{foo}/{setting}", payload: "{valu}"}\n') == [
        "devices/p.yaml:1:21: there is no blank {foo}; known: base, device, setting, value",
        "devices/p.yaml:1:49: there is no blank {valu}; did you mean {value}?",
    ]
    assert checked("""command: {topic: "a/{device}", payload: '{"v": "{value}", "of": {"x": {}}}'}\n""") == []
    assert checked("template: {topic: 'a/{devise}', values: {level: l}}\n") == [
        "devices/p.yaml:1:22: there is no blank {devise}; did you mean {device}?"
    ]


def test_unit_of_another_quantity_is_a_finding(checked):
    """Where the vocabulary knows what a metric measures, its unit is one of that; also for a key that is renamed, and in a template."""
    assert checked("units: {temperature: kWh, t1: °F, tilt: °, battery: mV}\nrename: {t1: energy}\n") == [
        "devices/p.yaml:1:22: temperature must have a unit of temperature, such as °C; this is one of energy (got 'kWh')",
        "devices/p.yaml:1:31: energy must have a unit of energy, such as kWh; this is one of temperature (got '°F')",
    ]
    assert checked("template: {topic: a, values: {pressure/left: {at: 0, unit: kg}, level: {at: 1, unit: kg}}}\n") == [
        "devices/p.yaml:1:60: pressure must have a unit of pressure, such as hPa; this is one of mass (got 'kg')"
    ]


def test_failed_sample_says_where_it_stands(checked):
    """File and line of the sample, and what it is about: its sentence or, as that may be left out, its topic."""
    checked(
        "devices: [a]\nsamples:\n  - {topic: home/a, payload: '{\"temperature\": 1}', readings: [{device: a, metric: temperature, value: 2}]}\n"
        "  - {about: A lie., topic: home/a, payload: '1', ignored: because}\n"
    )
    assert [(one.file, one.line, one.kind, one.test) for one in failed_samples(checked.config)] == [
        ("devices/p.yaml", 3, "sample", "home/a"),
        ("devices/p.yaml", 4, "sample", "A lie."),
    ]
