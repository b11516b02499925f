"""Dead letters: kept with what became of them, handed back through the journal, read again once, and shown to a person."""

from __future__ import annotations

import json
import sqlite3
import subprocess

import pytest

from devices.profile import Profile
from flows.normaliser import STORE, Normaliser, shard_key
from flows.replayed import REMEMBERED, Replayed
from flows.shard import Shard
from flows.spec import read_flow
from gateway.delivery.cursor import Cursor, DeadRow
from gateway.doctor.examine import examine
from gateway.doctor.subject import Subject
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.row import Entry, Flag, Kind, Replay
from gateway.letters.judgement import judge
from gateway.letters.listed import letters_lines
from gateway.letters.mailbox import MAILBOX, MOST, Mailbox, carry
from gateway.status import status
from gateway.store.effects import SHARDS, AlertChanged, CommandRequested, DeadLettered, ReadingKept, WindowClosed, spelled_out
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader
from gateway.store.schema import open_writer
from gateway.store.store import Store

S = 1_000_000_000
T0 = 1_700_000_000
RAW = {
    "template": {
        "topic": "plant/{device}/raw",
        "struct": "<Ih",
        "time": 0,
        "values": {"temperature": {"at": 1, "scale": 0.01, "unit": "°C"}},
    }
}
FLOW = """
name: summary
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 10s}
aggregate: {n: count(temperature)}
"""


def raw(at, temperature):
    """A binary payload that only the template can read: epoch seconds and hundredths of a degree."""
    return at.to_bytes(4, "little") + round(temperature * 100).to_bytes(2, "little", signed=True)


class Folder:
    """A data folder on which the parts of a gateway are run by hand, with a config that a test can fix."""

    def __init__(self, directory, flow_text=FLOW):
        self.data = directory
        self.bell = Bell(directory / "bell")
        self.journal = Journal(directory / "journal" / "0", self.bell, keep=1 << 60, max_size=1 << 60)
        self.journal.connected(session_present=False)
        self.journal.live = True
        (directory / "flow.yaml").write_text(flow_text)
        self.flow, findings = read_flow(directory / "flow.yaml", root=directory)
        assert not findings
        self.profiles, self.snapshot, self.shards, self.effects = [], None, {}, []

    def messages(self, *entries):
        self.journal.append_messages([Entry(topic, payload, 0, flags) for topic, payload, flags in entries])

    def run(self):
        """Read what is new in the journal with the profiles of now, into the store; the state goes through a snapshot."""
        normaliser = Normaliser([self.flow], self.profiles, snapshot=self.snapshot)
        shards = {shard_key(n): Shard([self.flow], self.shards.get(shard_key(n))) for n in range(SHARDS)}
        reader = JournalReader(self.journal.directory, after=normaliser.offset)
        made = []
        with Store(self.data / "store.db") as store:
            items = [item for row in reader.read(1_000) for item in normaliser.take(row)]
            for key, item in [*items, *normaliser.flush(1)]:
                effects = item.effects if key == STORE else shards[key].step(item)
                store.write(effects)
                made += effects
        reader.close()
        self.snapshot, self.shards = normaliser.snapshot(), {key: shard.snapshot() for key, shard in shards.items()}
        return made

    def letters(self, state=None):
        with StoreReader(self.data / "store.db") as reader:
            return reader.dead_letters(newest=1_000, state=state)[::-1]

    def judged(self, letter):
        """What `sluice dead-letters show` says of a letter."""
        with StoreReader(self.data / "store.db") as reader:
            return judge(letter, self.profiles, reader)

    def replay(self, *letters):
        """Do what `sluice dead-letters replay` and the gateway do, then run."""
        self.journal.append_replays(
            [Replay(one.id, Entry(one.topic, one.payload, 0, one.flags), one.received, one.keys) for one in letters]
        )
        return self.run()

    def ledger(self):
        assert [check.said for check in examine(Subject.of(self.data, self.data / "config")) if not check.ok] == []
        ledger = status(self.data)["ledger"]
        return {term: ledger[term] for term in ("received", "normalised", "ignored", "dead_letters", "duplicates")}


@pytest.fixture
def folder(tmp_path):
    made = []

    def make(flow=FLOW):
        made.append(Folder(tmp_path, flow))
        return made[0]

    yield make
    made[0].journal.close()
    made[0].bell.close()


