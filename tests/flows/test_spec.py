"""Flow files: everything wrong with them at once, and what they become."""

import copy
import io
import random
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flows.cases import CASE_START, CaseReading, case_time
from flows.check import check
from flows.flow_file import FlowSpec, Hold, parse_hold
from flows.spec import compile_flow, load_flows, read_flow
from gateway.findings import ConfigError

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "check_cases"
S = 10**9


def spec(**changes):
    base = {
        "name": "climate",
        "select": {"metrics": ["temperature"]},
        "group": ["device"],
        "window": {"kind": "tumbling", "length": "1m"},
        "aggregate": {"warm": "mean(temperature)"},
        "trigger": {"when": "warm > 28.0"},
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not None}


def flow(**changes):
    return compile_flow(FlowSpec.model_validate(spec(**changes)), file="flows/climate.yaml")


def write(folder, data, name="climate"):
    (folder / "flows").mkdir(exist_ok=True)
    out = io.StringIO()
    YAML(typ="safe", pure=True).dump(data, out)
    (folder / "flows" / f"{name}.yaml").write_text(out.getvalue())
    return folder


def test_there_are_check_cases():
    """An empty folder would make the next test pass without a look at anything."""
    assert len([case for case in CASES.iterdir() if (case / "expected.txt").exists()]) >= 10


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_check_case(case):
    """A config folder gives exactly the findings that are written beside it."""
    found = [str(finding) for finding in check(case / "config", environ={})]
    assert found == (case / "expected.txt").read_text("utf-8").splitlines()


def test_three_mistakes_in_one_file_are_three_findings():
    """An unknown key, a wrong type and a bad expression: each on its line and column."""
    findings = check(CASES / "three_mistakes_in_one_file" / "config", environ={})
    assert [(f.file, f.line, f.column) for f in findings] == [("flows/climate.yaml", *place) for place in [(5, 34), (8, 9), (9, 3)]]


def test_shipped_config_is_sound():
    """What `sluice init` writes has no findings, and its flows load."""
    assert check(ROOT / "config", environ={}) == []
    assert {flow.name for flow in load_flows(ROOT / "config")} >= {"device-minute", "greenhouse-climate"}


def test_what_other_checkers_find_is_in_order_with_the_rest(tmp_path):
    """Checkers of parts that this package may not import give their findings to the same list."""
    (tmp_path / "gateway.yaml").write_text("sit: x\n")
    [other] = check(CASES / "open_door" / "config", environ={})
    assert check(tmp_path, others=[lambda _: [other]], environ={}) == sorted([*check(tmp_path, environ={}), other])


def test_absent_folder_is_a_finding(tmp_path):
    """A config folder that is not there is one finding, not an empty list."""
    assert [finding.message for finding in check(tmp_path / "gone")] == [
        "there is no such folder; `sluice init DIR` writes one to start from"
    ]


def test_load_raises_all_findings(tmp_path):
    """Loading stops with the findings of every file."""
    write(tmp_path, spec(group=None))
    write(tmp_path, spec(name="other", window=None), "other")
    with pytest.raises(ConfigError) as caught:
        load_flows(tmp_path)
    assert [f.message for f in caught.value.findings] == ["missing key 'group'", "missing key 'window'"]


def test_flow_is_what_the_file_says():
    """Times are ns; a tumbling window slides by its length; conditions are compiled."""
    found = flow(
        window={"kind": "tumbling", "length": "1m", "lateness": "10s"},
        trigger={"when": "warm > 28.0", "clear": "warm < 26.0", "hold": "2 windows", "cooldown": "5m", "severity": "critical"},
        do=[
            {
                "command": {"device": "fan-{device}", "set": {"state": "ON"}, "confirm": {"within": "2s", "retries": 1}},
                "on_clear": {"set": {"state": "OFF"}},
            },
            {"alert": "{device} at {warm:.1f}"},
        ],
    )
    assert (found.windows.span, found.windows.lateness) == (60 * S, 10 * S)
    assert (found.trigger.hold_count, found.trigger.hold_time, found.trigger.cooldown, found.severity) == (2, 0, 300 * S, "critical")
    assert found.trigger.watch.when.holds({"warm": 29.0}) is True
    assert found.trigger.watch.clear.holds({"warm": 27.0}) is False
    [command] = found.commands
    assert (command.device.render({"device": "t1"}), command.set, command.on_clear) == ("fan-t1", {"state": "ON"}, {"state": "OFF"})
    assert (command.within, command.retries, command.expires) == (2 * S, 1, 60 * S)
    assert found.alert.render({"device": "t1", "warm": 29.04}) == "t1 at 29.0"


