"""Scenario files: the shipped one is sound, and mistakes are found where they are."""

from pathlib import Path

import pytest

from gateway.findings import ConfigError
from simulator.scenario import check, load_scenario

CASES = sorted((Path(__file__).parent / "check_cases").iterdir())


def _findings(tmp_path, text):
    file = tmp_path / "house.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_scenario(file, root=tmp_path)
    return [str(finding) for finding in caught.value.findings]


def test_there_are_check_cases():
    """An empty folder would make the next test pass without a look at anything."""
    assert len(CASES) >= 6
    assert sum(len((case / "expected.txt").read_text("utf-8").splitlines()) for case in CASES) >= 80


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_check_case(case):
    """Scenarios as somebody would get them wrong give exactly the findings that are written beside them."""
    assert [str(finding) for finding in check(case / "config")] == (case / "expected.txt").read_text("utf-8").splitlines()


def test_scenario_shipped(greenhouse):
    """The greenhouse has a dozen devices in four dialects, and one of them acts."""
    assert len(greenhouse.devices) == 12
    assert {device.convention for device in greenhouse.devices} == {"zigbee2mqtt", "tasmota", "plain_json", "plain_scalar"}
    assert [device.name for device in greenhouse.devices if device.acts] == ["fan-1"]


def test_scenario_without_fan(greenhouse_file, tmp_path):
    """Taking the last entry, fan-1, out of the file leaves a sound scenario."""
    text = greenhouse_file.read_text(encoding="utf-8")
    file = tmp_path / "no-fan.yaml"
    file.write_text(text[: text.index("  - name: fan-1")], encoding="utf-8")
    assert len(load_scenario(file).devices) == 11


def test_scenario_bad_keys_and_values(tmp_path):
    """Every mistake is reported at once, with its line."""
    findings = _findings(
        tmp_path,
        "name: a house\n"
        "physics: {kind: greenhouse, inertia: soon}\n"
        "devices:\n"
        "  - {name: a, convention: tasmota, metrics: {contact: {base: 1}}}\n"
        "  - {name: b, convention: zigbee2mqtt, timezone: '+02:00', metrics: {t: {nois: 1}}}\n"
        "  - {name: c, convention: zigbee2mqtt, drop_commands: 2, metrics: {t: {noise: -1}}}\n",
    )
    fragments = [
        "house.yaml:1:7: name must begin with a letter",
        "house.yaml:2:38: inertia must be a duration",
        "house.yaml:4:46: metric 'contact' is unknown to tasmota",
        "house.yaml:5:",
        "unknown key 'nois'; did you mean 'noise'?",
        "house.yaml:6:",
        "noise must be at least 0",
    ]
    for fragment in fragments:
        assert any(fragment in finding for finding in findings), (fragment, findings)


@pytest.mark.parametrize(
    ("device", "fragment"),
    [
        ("{name: a, convention: plain_json, metrics: {x: {base: 1}}}", "name must be unlike every other device's (got 'a')"),
        ("{name: b, convention: plain_json, acts: haeter}", "the physics has no such actuator"),
        ("{name: b, convention: plain_json, acts: fan}", "acts must be unlike every other device's (got 'fan')"),
        (
            "{name: b, convention: plain_json, metrics: {x: {measures: humidty}}}",
            "the physics has no such quantity; did you mean 'humidity'?",
        ),
        ("{name: b, convention: plain_json}", "a device needs metrics, or something it acts as"),
        ("{name: b, convention: plain_json, answers: false, metrics: {x: {base: 1}}}", "answers is for devices that act"),
        (
            "{name: b, convention: zigbee2mqtt, timestamps: ms, metrics: {x: {base: 1}}}",
            "timestamps is for plain_json and packed devices; this one speaks zigbee2mqtt",
        ),
        (
            "{name: b, convention: tasmota, timezone: Europe/Paris, metrics: {power: {base: 1}}}",
            "timezone must be an offset from UTC like +02:00",
        ),
        ("{name: b, convention: plain_json, metrics: {x: {base: 1, steps: {every: 1s, values: [true]}}}}", "cannot be added to base"),
        ("{name: b, convention: plain_json, metrics: {x: {daily: {amplitude: 1, peak: 3pm}}}}", "peak must be a time of day like 14:30"),
    ],
)
def test_scenario_rule(tmp_path, device, fragment):
    """Each rule says what it wants, at the line of the device."""
    head = "name: house\nphysics: {kind: greenhouse}\ndevices:\n  - {name: a, convention: plain_json, acts: fan}\n"
    (finding,) = _findings(tmp_path, f"{head}  - {device}\n")
    assert finding.startswith("house.yaml:5:")
    assert fragment in finding


def test_scenario_physics_missing(tmp_path):
    """Without physics nothing can be measured from it or act on it."""
    findings = _findings(
        tmp_path, "name: house\ndevices:\n  - {name: a, convention: plain_json, acts: fan, metrics: {x: {measures: humidity}}}\n"
    )
    assert [finding.split(": ", 1)[1] for finding in findings] == [
        "without physics there is no such actuator (got 'fan')",
        "without physics there is no such quantity (got 'humidity')",
    ]
