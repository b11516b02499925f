"""The ledger: one message dropped between any two stages is noticed, and the doctor names the stage and the device."""

import json
import textwrap

import pytest

from flows.normaliser import STORE, Normaliser, shard_key
from flows.shard import Shard
from flows.spec import read_flow
from gateway.doctor.examine import examine
from gateway.doctor.subject import Subject
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.status import status
from gateway.store.effects import SHARDS, Counted, ReadingKept, ReportKept
from gateway.store.store import Store

FLOW = """
    name: summary
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: tumbling, length: 10s}
    aggregate: {warm: mean(temperature)}
    """
MESSAGES = [
    ("plant/t1", b'{"temperature": 20.5}'),
    ("plant/t2", b'{"temperature": 21.5}'),
    ("plant/t1", b'{"temperature": 22.5}'),
    ("plant/t1", b"{"),
    ("plant/t1/set", b'{"on": true}'),
]


@pytest.fixture
def flow(tmp_path):
    path = tmp_path / "flow.yaml"
    path.write_text(textwrap.dedent(FLOW))
    flow, findings = read_flow(path, root=tmp_path)
    assert not findings
    return flow


def run(data, flow, *, drop_message=False, drop_item=False, drop_reading=False):
    """Do what the gateway and the flows do with these messages, but lose one thing on the way."""
    bell = Bell(data / "bell")
    journal = Journal(data / "journal" / "0", bell, keep=1 << 60, max_size=1 << 60)
    journal.append_messages([Entry(topic, payload) for topic, payload in MESSAGES])
    journal.close()
    bell.close()
    normaliser, shards = Normaliser([flow], []), {shard_key(n): Shard([flow]) for n in range(SHARDS)}
    reader = JournalReader(data / "journal" / "0")
    with Store(data / "store.db") as store:
        items = [item for row in reader.read(10) for item in normaliser.take(lossy(row) if drop_message else row)]
        for key, item in [*items, *normaliser.flush(1)]:
            if key == STORE:
                effects = item.effects
                if drop_reading and (lost := next((e for e in effects if isinstance(e, ReadingKept | ReportKept)), None)):
                    effects = [e for e in effects if e is not lost]
                    drop_reading = False
                store.write(effects)
                continue
            if drop_item and any(reading.device == "t1" for _, _, reading in item.items):
                item, drop_item = item._replace(items=item.items[1:]), False  # noqa: PLW2901
            store.write(shards[key].step(item))
    reader.close()


def complaints(data):
    return [check.said for check in examine(Subject.of(data, data / "config")) if not check.ok]


def lossy(row):
    """A row as it was journalled, but for one of its messages."""
    if row.kind != Kind.MESSAGES:
        return row
    return Row(*(getattr(row, name) for name in Row.__struct_fields__[:-1]), pack(row.entries()[:-1]))


def test_ledger_balances_where_nothing_is_lost(tmp_path, flow):
    """Each message has one outcome, each reading one place, and the doctor has no complaint."""
    run(tmp_path, flow)
    ledger = status(tmp_path)["ledger"]
    terms = {t: ledger[t] for t in ("received", "normalised", "ignored", "dead_letters", "duplicates", "pending")}
    assert terms == {"received": 5, "normalised": 3, "ignored": 1, "dead_letters": 1, "duplicates": 0, "pending": 0}
    assert ledger["flows"]["summary"]["windowed"] == 3
    assert ledger["balanced"]
    assert complaints(tmp_path) == []


@pytest.mark.parametrize(
    ("loss", "complaint"),
    [
        ("drop_message", "journal → normalise: 5 messages were read and 4 accounted for"),
        ("drop_item", "select → flow summary, device t1: 2 readings were passed on and 1 taken"),
        ("drop_reading", "normalise → store, device t1: 2 readings were passed on and 1 stored"),
    ],
)
def test_doctor_names_the_stage_and_the_device_of_a_loss(tmp_path, flow, sluice, loss, complaint):
    """One message lost between two stages: the ledger does not balance, and `sluice doctor` exits 1 with the place."""
    run(tmp_path, flow, **{loss: True})
    assert complaints(tmp_path) == [complaint]
    sluice.data = tmp_path
    assert sluice.json("doctor", code=1)["complaints"] == [complaint]
    document = sluice.json("status", code=1)
    assert not document["ledger"]["balanced"]
    assert json.dumps(complaint)[1:-1] in json.dumps(document["ledger"]["flaws"])


def test_message_that_says_something_new_is_no_repeat(tmp_path, flow):
    """Two events of one second with one value differ by their number: both count. The same message again does not."""
    said = [b'{"timestamp": 1700000000, "seq": 1, "temperature": 5}', b'{"timestamp": 1700000000, "seq": 2, "temperature": 5}']
    bell = Bell(tmp_path / "bell")
    journal = Journal(tmp_path / "journal" / "0", bell, keep=1 << 60, max_size=1 << 60)
    journal.append_messages([Entry("plant/t1", payload) for payload in (*said, said[0])])
    journal.close()
    bell.close()
    reader = JournalReader(tmp_path / "journal" / "0")
    normaliser = Normaliser([flow], [])
    taken = [made for row in reader.read(10) for made in normaliser.take(row)]
    reader.close()
    assert [reading.value for key, item in taken if key != STORE for _, _, reading in item.items] == [5, 5]
    counted = [effect for key, part in taken if key == STORE for effect in part.effects if isinstance(effect, Counted)]
    assert {c.term: c.value for c in counted if c.stage == "total"} == {"normalised": 2, "duplicates": 1}