def test_flow_without_words_of_its_own_says_group_and_rule():
    """An alert always has a message."""
    assert flow().alert.render({"device": "t1", "warm": 29.0}) == "t1: warm > 28.0"
    assert flow(group=[]).alert.render({"warm": 29.0}) == "warm > 28.0"


def test_flow_without_windows_is_short_to_write():
    """`window: none` is `{kind: none}`."""
    for window in ("none", {"kind": "none"}):
        found = flow(window=window, aggregate=None, trigger={"when": "value > 28"})
        assert found.windows is None
        assert found.trigger.watch.when.holds({"value": 29}) is True


def test_command_lives_for_its_tries():
    """Without `expires` a command has a minute, or as long as its tries take."""
    command = {"device": "fan-1", "set": {"state": "ON"}}
    assert flow(do=[{"command": command}]).commands[0].expires == 60 * S
    assert flow(do=[{"command": {**command, "confirm": {"within": "30s", "retries": 3}}}]).commands[0].expires == 120 * S
    assert flow(do=[{"command": {**command, "expires": "20s"}}]).commands[0].expires == 20 * S


@pytest.mark.parametrize(
    ("text", "hold"),
    [("1 window", Hold(1, "windows")), ("3 readings", Hold(3, "readings")), ("90s", Hold(time=90 * S)), (5, Hold(time=5 * S))],
)
def test_hold_is_a_count_or_a_time(text, hold):
    """A condition holds for a number of decisions, or for a time."""
    assert parse_hold(text) == hold


def test_fingerprint_covers_what_shapes_state():
    """The same shape gives the same fingerprint, however it is written; thresholds, words and actions are no part of it."""
    same = [
        flow(),
        flow(window={"kind": "tumbling", "length": 60}),
        flow(about="words"),
        flow(do=[{"alert": "{warm}"}]),
        flow(name="renamed"),
        flow(trigger={"when": "warm > 29.0", "hold": "2 windows", "cooldown": "5m", "severity": "critical"}),
        flow(trigger={"outside": {"of": "warm", "high": 28}}),
        flow(window={"kind": "tumbling", "length": "1m", "lateness": "5s", "corrections": "2h"}),
        flow(derive={"double": "warm * 2.0"}),
    ]
    other = [
        flow(select={"metrics": ["temperature"], "where": 'device == "a"'}),
        flow(group=[]),
        flow(window={"kind": "tumbling", "length": "2m"}),
        flow(aggregate={"warm": "max(temperature)"}),
        flow(trigger={"stuck": {"for": "1h"}}),
        flow(trigger={"rate": {"above": 1}}),
        flow(trigger=None),
        flow(detect={"odd": {"by": "zscore", "of": "warm"}}),
        flow(detect={"odd": {"by": "zscore", "of": "warm", "half_life": 10}}),
        flow(lookup={"outside": {"device": "weather", "metric": "temperature"}}),
        flow(window={"kind": "tumbling", "length": "1m", "timezone": "Europe/Berlin"}),
    ]
    assert len({f.fingerprint for f in same}) == 1
    assert len({f.fingerprint for f in [same[0], *other]}) == 1 + len(other)


def test_fingerprint_is_the_same_in_every_process():
    """State found after a restart, or an update of Sluice, is found by this text."""
    assert flow().fingerprint == "0b19c5187a2f27f1"


def test_flow_selects_by_metric_and_where(reading_of):
    """What a flow wants hangs only on what never changes within a series."""
    found = flow(select={"metrics": ["temperature"], "where": 'device.startsWith("t-") && labels.room == "a" && unit == ""'})
    assert found.selects(reading_of(device="t-1", labels={"room": "a"}))
    assert not found.selects(reading_of(device="x-1", labels={"room": "a"}))
    assert not found.selects(reading_of(device="t-1"))
    assert not found.selects(reading_of(device="t-1", metric="humidity", labels={"room": "a"}))