def of(effects, *kinds):
    return [one for one in spelled_out(effects) if isinstance(one, kinds)]


# What the flows do


def test_letter_is_read_again_as_if_it_had_arrived_then_and_once(folder):
    """After a fix: the reading has its event time and the receive time of then; asked for again it is a duplicate, also after a restart."""
    at = folder()
    at.messages(("plant/tank-1/raw", raw(T0 + 3, 21.5), 0), ("home/kitchen", b"{broken", 0))
    at.run()
    first, broken = at.letters()
    assert first.state == broken.state == "dead"
    at.profiles = [Profile.model_validate(RAW)]
    effects = at.replay(first, broken)
    (kept,) = of(effects, ReadingKept)
    assert (kept.reading.device, kept.reading.value, kept.reading.ts) == ("tank-1", 21.5, (T0 + 3) * S)
    assert (kept.reading.received, kept.belated, kept.reading.time_source) == (first.received, True, "device")
    again, still = at.letters()
    assert (again.state, again.outcome, again.attempts) == ("replayed", "1 reading", 1)
    assert (still.state, still.attempts) == ("dead", 1)
    assert of(at.replay(first, first, broken), ReadingKept) == []
    assert [(one.state, one.attempts) for one in at.letters()] == [("replayed", 1), ("dead", 2)]
    assert at.ledger() == {"received": 7, "normalised": 1, "ignored": 0, "dead_letters": 4, "duplicates": 2}
    assert status(at.data)["ledger"]["replayed"] == 5


def test_replayed_count_is_the_same_as_in_time(folder):
    """A window counts a replayed reading once, as a correction on the same point, whatever is replayed again."""
    at = folder()
    at.messages(*(("home/tank-1", b'{"temperature": 20, "timestamp": %d}' % (T0 + s), 0) for s in (1, 2)))
    at.messages(("plant/tank-1/raw", raw(T0 + 3, 21.5), 0))
    at.messages(*(("home/tank-1", b'{"temperature": 20, "timestamp": %d}' % (T0 + s), 0) for s in (15, 25)))
    (closed,) = of(at.run(), WindowClosed)[:1]
    at.profiles = [Profile.model_validate(RAW)]
    (letter,) = at.letters()
    (revised,) = of(at.replay(letter), WindowClosed)
    assert (closed.end, closed.revision, closed.values) == (revised.end, 1, {"n": 2})
    assert (revised.revision, revised.values) == (2, {"n": 3})
    assert of(at.replay(letter), WindowClosed) == []
    at.ledger()


def test_replayed_letter_that_was_said_again_since_gives_nothing(folder):
    """The device repeated it with its own time after the fix: the letter says nothing new."""
    at = folder()
    at.messages(("plant/tank-1/raw", raw(T0, 21.5), 0))
    at.run()
    at.profiles = [Profile.model_validate(RAW)]
    at.messages(("plant/tank-1/raw", raw(T0, 21.5), 0))
    at.run()
    (letter,) = at.letters()
    assert of(at.replay(letter), ReadingKept) == []
    assert at.letters()[0].outcome == "nothing new: all that it says has been said since"
    assert at.ledger()["duplicates"] == 1


def test_retained_letter_stays_retained(folder):
    """It may set the last known state, and enters no window."""
    at = folder()
    at.messages(("plant/tank-1/raw", raw(T0, 21.5), Flag.RETAINED))
    at.run()
    at.profiles = [Profile.model_validate(RAW)]
    effects = at.replay(*at.letters())
    assert [one.reading.retained for one in of(effects, ReadingKept)] == [True]
    assert at.ledger()["normalised"] == 1
    assert status(at.data)["ledger"]["flows"] == {}


