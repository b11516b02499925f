"""Mending: whatever has become of a file of the data folder, the next start goes on with the rest, and what was damaged is kept and told."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from devices.reading import Reading
from gateway import damage, set_aside
from gateway.commands.book import Book
from gateway.delivery.cursor import Cursor
from gateway.derived import CURSOR
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.retention import read_durable
from gateway.journal.row import Entry, Replay
from gateway.letters.mailbox import MAILBOX, Mailbox
from gateway.mend import mend
from gateway.status import read_ledger
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, DeadLettered, Derived, Progressed, ReadingKept
from gateway.store.errors import StoreNewerError
from gateway.store.reader import StoreReader
from gateway.store.store import Store

NOW = 1_760_000_000_000_000_000
HOUR = 3_600_000_000_000
ROWS, SHIFT = 400, 20
FILES = ["store.db", "recovery/part-0.sqlite3", "commands.db", "delivery/mqtt.db", "delivery/influxdb.db", CURSOR, MAILBOX]


def reading(row, number=0):
    at = NOW + row * 10**9
    return ReadingKept(
        row << SHIFT | number,
        Reading(device=f"t{number}", metric="x", key="x", value=row, raw_value=row, ts=at, received=at, convention="c"),
    )


def command(number, at=NOW):
    return CommandRequested(f"c{number}", "climate", (), f"a{number}", f"fan{number}", {"state": "ON"}, 10**10, 3, at + 10**11, at, at)


def fact(number, state, at=NOW):
    return CommandFact(f"c{number}/{state}/1", f"c{number}", f"fan{number}", "climate", state, 1, {"state": "ON"}, "", at)


def fill_store(path):
    with Store(path) as store:
        for row in range(1, ROWS + 1):
            store.write([*(reading(row, number) for number in range(5)), Progressed(row, 5 * row, NOW + row)])
        alerts = [
            AlertChanged(f"a{n}/raised", f"a{n}", "climate", (), "raised", "warning", "m" * 300, {}, NOW, NOW + n * HOUR) for n in range(60)
        ]
        derived = [Derived(f"d{n}", "f", (), "t0", "x", "", 1.0, None, {}, NOW + n * 10**9, NOW + 59 * HOUR) for n in (1, 10**6)]
        store.write([*alerts, command(1), command(2), command(3), fact(1, "sent"), fact(1, "confirmed"), fact(2, "sent"), *derived])
        store.write([DeadLettered(1, "a/b", b"{", "bad", "", NOW)])


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Make a data folder in which every file holds something."""
    data = tmp_path_factory.mktemp("sound")
    fill_store(data / "store.db")
    (data / "recovery").mkdir()
    init_db_dir(data / "recovery", 1)
    book = Book(data / "commands.db")
    book.take([command(number) for number in (1, 2, 3)], 66)
    book.close()
    with StoreReader(data / "store.db") as reader:
        for name in ("delivery/mqtt.db", "delivery/influxdb.db", CURSOR):
            cursor = Cursor(data / name)
            cursor.align(reader, ["effects"] if name == CURSOR else ["effects", "readings"], backfill=True)
            cursor.advance("effects", 60, mark="a59/raised", stable=60, taken=60)
            cursor.close()
    mailbox = Mailbox(data / MAILBOX)
    mailbox.put([Replay(7, Entry("a/b", b"{" * 9000, 0, 0), NOW)])
    mailbox.close()
    (data / "subscriptions.json").write_text('["#"]')
    return data


@pytest.fixture
def data(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "data"))


def use(data):
    """Open and read everything as the parts do."""
    Store(data / "store.db").close()
    with StoreReader(data / "store.db") as reader:
        reader.readings_after(-1, 10**6)
        reader.effects_after(0, 10**6)
        reader.devices()
        reader.commands()
        for name in ("delivery/mqtt.db", "delivery/influxdb.db", CURSOR):
            cursor = Cursor(data / name)
            cursor.align(reader, ["effects"], backfill=True)
            cursor.close()
    book, mailbox = Book(data / "commands.db"), Mailbox(data / MAILBOX)
    book.open()
    book.facts()
    mailbox.next()
    book.close()
    mailbox.close()


