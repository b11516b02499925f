"""The round trip: what devices said, journalled, replayed, is what Sluice reads again, at shifted times."""

import pytest

from devices.catalogue import Catalogue
from devices.reading import Message
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.row import Entry, Flag
from simulator.nanoseconds import SECOND
from simulator.recordings.recording import open_recording
from simulator.recordings.replay import replay
from simulator.recordings.row import RecordingError

SAID = [
    Entry("zigbee2mqtt/hall", b'{"temperature": 21.5, "humidity": 40, "linkquality": 80}'),
    Entry("tele/lamp/STATE", b'{"Time": "2025-05-01T12:00:00Z", "POWER1": "ON", "POWER2": "OFF"}'),
    Entry("spBv1.0/plant/NDATA/press", b"\x12\x00"),
    Entry("shellies/shellyem-1/emeter/0/power", b"71.25", 7),
    Entry("shellies/shellyem-1/emeter/0/power", b"", 7, Flag.DUP | Flag.REPEATED),
    Entry("home/attic/temperature", b"19.5 \xc2\xb0C", 0, Flag.RETAINED),
    Entry("home/attic", b'{"temp": 1', 0, Flag.OVERSIZE),
    Entry("home/attic/set", b"{}"),
    Entry("home/attic", b'{"temp": 18.25, "mode": "eco", "time": "2025-05-01T12:00:00.123456789Z"}'),
]
"""What came in two batches: of five of these messages nothing is said again."""


@pytest.fixture
def data(tmp_path):
    """Give a data folder whose journal holds what was said, and ticks between."""
    bell = Bell(tmp_path / "bell")
    journal = Journal(tmp_path / "journal" / "0", bell, keep=1 << 60, max_size=1 << 40)
    journal.connected(session_present=False)
    journal.append_messages(SAID[:4])
    journal.append_tick()
    journal.append_messages(SAID[4:])
    journal.close()
    bell.close()
    return tmp_path


def test_journal_round_trip(mosquitto, subscribe, data):
    """Readings, replayed, are read again with the same device, metric, channel, value and unit, all later by the same time."""
    rows = list(open_recording(data).rows())
    seen = subscribe("recordings/#")
    replayed = replay(mosquitto.broker, data, shift_to_now=True)
    assert (replayed.rows, replayed.acknowledged, replayed.unread) == (4, 4, 5)
    catalogue = Catalogue()
    said = [
        (one.device, one.metric, one.channel, one.value, one.unit, one.ts - replayed.shift)
        for topic, payload in seen.until(lambda messages: len(messages) == 4)
        for one in catalogue.readings(Message(topic, payload, received=rows[0].came + replayed.shift))
    ]
    assert said == [(row.device, *measure, row.at) for row in rows for measure in row.measures]
    assert {(device, metric, channel, value) for device, metric, channel, value, _, _ in said} >= {
        ("hall", "temperature", "", 21.5),
        ("lamp", "state", "2", False),
        ("shellyem-1", "power", "emeter.0", 71.25),
        ("attic", "mode", "", "eco"),
    }
    assert rows[-1].at % SECOND == 123_456_789


def test_journal_messages_as_they_came(data):
    """Rows know when their messages came, in the journal's order."""
    came = [row.came for row in open_recording(data / "journal").rows()]
    assert came == sorted(came)


def test_journal_names_itself(data):
    """What a journal says itself cannot be said otherwise."""
    with pytest.raises(RecordingError, match="a journal names its devices, metrics and units itself; got --device, --unit"):
        open_recording(data, device="x", unit="W")


def test_journal_broken(data):
    """A journal whose file is none is said to be so."""
    (segment,) = (data / "journal" / "0").glob("*.db")
    segment.write_bytes(b"x" * 4096)
    with pytest.raises(RecordingError, match="got a journal with no row that can be read"):
        list(open_recording(data).rows())