def test_values_that_were_taken_then_are_not_taken_again(folder):
    """Of a message one value was left out, as it would have changed its series; replayed after a fix it gives that value alone."""
    at = folder()
    at.messages(("home/tank-1", b'{"temperature": 20, "mode": 1}', 0), ("home/tank-1", b'{"temperature": 21, "mode": "eco"}', 0))
    assert len(of(at.run(), ReadingKept)) == 3
    (letter,) = at.letters()
    assert letter.keys == ("tank-1/mode",)
    at.replay(letter)
    assert at.letters()[0].state == "dead"
    assert "series 'mode' holds numbers" in at.judged(letter)["dead_letter"]
    at.profiles = [Profile.model_validate({"devices": ["tank-1"], "types": {"mode": "text"}})]
    assert [one["value"] for one in at.judged(letter)["readings"]] == ["eco"]
    assert [(one.reading.metric, one.reading.value) for one in of(at.replay(letter), ReadingKept)] == [("mode", "eco")]
    assert [one.state for one in at.letters()] == ["replayed"]
    at.ledger()


def test_old_letter_commands_nothing(folder):
    """What is decided from it has expired by the time of its readings, as out of a backlog, though it is journalled now."""
    at = folder(
        "name: warm\nselect: {metrics: [temperature]}\ngroup: [device]\nwindow: {kind: none}\ntrigger: {when: value > 30.0}\n"
        'do:\n  - command: {device: fan, set: {state: "ON"}, expires: 10s}\n'
    )
    at.messages(("plant/tank-1/raw", raw(T0, 35), 0))
    at.run()
    at.profiles = [Profile.model_validate(RAW)]
    effects = at.replay(*at.letters())
    assert [one.time for one in of(effects, AlertChanged)] == [T0 * S]
    assert [one.expires for one in of(effects, CommandRequested)] == [(T0 + 10) * S]


def test_replayed_report_confirms_no_command(folder):
    """What a device said then is no answer to what it was told since: the newest report is the one it sent itself."""
    at = folder()
    at.messages(("plant/tank-1/raw", raw(T0, 35), 0), ("home/tank-1", b'{"temperature": 20}', 0))
    at.run()
    at.profiles = [Profile.model_validate(RAW)]
    at.replay(*at.letters())
    with StoreReader(at.data / "store.db") as reader:
        assert reader.reported("tank-1", "temperature", "")[0] == 20
        assert len(reader.history("tank-1")) == 2


def test_memory_of_replays_is_bounded_and_forgets_to_the_safe_side():
    """Letters beyond the memory, which nobody can ask for any more, count as replayed."""
    replayed = Replayed()
    for letter in range(10, 10 + REMEMBERED + 1):
        replayed.add(letter)
    assert 10 in replayed
    assert 9 in replayed
    assert 10 + REMEMBERED in replayed
    assert 10 + REMEMBERED + 1 not in replayed
    assert len(Replayed(replayed.snapshot()).snapshot()[1]) == REMEMBERED


# The mailbox


def test_mailbox_keeps_each_letter_once_and_gives_rows(tmp_path):
    """What was asked for outlives whoever asked; many letters become several rows, in the order in which they died."""
    mailbox = Mailbox(tmp_path / MAILBOX)
    letters = [Replay(number, Entry("t", b"x"), T0) for number in range(MOST + 10)]
    mailbox.put(letters[::-1])
    mailbox.put(letters)
    mailbox.close()
    mailbox = Mailbox(tmp_path / MAILBOX)
    assert mailbox.next() == letters[:MOST]
    mailbox.take_out(mailbox.next())
    assert mailbox.next() == letters[MOST:]
    mailbox.put([Replay(1_000 + number, Entry("t", bytes(600_000)), T0) for number in range(3)])
    mailbox.take_out(letters[MOST:])
    assert [one.letter for one in mailbox.next()] == [1_000]
    mailbox.close()


def test_crash_between_journal_and_mailbox_gives_a_duplicate(folder):
    """The row is durable and the letter still asked for: it is journalled again, and counted as a duplicate."""
    at = folder()
    at.messages(("plant/tank-1/raw", raw(T0, 21.5), 0))
    at.run()
    at.profiles = [Profile.model_validate(RAW)]
    (letter,) = at.letters()
    mailbox = Mailbox(at.data / MAILBOX)
    mailbox.put([Replay(letter.id, Entry(letter.topic, letter.payload), letter.received)])
    at.journal.append_replays(mailbox.next())  # and the process is killed here
    mailbox.close()
    mailbox = Mailbox(at.data / MAILBOX)
    assert carry(mailbox, at.journal)
    assert not carry(mailbox, at.journal)
    mailbox.close()
    reader = JournalReader(at.journal.directory)
    assert [row.count for row in reader.read(100) if row.kind == Kind.REPLAYS] == [1, 1]
    reader.close()
    assert len(of(at.run(), ReadingKept)) == 1
    assert at.ledger() == {"received": 3, "normalised": 1, "ignored": 0, "dead_letters": 1, "duplicates": 1}