def test_a_sound_folder_stays_as_it_is(data):
    assert (mend(data), mend(data), set_aside.events(data)) == ([], [], [])
    assert not (data / set_aside.FOLDER).exists()
    use(data)


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_damage_to_every_file(sound, tmp_path, name):
    """Emptied, overwritten, cut, with a page gone, swapped with another: it is told and kept, the others stay, and everything can be used."""
    dice = random.Random(name)
    held = (sound / name).read_bytes()
    other = (sound / next(one for one in FILES if (one != name and Path(one).parent == Path(name).parent) or one == MAILBOX)).read_bytes()
    page = 4096 * dice.randrange(1, max(2, len(held) // 4096 - 1))
    harm = {
        "empty": b"",
        "garbage": dice.randbytes(5_000),
        "cut": held[: len(held) // 2],
        "page": held[:page] + dice.randbytes(4096) + held[page + 4096 :],
        "header": dice.randbytes(100) + held[100:],
    }
    if name != MAILBOX:
        harm["swapped"] = other if name in {"store.db", "commands.db", CURSOR} else (sound / MAILBOX).read_bytes()
    for kind, bytes_ in harm.items():
        data = Path(shutil.copytree(sound, tmp_path / kind))
        (data / name).write_bytes(bytes_)
        said = mend(data)
        told = [event["file"] for event in set_aside.events(data)]
        assert len(said) == len(told) >= 1, kind
        wanted = {"store.db", "recovery"} if name == "store.db" else {name.partition("/")[0] if "recovery" in name else name}
        assert set(told) == wanted, kind
        folder = next((data / set_aside.FOLDER).glob("2*"))
        assert (folder / name).read_bytes() == bytes_
        use(data)
        assert mend(data) == [], kind


def test_bytes_that_flip_never_stop_a_start(sound, tmp_path):
    """A changed byte anywhere may change what is read; what cannot be used then is noted, and the next start mends it."""
    dice = random.Random(1)
    for number in range(40):
        data = Path(shutil.copytree(sound, tmp_path / str(number)))
        path = data / dice.choice(FILES)
        held = bytearray(path.read_bytes())
        for _ in range(8):
            held[dice.randrange(len(held))] = dice.randrange(256)
        path.write_bytes(held)
        mend(data)
        try:
            use(data)
        except Exception as error:
            if not damage.is_damage(error):
                raise
            damage.mark(data, damage.named(error))
            mend(data)
            use(data)


@pytest.mark.parametrize("name", ["store.db", "commands.db", MAILBOX])
def test_a_file_without_tables_is_made_by_whoever_opens_it(tmp_path, name):
    """A power cut, or a full disk, came before its first transaction: the start goes on."""
    with closing(sqlite3.connect(tmp_path / name)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("VACUUM")
    assert (tmp_path / name).stat().st_size > 0
    assert mend(tmp_path) == []


def test_a_damaged_store_keeps_what_can_be_read(data):
    """All but the rows of a page that is gone come across, whole and findable; the flows make the rest again, and numbers of effects go on."""
    path = data / "store.db"
    held = bytearray(path.read_bytes())
    place = held.find(b"m" * 300) // 4096 * 4096
    held[place : place + 4096] = b"\xff" * 4096
    path.write_bytes(held)
    (said, _) = mend(data)
    assert "readings and" in said
    with StoreReader(path) as reader:
        assert len(reader.readings_after(-1, 10**6)) == 5 * ROWS == len([one for n in range(5) for one in reader.history(f"t{n}")])
        kept = [seq for seq, _ in reader.effects_after(0, 1000)]
        assert 40 < len(kept) < 66
        assert reader.progress() == Progressed(ROWS, 5 * ROWS, NOW + ROWS)
    with Store(path) as store:
        store.write([command(9)])
    with StoreReader(path) as reader:
        assert reader.effects_after(0, 1000)[-1][0] > 66  # what the book has taken


def test_a_lost_book_commands_nothing_twice(data):
    """What was never sent goes out while it lasts, what was under way fails, what ended stays ended; and nothing old is taken again."""
    with Store(data / "store.db") as store:
        store.write([command(5)])
    (data / "commands.db").write_bytes(b"")
    mend(data)
    book = Book(data / "commands.db")
    assert {one.id for one in book.open()} == {"c3", "c5"}
    assert [(one.command, one.state) for _, one in book.facts()] == [("c2", "failed")]
    assert book.get("c2").state == "failed"
    with StoreReader(data / "store.db") as reader:
        assert reader.effects_after(book.taken(), 10) == []
    book.close()


def test_lost_cursors_begin_where_little_is_delivered_twice(data):
    """MQTT is given the last day again, InfluxDB everything, and the journal only derived readings that no series shows."""
    for name in ("delivery/mqtt.db", "delivery/influxdb.db", CURSOR):
        (data / name).write_bytes(b"")
    assert len(mend(data)) == 3
    found = {}
    with StoreReader(data / "store.db") as reader:
        for name in ("delivery/mqtt.db", "delivery/influxdb.db", CURSOR):
            cursor = Cursor(data / name)
            cursor.align(reader, ["effects"], backfill=name != "delivery/mqtt.db")
            found[name] = [one.id for _, one in reader.effects_after(cursor.position("effects"), 1000)]
            cursor.close()
    assert found["delivery/mqtt.db"][0] == "a35/raised"
    assert found["delivery/influxdb.db"][0] == "a0/raised"
    assert found[CURSOR] == ["d1000000"]


def test_a_mend_that_was_cut_short_is_finished(data):
    """The new file was made, and the damaged one moved away, when it ended: the next look puts it in place."""
    (data / "commands.db").rename(data / "commands.db.mended")
    mend(data)
    book = Book(data / "commands.db")
    assert len(book.open()) == 3
    book.close()
    assert not (data / "commands.db.mended").exists()


def test_a_newer_store_is_not_touched(data):
    connection = sqlite3.connect(data / "store.db")
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreNewerError, match="made by a newer Sluice"):
        mend(data)
    assert set_aside.events(data) == []


def test_state_files_and_the_brokers_database(data):
    """What is no JSON, and what mosquitto would not start on, is set aside; a note of damage is used once."""
    (data / "subscriptions.json").write_bytes(b"\xff\x00")
    (data / "broker").mkdir()
    (data / "broker" / "mosquitto.db").write_bytes(b"\x00\xb5\x00mosquitto db" + bytes(7) + b"\x06" + b"\x00\x00\x00\x01\x00\x00\x00\x10ab")
    damage.mark(data, damage.RECOVERY)
    (data / "journal" / "0").mkdir(parents=True)
    (data / "journal" / "0" / "durable").write_text("300")
    assert len(mend(data)) == 3
    assert [one["file"] for one in set_aside.events(data)] == ["recovery", "subscriptions.json", "broker/mosquitto.db"]
    assert not (data / damage.MARK).exists()
    assert not (data / "journal" / "0" / "durable").exists()
    (data / set_aside.FOLDER / set_aside.LOG).write_bytes(b'{"file": 1}\nnothing\n')
    assert len(set_aside.events(data)) == 1


def test_flows_that_cannot_use_their_state_say_so_and_begin_anew(tmp_path, until):
    """A snapshot that nobody can decode ends the process with status 3, once; mended, everything is counted again from the journal."""
    data, config = tmp_path / "data", tmp_path / "config"
    (config / "flows").mkdir(parents=True)
    (config / "gateway.yaml").write_text("flows: {snapshot: 100ms}\n")
    rows = data / "journal" / "0"
    journal = Journal(rows, Bell(rows / "bell"), keep=10**18, max_size=2**30)
    for number in range(50):
        journal.append_messages([Entry("a/t1", json.dumps({"temperature": number}).encode(), 0, 0)])
    journal.close()
    command = [sys.executable, "-m", "flows.run", "--config", str(config), "--data", str(data)]

    def read():
        with suppress(Exception), StoreReader(data / "store.db") as reader:
            return reader.progress().offset == 50 and read_durable(rows) == 50

    def run():
        flows = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            until(lambda: flows.poll() is not None or read())
        finally:
            flows.terminate()
            flows.communicate()
        return flows.returncode

    assert run() == 0
    connection = sqlite3.connect(data / "recovery" / "part-0.sqlite3")
    connection.execute("UPDATE snaps SET ser_change = x'00112233'")
    connection.commit()
    connection.close()
    assert mend(data) == []
    (rows / "durable").unlink()
    assert run() == 3
    assert ["recovery" in said for said in mend(data)] == [True]
    assert run() == 0
    ledger = read_ledger(data, at_rest=True)
    assert (ledger.flaws, ledger.messages["normalised"]) == ([], 50)
    with StoreReader(data / "store.db") as reader:
        assert [one.count for one in reader.series()] == [50] == [len(reader.readings_after(-1, 100))]