@pytest.fixture
def reading_of():
    """Make a reading that says only what matters."""
    from devices.reading import Reading

    def make(*, device, metric="temperature", labels=None):
        return Reading(
            device=device, metric=metric, key=metric, value=1.0, raw_value=1.0, ts=1, received=1, convention="test", labels=labels or {}
        )

    return make


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("00:02:10", 130),
        ("25:00:00", 90_000),
        ("00:00:00.5", 0.5),
        ("130", 130),
        (130.25, 130.25),
        ("5m", 300),
        ("2026-01-01T00:00:01+01:00", -3_599),
    ],
)
def test_case_time(written, seconds):
    """A test's clock starts at a midnight; a zone is honoured, and no zone is UTC."""
    assert case_time(written) - CASE_START == seconds * S


def test_case_is_read_as_it_stands():
    """Lines become readings in their order, with channels, and with values as the vocabulary says them."""
    case = {
        "name": "all kinds",
        "readings": """
          # comment
          00:00:01 t-1 temperature 29.50 # behind

          2 plug power/emeter.0 18446744073709551615
          3 fan-1 state OFF
          4 t-1 mode eco and dry
        """,
        "labels": {"t-1": {"room": "a"}},
        "expect": {"windows": [{"end": "00:01:00", "device": "t-1", "warm": 29.5}], "alerts": []},
    }
    [found] = flow(tests=[case]).cases
    assert found.readings == (
        CaseReading(CASE_START + S, "t-1", "temperature", "", 29.5),
        CaseReading(CASE_START + 2 * S, "plug", "power", "emeter.0", 2**64 - 1),
        CaseReading(CASE_START + 3 * S, "fan-1", "state", "", False),
        CaseReading(CASE_START + 4 * S, "t-1", "mode", "", "eco and dry"),
    )
    [window] = found.expect.windows
    assert (window.end, window.values) == (CASE_START + 60 * S, {"device": "t-1", "warm": 29.5})
    assert (found.expect.alerts, found.expect.commands, found.labels) == ((), None, {"t-1": {"room": "a"}})


def test_band_ends_where_people_add_up_its_margin():
    """0.1 and a margin of 0.2 is 0.3, which binary fractions do not say."""
    band = flow(trigger={"outside": {"low": 0.1, "high": 0.9, "margin": 0.2}})
    assert band.trigger.watch.clear.source == "warm >= 0.3 && warm <= 0.7"


def test_group_by_a_label_with_a_dot_has_an_alert():
    """Where the file has no words of its own, the group is named, whatever its label is called."""
    assert flow(group=["site.part"]).alert.render({"site.part": "west"}).startswith("west: ")


def test_one_file_reads_alone(tmp_path):
    """A flow outside of a config folder can be tried."""
    write(tmp_path, spec())
    found, findings = read_flow(tmp_path / "flows" / "climate.yaml", root=tmp_path)
    assert findings == []
    assert (found.name, found.file) == ("climate", "flows/climate.yaml")


JUNK = [
    None,
    True,
    -1,
    1.5,
    float("nan"),
    "",
    "x",
    "{",
    "a >",
    "${NOPE}",
    "10s",
    [],
    {},
    [None],
    [[]],
    {"a": {"b": 1}},
    "none",
    "warm + 1",
    "!x",
    10**30,
]


def places(value, at=()):
    yield at
    for step, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(below, (*at, step))


def spoil(data, chance):
    """Change a few places of a file at random: keys renamed, dropped, added, values replaced."""
    data = copy.deepcopy(data)
    for _ in range(chance.randint(1, 4)):
        *above, step = chance.choice([at for at in places(data) if at])
        holder = data
        for one in above:
            holder = holder[one]
        kind = chance.random()
        if kind < 0.2:
            del holder[step]
        elif kind < 0.4 and isinstance(step, str):
            holder[f"{step}x"] = holder.pop(step)
        else:
            holder[step] = copy.deepcopy(chance.choice(JUNK))
        if not data:
            break
    return data


def test_no_file_makes_checking_fail(tmp_path):
    """However a file is spoilt, checking it gives findings of one line, each at a place; what has none compiles."""
    chance = random.Random(2)
    shipped = [YAML(typ="safe", pure=True).load(path) for path in sorted((ROOT / "config" / "flows").glob("*.yaml"))]
    for _ in range(60):
        write(tmp_path, spoil(chance.choice(shipped), chance))
        for finding in check(tmp_path, environ={}):
            assert finding.line >= 1
            assert finding.column >= 1
            assert "\n" not in str(finding)