# The store of an older version


def test_store_of_schema_1_is_brought_up_to_date(tmp_path, as_schema_3):
    """A reader says what to do; the writer adds what is missing, and letters that were there can be listed."""
    path = tmp_path / "store.db"
    Store(path).close()
    as_schema_3(path)
    old = sqlite3.connect(path)
    old.executescript(
        "ALTER TABLE series DROP COLUMN before; ALTER TABLE series DROP COLUMN heard_id; ALTER TABLE series DROP COLUMN labels;"
        " ALTER TABLE readings DROP COLUMN sequence;"
        " DROP TABLE dead_letters; CREATE TABLE dead_letters(id INTEGER PRIMARY KEY,"
        " topic TEXT NOT NULL, payload BLOB NOT NULL, reason TEXT NOT NULL, device TEXT NOT NULL, received INTEGER NOT NULL);"
        "INSERT INTO dead_letters VALUES(7, 't', x'00', 'the payload is larger than limits.payload; only its head was kept', '', 5),"
        " (8, 't', x'00', 'bad', '', 6); PRAGMA user_version=1;"
    )
    old.close()
    with pytest.raises(StoreError, match="got schema 1: the next `sluice up` brings it up to date"):
        StoreReader(path)
    open_writer(path).close()
    with StoreReader(path) as reader:
        assert [(one.id, one.flags, one.state) for one in reader.dead_letters()] == [(8, 0, "dead"), (7, Flag.OVERSIZE, "dead")]


# The command


