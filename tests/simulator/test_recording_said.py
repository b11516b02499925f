"""Sluice reads a replayed row as what was recorded."""

import pytest

from devices import vocabulary
from devices.catalogue import CONVENTIONS, Catalogue
from devices.reading import Message
from devices.samples import samples
from simulator.nanoseconds import SECOND
from simulator.recordings.decoded import Decoder
from simulator.recordings.message import messages
from simulator.recordings.row import Measure, Row

EPOCH = 1_750_000_000 * SECOND


@pytest.mark.parametrize(("unit", "value", "read"), [("°F", 5.0, "°C"), ("°C", 41, "°C"), (None, 41, None)])
def test_units(unit, value, read):
    """A row is one reading of its device at its time, in °C where the recording is said to be in °F."""
    (said,) = messages(Row(EPOCH, "cold-room", (Measure("temperature", "", 41, unit),)), root="recordings", shift=SECOND // 4)
    (reading,) = Catalogue().readings(Message(*said, received=EPOCH + 5 * SECOND))
    assert (reading.device, reading.metric, reading.unit) == ("cold-room", "temperature", read)
    assert reading.value == pytest.approx(value)
    assert reading.ts == EPOCH + SECOND // 4


@pytest.mark.parametrize("device", ["t-1", "plant/press 7", "12", "set", "data", "a+b#c%d", "tank"])
@pytest.mark.parametrize(
    "measures",
    [
        [Measure("value", "", 21.5, "°C")],
        [Measure("value", "", 7, None), Measure("temperature", "", 3, None)],
        [Measure("state", "", 61.5, "°C"), Measure("device", "", "0x7A11", None)],
        [Measure("level", "tank", 3.5, None), Measure("tank", "", 1, None)],
        [Measure("power", "power", 3.5, "W"), Measure("power", "", 1, "W")],
    ],
)
def test_names(device, measures):
    """Devices and metrics keep their names, however those read elsewhere."""
    said = messages(Row(EPOCH, device, tuple(measures)), root="recordings")
    catalogue = Catalogue()
    readings = [one for topic, payload in said for one in catalogue.readings(Message(topic, payload, received=EPOCH))]
    assert {(one.device, Measure(one.metric, one.channel, one.value, one.unit)) for one in readings} == {(device, one) for one in measures}


@pytest.mark.parametrize("convention", [made.name for made in CONVENTIONS])
def test_every_convention_is_said_again(convention):
    """What any convention reads is, said again, the same reading: where the vocabulary has its name, and its unit is told or in doubt."""
    for sample in samples(convention):
        if sample.kind == "message":
            decoder = Decoder()
            for message in (*(one.message() for one in sample.after), sample.message()):
                for row in decoder.rows(message):
                    _check_said_again(row)


def _check_said_again(row):
    catalogue = Catalogue()
    outcomes = [catalogue.readings(Message(*said, received=row.came + SECOND)) for said in messages(row, root="recordings")]
    said = [one for outcome in outcomes if isinstance(outcome, list) for one in outcome]
    assert {(one.device, one.ts) for one in said} <= {(row.device, row.at)}
    exactly = {(one.metric, one.channel, one.value, one.unit) for one in said}
    for measure in row.measures:
        unnamed = measure.metric == "value" and measure.channel
        if measure.metric in vocabulary.METRICS and not unnamed and (measure.unit or vocabulary.bare_unit(measure.metric) is None):
            assert tuple(measure) in exactly, (measure, said)
