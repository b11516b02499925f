"""What `sluice history` and `sluice devices` show, and what they print as JSON."""

from __future__ import annotations

import doctest
import importlib
import json

import pytest
from rich.console import Console

from devices.profile import Profile, Profiles
from gateway.history import Question, answer, duration, history_document, moment, show
from gateway.inventory import inventory_document, inventory_table
from gateway.store.effects import Counted, DeviceLearned
from gateway.store.reader import StoreReader
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
SECOND, MINUTE = 10**9, 60 * 10**9


@pytest.fixture
def reader(tmp_path, kept):
    """Give a reader of a store with two devices, one of them with a hostile name."""
    readings = [kept(number, value=20 + number / 10) for number in range(1, 301)]
    readings += [
        kept(400, metric="mode", value="\x1b[31mauto", unit=None),
        kept(401, device="fan\x1b]0;x\x07", metric="switch", value=True, unit=None),
    ]
    with Store(tmp_path / "store.db") as store:
        store.write([DeviceLearned("t1", "plain-json", "", {"room": "[red]attic"}, T0), *readings])
    with StoreReader(tmp_path / "store.db") as opened:
        yield opened


def printed(*things, run=None):
    console = Console(width=100, force_terminal=False, no_color=True)
    with console.capture() as capture:
        for thing in things:
            console.print(thing)
        if run:
            run(console)
    return capture.get()


def ask(device, metric=None, **further):
    return Question.parse(device, metric, now=T0 + 301 * SECOND, **further)


def test_history_lists_readings_in_order(reader):
    """The JSON has every reading of the range with its exact value and time."""
    document = history_document(answer(reader, ask("t1", "temperature", since="10s", until="5s")))
    assert [one["ts"] for one in document["readings"]] == [T0 + number * SECOND for number in range(291, 296)]
    assert document["readings"][0] | {"ts": 0} == {
        "ts": 0,
        "metric": "temperature",
        "channel": "",
        "value": 49.1,
        "unit": "°C",
        "raw_value": 49.1,
        "raw_unit": "°C",
        "time_source": "device",
        "sequence": None,
    }
    assert json.loads(json.dumps(document)) == document


def test_history_in_buckets_is_the_same_readings(reader):
    """Buckets count each reading once, and their means are the readings' own."""
    document = history_document(answer(reader, ask("t1", "temperature", every="1m")))
    assert sum(one["count"] for one in document["buckets"]) == 300
    for one in document["buckets"]:
        assert one["min"] <= one["mean"] <= one["max"]
        assert one["start"] % MINUTE == 0
    assert document["every"] == MINUTE


def test_history_is_shown_as_plot_and_table(reader):
    """The terminal shows a curve and the newest rows, and says what it leaves out."""
    text = printed(run=lambda console: show(answer(reader, ask("t1", "temperature")), console))
    assert "┤" in text
    assert "50 °C" in text
    assert "the newest 40 of 300 rows" in text
    text = printed(run=lambda console: show(answer(reader, ask("t1", "temperature", every="1m")), console))
    assert "mean" in text
    assert "count" in text


def test_nothing_is_said_to_be_nothing(reader):
    """A device without readings in the range gets a sentence, and an empty list as JSON."""
    found = answer(reader, ask("nobody", "temperature/a"))
    assert "nothing in the store for nobody temperature a" in printed(run=lambda console: show(found, console))
    assert history_document(found)["readings"] == []


def test_names_and_texts_cannot_steer_the_terminal(reader):
    """Escape codes and markup in names, labels and values are shown as text."""
    shown = printed(inventory_table(reader.devices(), Profiles(), now=T0), run=lambda console: show(answer(reader, ask("t1")), console))
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\\x1b[31mauto" in shown
    assert "[red]attic" in shown


def test_devices_are_listed_with_their_last_values(reader):
    """The JSON has each device with its metrics; the table shows value, unit and when it was last seen."""
    fan, sensor = inventory_document(reader.devices(), Profiles(), now=T0)["devices"]
    assert fan["device"].startswith("fan")
    assert (sensor["convention"], sensor["labels"]) == ("plain-json", {"room": "[red]attic"})
    assert [(one["metric"], one["value"], one["unit"]) for one in sensor["metrics"]] == [
        ("mode", "\x1b[31mauto", None),
        ("temperature", 50.0, "°C"),
    ]
    text = printed(inventory_table(reader.devices(), Profiles(), now=T0 + 300 * SECOND + 3 * MINUTE))
    assert "50 °C" in text
    assert "ago" in text
    assert "no device" in printed(inventory_table([], Profiles(), now=T0))


def test_what_a_device_missed_is_shown(tmp_path):
    """A gap in a device's own numbers stands beside the device."""
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.write([DeviceLearned("node", "sparkplug_b", "", {}, T0), Counted("normalise", "", "node", "missed", 3)])
    with StoreReader(path) as reader:
        assert [one["missed"] for one in inventory_document(reader.devices(), Profiles(), now=T0)["devices"]] == [3]
        assert "3 missed" in printed(inventory_table(reader.devices(), Profiles(), now=T0))


def test_device_that_is_silent_for_long_is_overdue(reader):
    """A device with an interval in its profile is overdue after twice that; without one it never is."""
    profiles, later = Profiles([Profile(devices=["t1"], interval="1m")]), T0 + 3600 * SECOND
    overdue = {one["device"]: one["overdue"] for one in inventory_document(reader.devices(), profiles, now=later)["devices"]}
    assert {name for name, late in overdue.items() if late} == {"t1"}
    assert "overdue" in printed(inventory_table(reader.devices(), profiles, now=later))


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("now", T0),
        ("1h", T0 - 3600 * SECOND),
        ("90", T0 - 90 * SECOND),
        ("2025-10-09T08:53:20.5Z", T0 + SECOND // 2),
        ("2025-10-09T10:53:20+02:00", T0),
    ],
)
def test_moments_are_read(text, ns):
    """ISO times and how long ago are read to the nanosecond."""
    assert moment(text, now=T0) == ns


@pytest.mark.parametrize("text", ["", "yesterday", "1y", "-5m", "2025-13-01", "1e3"])
def test_what_is_no_moment_says_how_one_looks(text):
    """A time that cannot be read is refused with an example."""
    with pytest.raises(ValueError, match="must be like"):
        moment(text, now=T0)


@pytest.mark.parametrize("text", ["", "0s", "five minutes", "-1m", "5 M"])
def test_what_is_no_duration_says_how_one_looks(text):
    """A duration that cannot be read, or is none, is refused with an example."""
    with pytest.raises(ValueError, match="must be like"):
        duration(text)


@pytest.mark.parametrize(
    "module",
    [
        "history",
        "inventory",
        "screen",
        "store.blocks",
        "store.outcomes",
        "store.values",
        "delivery.lines",
    ],
)
def test_examples_in_docstrings_are_true(module):
    """The examples of these modules give what they say."""
    assert doctest.testmod(importlib.import_module(f"gateway.{module}")).failed == 0
