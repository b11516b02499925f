"""Names in flow files that nothing known goes by: told with their place, and never an error."""

from __future__ import annotations

import textwrap

import pytest

from devices.profile import Profile
from flows.spec import load_flows
from flows.warnings import cluster_warnings, warnings
from gateway.settings import load

CLIMATE = """
    name: climate
    select: {metrics: [temperature, humidty]}
    group: [device]
    lookup:
      outside: {device: wether, metric: temperature}
      rain: {device: weather, metric: rain_rate}
      light: {metric: illuminance}
    window: {kind: tumbling, length: 10s}
    aggregate: {warm: mean(temperature)}
    trigger: {when: warm > 28.0}
    do:
      - command: {device: fan-2, set: {state: "ON"}}
      - command: {device: "fan-{device}", set: {state: "ON"}}
      - command: {device: heater-1, set: {state: "ON"}}
    """
HEARD = [("shed", "temperature"), ("shed", "humidity"), ("weather", "temperature"), ("fan-1", "state")]


@pytest.fixture
def told(tmp_path):
    """Give the warnings for these flows, one line each."""

    def tell(*texts, heard=HEARD, profiles=()):
        (tmp_path / "flows").mkdir()
        for number, text in enumerate(texts):
            (tmp_path / "flows" / f"{number}.yaml").write_text(textwrap.dedent(text).lstrip())
        flows = load_flows(tmp_path, environ={})
        return [str(one) for one in warnings(tmp_path, flows, profiles, heard=heard)]

    return tell


def test_unheard_names_are_told_at_their_values(told):
    """A metric, a device that is looked up, a metric that it never said, a device that is commanded; not a device that a template names."""
    assert told(CLIMATE, profiles=[Profile(devices=["heater-*"]), Profile(devices=["*"])]) == [
        "flows/0.yaml:2:33: nothing has ever published 'humidty'; did you mean 'humidity'?",
        "flows/0.yaml:5:21: no device 'wether' was ever heard of, and no profile names it; did you mean 'weather'?",
        "flows/0.yaml:6:35: weather has never published 'rain_rate'; known: temperature",
        "flows/0.yaml:7:19: nothing has ever published 'illuminance'; known: humidity, state, temperature",
        "flows/0.yaml:12:23: no device 'fan-2' was ever heard of, and no profile names it; did you mean 'fan-1'?",
    ]


def test_what_another_flow_republishes_is_no_slip(told):
    """A metric that only a flow makes, and the device that it makes it for."""
    made = """
        name: made
        select: {metrics: [temperature]}
        group: []
        window: {kind: none}
        do:
          - republish: {metric: comfort, value: value, device: house}
        """
    uses = """
        name: uses
        select: {metrics: [comfort]}
        group: []
        lookup: {now: {device: house, metric: comfort}}
        window: {kind: none}
        trigger: {when: value > now}
        """
    assert told(made, uses) == []


def test_nothing_is_told_before_anything_was_heard(told):
    """An empty store knows no names, so that none can be unknown."""
    assert told(CLIMATE, heard=[]) == []


@pytest.mark.parametrize(
    ("subscribe", "lines"), [("[{topic: 'a/#'}]", [12, 13, 14]), ("[{topic: 'a/#'}, {topic: 'b/#', hosts: first}]", [])]
)
def test_commands_that_nothing_may_confirm_are_told(subscribe, lines, tmp_path):
    """In a cluster the reports of an actuator may come to any host, unless a subscription has them go to the first."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "climate.yaml").write_text(textwrap.dedent(CLIMATE).lstrip())
    (tmp_path / "gateway.yaml").write_text(f"""\
broker: {{url: "mqtt://broker", subscribe: {subscribe}}}
flows: {{cluster: ["10.0.0.1:7600", "10.0.0.2:7600"]}}
""")
    found = cluster_warnings(tmp_path, load_flows(tmp_path, environ={}), load(tmp_path, environ={}))
    assert [one.line for one in found] == lines
    assert all("hosts: first" in one.message for one in found)