@pytest.fixture
def letters(sluice):
    """A store with four dead letters and no `sluice up`; gives a function that runs `sluice dead-letters` to its end."""
    (sluice.config / "devices" / "tank.yaml").write_text(json.dumps(RAW))
    died = [
        DeadLettered(1 << 20, "plant/tank-1/raw", raw(T0, 21.5), "topic 'plant/tank-1/raw': bytes", "tank-1", T0 * S),
        DeadLettered(2 << 20, "home/kitchen", b"{broken", "topic 'home/kitchen': no JSON", "kitchen", T0 * S + 1),
        DeadLettered(3 << 20, "home/cam", b"\xff\xd8", "the payload is larger", "", T0 * S + 2, Flag.OVERSIZE),
        DeadLettered(4 << 20, "home/hall", b'{"a": [1, "\\u001b[31m"]}', "empty", "hall", T0 * S + 3, Flag.RETAINED),
    ]
    with Store(sluice.data / "store.db") as store:
        store.write(died)

    def run(*words, code=0):
        folders = ["--config", str(sluice.config), "--data", str(sluice.data)]
        done = subprocess.run([sluice.command, "dead-letters", *words, *folders], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    run.data = sluice.data
    return run


def test_list_filters_and_prints_ids(letters):
    """The newest first, alone or as `list`; by device, reason, state; an option before the subcommand counts too."""
    assert [json.loads(line)["id"] >> 20 for line in letters("--json").stdout.splitlines()] == [4, 3, 2, 1]
    assert [json.loads(line)["id"] >> 20 for line in letters("list", "--newest", "1", "--json").stdout.splitlines()] == [4]
    assert [json.loads(line)["id"] >> 20 for line in letters("list", "--reason", "JSON", "--json").stdout.splitlines()] == [2]
    (one,) = letters("--device", "tank-1", "--json", "list").stdout.splitlines()
    assert json.loads(one)["state"] == "dead"
    assert [json.loads(line)["id"] >> 20 for line in letters("list", "--topic", "home/+", "--json").stdout.splitlines()] == [4, 3, 2]
    assert "--topic: '+' must stand alone in its level" in letters("list", "--topic", "home+", code=2).stderr
    assert letters("list", "--state", "replayed").stdout == ""


def test_list_has_two_lines_a_letter_that_fit_the_width(letters):
    """Which letter it is, and below that the reason without the topic once more; a terminal gets no more than its columns."""
    lines = letters("list").stdout.splitlines()
    assert len(lines) == 8
    assert [word for word in lines[6].split() if "-" not in word or "/" in word][:1] == [str(1 << 20)]
    assert lines[6].endswith("  tank-1   plant/tank-1/raw")
    assert lines[7] == "    bytes"
    with StoreReader(letters.data / "store.db") as reader:
        cut = list(letters_lines(reader.dead_letters(), width=40))
    assert max(map(len, cut)) == 40
    assert cut[6].endswith("…")


def test_show_explains_and_says_what_the_present_config_makes_of_it(letters):
    """Binary payloads in hexadecimal, JSON with indents, nothing that steers the terminal; the config decides what it would now give."""
    shown = letters("show", str(1 << 20)).stdout
    assert "reason    topic 'plant/tank-1/raw': bytes" in shown
    assert f"  0000  {raw(T0, 21.5).hex(' ')}  " in shown
    assert "now       would now give:" in shown
    assert "tank-1  temperature  21.5 °C" in shown
    document = json.loads(letters("show", str(1 << 20), "--json").stdout)
    assert [(one["value"], one["ts"]) for one in document["now"]["readings"]] == [(21.5, T0 * S)]
    assert "now       still dead: topic 'home/kitchen'" in letters("show", str(2 << 20)).stdout
    hall = letters("show", str(4 << 20)).stdout
    assert ", retained" in hall
    assert '  "a": [' in hall
    assert "\x1b" not in hall
    assert "only the head of its payload was kept" in letters("show", str(3 << 20)).stdout


def test_what_is_no_dead_letter_is_said_in_a_sentence(letters):
    """Exit 1 where the id is nobody's or the letter cannot be read again, 2 for wrong usage; nothing is asked for then."""
    assert "dead letter 5: there is none with this id" in letters("show", "5", code=1).stderr
    assert "dead letter 5: there is none with this id" in letters("replay", "5", code=1).stderr
    assert "only the first 2 bytes of its payload were kept" in letters("replay", str(3 << 20), code=1).stdout
    for words in (["replay"], ["replay", "7", "--all"], ["replay", "7", "--device", "x"], ["show", "x7"], ["replay", "9" * 40], ["junk"]):
        letters(*words, code=2)
    nobody = letters("replay", "--all", "--device", "nobody", code=1)
    assert (nobody.stdout, "no dead letter is of that device" in nobody.stderr) == ("", True)
    assert not (letters.data / MAILBOX).exists()


def test_replay_without_a_running_up_waits_for_the_next(letters):
    """The letters are in the mailbox, with all that is needed to read them again; the command says so and is content."""
    assert "3 on their way: no `sluice up` runs on this data folder, the next one takes them" in letters("replay", "--all").stderr
    document = json.loads(letters("replay", str(2 << 20), "--json").stdout)
    assert (document["waiting"], document["letters"][0]["state"]) == (1, "waiting")
    mailbox = Mailbox(letters.data / MAILBOX)
    assert [(one.letter >> 20, one.entry.flags, one.received - T0 * S) for one in mailbox.next()] == [(1, 0, 0), (2, 0, 1), (4, 1, 3)]
    mailbox.close()


def test_rows_that_a_destination_refused_are_listed_and_shown(letters):
    """They have the destination in their id; they are no messages, so none is read again."""
    cursor = Cursor(letters.data / "delivery" / "influxdb.db")
    with StoreReader(letters.data / "store.db") as reader:
        cursor.align(reader, ["effects"], backfill=True)
    cursor.advance(
        "effects", 1, mark="w-1", stable=1, taken=0, refused=[DeadRow("effects", 1, "w-1", "field type conflict", '{"flow":"f"}')]
    )
    cursor.close()
    last = json.loads(letters("--json").stdout.splitlines()[-1])
    assert (last["id"], last["destination"], last["reason"], last["row"]) == (
        "influxdb/w-1",
        "influxdb",
        "field type conflict",
        {"flow": "f"},
    )
    assert "influxdb/w-1" in letters("list").stdout
    assert "field type conflict" in letters("show", "influxdb/w-1").stdout
    assert "is no message to read again" in letters("replay", "influxdb/w-1", code=1).stderr
    letters("show", "influxdb/w-2", code=1)
