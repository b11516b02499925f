"""A signal that follows a recording, and what is found where it cannot."""

import pytest

from gateway.findings import ConfigError
from simulator.nanoseconds import SECOND
from simulator.scenario import check, load_scenario
from simulator.signals import RecordedSpec, Signals, SignalSpec

SCENARIO = """\
name: hall
devices:
  - name: t-1
    convention: plain_json
    metrics:
      temperature:
        recording: {recording}
"""


@pytest.fixture
def scenario(tmp_path):
    """Give a function that writes a scenario with a recording beside it, and gives its file."""
    folder = tmp_path / "scenarios"
    (folder / "recordings").mkdir(parents=True)

    def write(recording, text):
        (folder / "recordings" / "hall.csv").write_text(text, encoding="utf-8")
        file = folder / "hall.yaml"
        file.write_text(SCENARIO.replace("{recording}", recording), encoding="utf-8")
        return file

    return write


def _values(spec, *seconds):
    signals = Signals({"x": spec}, seed=1, device="d")
    return [signals.values(elapsed=at * SECOND, epoch=0, quantities={})["x"] for at in seconds]


def _spec(tmp_path, text, **settings):
    file = tmp_path / "hall.csv"
    file.write_text(text, encoding="utf-8")
    own = {key: settings.pop(key) for key in ("column", "device", "loop") if key in settings}
    return SignalSpec(recording=RecordedSpec(file=file, **own), **settings)


def test_values_held_and_looped(tmp_path):
    """Each row holds until the next, the last as long as the one before it, and then it begins again; no digit is lost."""
    spec = _spec(tmp_path, "time,value\n2025-01-01 00:00:00,20.125\n2025-01-01 00:00:10,21\n2025-01-01 00:00:30,19.5\n")
    assert _values(spec, 0, 9, 10, 29, 30, 49, 50, 60) == [20.125, 20.125, 21.0, 21.0, 19.5, 19.5, 20.125, 21.0]


def test_values_once(tmp_path):
    """Without the loop the last value stays."""
    assert _values(_spec(tmp_path, "time,value\n100,1\n110,2\n", loop=False), 0, 10, 5000) == [1, 2, 2]


def test_clock_steps_back(tmp_path):
    """Where the recording's clock steps back, its rows still come one after the other."""
    assert _values(_spec(tmp_path, "time,value\n7200,1\n7210,2\n3610,3\n3620,4\n"), 0, 10, 19, 20, 30) == [1, 3, 3, 4, 1]


def test_other_parts_added(tmp_path):
    """Numbers are a part like any other: a base is added, and decimals are as asked."""
    assert _values(_spec(tmp_path, "time,value\n0,1.26\n", base=10, decimals=1), 0, 7) == [11.3, 11.3]


def test_true_and_false(tmp_path):
    """Words for on and off make an on/off signal, which is a signal by itself."""
    assert _values(_spec(tmp_path, "time,door\n0,on\n10,off\n", column="door"), 0, 10, 20) == [True, False, True]
    with pytest.raises(ValueError, match="a recording of true and false cannot be added to base"):
        _spec(tmp_path, "time,door\n0,on\n10,off\n", column="door", base=1)


def test_one_of_many(tmp_path):
    """A column of one device is followed from that device's first row on."""
    text = "time,device,power/1,power/2\n0,a,1,2\n5,b,3,4\n10,b,5,6\n"
    assert _values(_spec(tmp_path, text, column="power/2", device="b"), 0, 5) == [4, 6]


def test_path_from_scenario(scenario):
    """The path starts from the scenario's folder."""
    file = scenario("{file: recordings/hall.csv}", "time,value\n0,20.5\n")
    spec = load_scenario(file).devices[0].metrics["temperature"]
    assert _values(spec, 3) == [20.5]


@pytest.mark.parametrize(
    ("recording", "text", "finding"),
    [
        ("{file: hall.csv}", "", "7:27: file must be a file that can be read: no such file or directory (got 'hall.csv')"),
        ("{file: ''}", "", "7:27: file must be the path of a recording"),
        (
            "{file: recordings/hall.csv}",
            "time,value\n0,1\nsoon,2\n",
            "hall.csv:3: the time must be ISO 8601 or an epoch number; got 'soon'",
        ),
        ("{file: recordings}", "", "7:27: file must be a recording: "),
        ("{file: recordings/hall.csv, column: heat}", "time,heats\n0,1\n", ":56: the recording has no such column; did you mean 'heats'?"),
        ("{file: recordings/hall.csv, device: b}", "time,value,device\n0,1,a\n", ":56: the recording has no such device"),
        ("{file: recordings/hall.csv}", "time,value,device\n0,1,a\n0,1,b\n", "device must be one of a, b: each has this column"),
        (
            "{file: recordings/hall.csv, column: x}",
            "time,x\n0,1\n1,on\n",
            ":56: column must hold numbers alone, or true and false alone",
        ),
    ],
)
def test_findings(scenario, tmp_path, recording, text, finding):
    """What is wrong is a finding of `sluice check`, at its place."""
    file = scenario(recording, text)
    (found,) = check(tmp_path)
    assert finding in str(found)
    assert str(found).startswith("scenarios/hall.yaml:7:")
    with pytest.raises(ConfigError):
        load_scenario(file)
