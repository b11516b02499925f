"""The doctor says what is wrong and what to do, whatever state a data folder, the broker and the history are in."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, time_ns

import pytest
from bytewax.recovery import init_db_dir

from flows.normaliser import STORE, Normaliser
from gateway.commands.book import Book
from gateway.delivery.cursor import Cursor
from gateway.doctor import broker
from gateway.doctor.examine import examine
from gateway.doctor.subject import Subject
from gateway.heartbeat import FLOWS
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.row import Entry
from gateway.journal.segment import segments
from gateway.letters.mailbox import MAILBOX, Mailbox
from gateway.set_aside import SetAside
from gateway.state_file import write_state
from gateway.status import GATEWAY_STATE, UP_STATE, hold_lock, read_up, status
from gateway.store.effects import Counted, DeadLettered, Failed
from gateway.store.reader import StoreReader
from gateway.store.store import Store

TOPIC = "sluice/site-1/status"
NAMES = [
    "config",
    "ledger",
    "flows",
    "series",
    "journal",
    "store",
    "recovery",
    "books",
    "set_aside",
    "disk",
    "clock",
    "broker",
    "session_queue",
]
NAMES += ["history", "delivery", "parts"]
ROWS, BATCH = 130, 8
CASES = 60


def retain(url, payload):
    host, port = url.removeprefix("mqtt://").split(":")
    words = ["mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-t", TOPIC, "-r", *(["-m", payload] if payload else ["-n"])]
    subprocess.run(words, check=True, timeout=30)


def complaints(checks):
    return [check.said for check in checks if not check.ok]


def fill(data):
    """Do what the parts do, so that every kind of file is there."""
    bell = Bell(data / "bell")
    journal = Journal(data / "journal" / "0", bell, keep=1 << 60, max_size=2**20)
    for row in range(ROWS):
        values = random.Random(row)
        payloads = [json.dumps({"temperature": values.random(), "note": values.randbytes(200).hex()}) for _ in range(BATCH)]
        journal.append_messages([Entry(f"plant/t{number}", payload.encode()) for number, payload in enumerate(payloads)])
    journal.close()
    bell.close()
    normaliser, reader = Normaliser([], []), JournalReader(data / "journal" / "0")
    with Store(data / "store.db") as store:
        while rows := reader.read(64):
            for key, item in [*(made for row in rows for made in normaliser.take(row)), *normaliser.flush(1)]:
                if key == STORE:
                    store.write(item.effects)
    reader.close()
    Book(data / "commands.db").close()
    Mailbox(data / MAILBOX).close()
    cursor = Cursor(data / "delivery" / "mqtt.db")
    with StoreReader(data / "store.db") as store:
        cursor.align(store, ["effects"], backfill=True)
    cursor.close()
    (data / "recovery").mkdir()
    init_db_dir(data / "recovery", 1)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A data folder on which things have run, to be copied."""
    data = tmp_path_factory.mktemp("filled")
    fill(data)
    return data


@pytest.fixture
def data(filled, tmp_path):
    """Give a copy of a data folder on which things have run."""
    shutil.copytree(filled, tmp_path / "data", ignore=shutil.ignore_patterns("bell"))
    return tmp_path / "data"


@pytest.fixture
def look(tmp_path, data):
    """Give a function that examines the folder, with the settings that it is given."""
    config = tmp_path / "settings"

    def look(settings="", **further):
        config.mkdir(exist_ok=True)
        (config / "gateway.yaml").write_text(settings)
        return examine(replace(Subject.of(data, config), **further))

    return look


def held(data):
    """Every file and what is in it, but for the index and the empty log that any reader of SQLite's makes beside a file."""
    files = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and not path.name.endswith("-shm")}
    return {path: content for path, content in files.items() if content or not path.name.endswith("-wal")}


@contextmanager
def runs(data, *, gateway, **up):
    """Look, from outside, like a running `sluice up`."""
    with hold_lock(data):
        write_state(data / UP_STATE, {"site": "site-1", "started": time_ns() - 3600 * 10**9, "processes": {}, "restarts": {}, **up})
        write_state(data / GATEWAY_STATE, {"link": "connected", "blocked": "", "shed": 0, "session": {}, **gateway})
        yield


def test_what_a_gateway_said_is_not_believed_when_it_has_ended(tmp_path):
    """Between its end and its next start nobody knows how the link stands."""
    for processes, link in (({}, "connecting"), ({"gateway": 4712}, "connecting"), ({"gateway": 4711}, "connected")):
        with runs(tmp_path, gateway={"pid": 4711}, processes=processes):
            assert status(tmp_path)["link"] == link
            assert Subject.of(tmp_path, tmp_path).connected == (link == "connected")


def test_doctor_reads_the_status_at_the_broker(sluice, mosquitto, monkeypatch):
    """The status that the gateway has published is fine, and so is an older gateway's; a false, foreign or missing one is a complaint."""
    (sluice.config / "gateway.yaml").write_text(f"broker: {{url: '{mosquitto.url}'}}\n")
    with sluice.up():
        begun = monotonic()
        document = sluice.json("doctor")
        assert monotonic() - begun < 15
        assert (document["healthy"], document["complaints"]) == (True, [])
        behind = NAMES.index("session_queue") + 1
        assert [check["name"] for check in document["checks"]] == [*NAMES[:behind], "status", *NAMES[behind:]]
        assert all(check["said"] for check in document["checks"])
        url = read_up(sluice.data)["broker"]

        def told():
            return complaints(examine(Subject.of(sluice.data, sluice.config)))

        status = {"specversion": "1.0", "type": "sluice.status.v1", "source": "sluice/site-1", "id": "status-up"}
        retain(url, json.dumps(status | {"data": {"running": True}}))
        assert told() == []
        retain(url, json.dumps(status | {"data": {"running": False}}))
        assert "says that the gateway is not running" in told()[0]
        retain(url, "up")
        assert f"status: {TOPIC}: an event must be a JSON object" in told()[0]
        retain(url, json.dumps(status | {"type": "sluice.marker.v1", "data": {"connection": 1}}))
        assert "must hold a StatusEvent; got a sluice.marker.v1" in told()[0]
        text = sluice("doctor", "--config", str(sluice.config), "--data", str(sluice.data), code=1)
        said, advice = text[text.index("bad") :].splitlines()[:2]
        assert "must hold a StatusEvent" in said
        assert "find out who else publishes there" in advice
        retain(url, "")
        monkeypatch.setattr(broker, "_ANSWER", 0.5)  # however long it waits, nothing comes
        assert f"the broker retains nothing at {TOPIC}" in told()[0]


def test_sound_folder_gets_an_answer_from_every_check(look, data):
    """Nothing runs and nothing is wrong: each check says what it measured, and every file is as it was."""
    before = held(data)
    checks = look()
    assert complaints(checks) == []
    assert [check.name for check in checks] == NAMES
    said = {check.name: check.said for check in checks}
    assert said["ledger"] == f"balances: {ROWS * BATCH:,} messages received = {ROWS * BATCH:,} normalised"
    assert said["journal"].startswith(f"{len(segments(data / 'journal' / '0'))} segments, ")
    assert held(data) == before


def test_any_damage_is_told_in_sentences(look, data):
    """Files that are empty, cut off, overwritten, swapped, or have bytes turned: the doctor always ends, and says which do not open."""
    dice, opened = random.Random(7), b"SQLite format 3"
    files = sorted(path for path in data.rglob("*") if path.suffix in {".db", ".sqlite3"})
    kept = {path: path.read_bytes() for path in files}
    for number in range(CASES):
        path, damage = files[number % len(files)], dice.choice([empty, cut, overwrite, turn, swap])
        path.write_bytes(damage(kept[path], dice, kept))
        checks = look()
        assert {check.name for check in checks} >= set(NAMES) - {"delivery", "session_queue"}, (path, damage)
        assert all(check.said and (check.ok or check.advice) for check in checks)
        if not path.read_bytes().startswith(opened):
            assert any(path.name in said for said in complaints(checks)), (path, damage, checks)
        path.write_bytes(kept[path])


def empty(_held, _dice, _all):
    return b""


def cut(held, dice, _all):
    return held[: dice.randrange(1, len(held))]


def overwrite(held, dice, _all):
    return dice.randbytes(len(held))


def turn(held, dice, _all):
    at = dice.randrange(len(held))
    return held[:at] + bytes([held[at] ^ 1 << dice.randrange(8)]) + held[at + 1 :]


def swap(_held, dice, every):
    return dice.choice(list(every.values()))


def test_row_with_a_wrong_checksum_and_a_lost_segment_are_told(look, data):
    """A turned bit in a payload, which SQLite does not notice, and a missing file are damage to the journal."""
    first, second, *_ = segments(data / "journal" / "0")
    held = bytearray(first.read_bytes())
    held[-200] ^= 1  # rows are filled from a page's end: this is in a body
    first.write_bytes(held)
    assert any("rows whose checksum is wrong" in said for said in complaints(look()))
    second.unlink()
    assert any("messages are missing between" in said for said in complaints(look()))


def test_what_was_set_aside_is_told_until_the_folder_is_deleted(look, data):
    """The file, the reason and what was kept are named; a folder without a log is told too."""
    SetAside(data)(data / "commands.db", "it is cut off", "commands that had ended were kept")
    assert any("commands.db: it is cut off; commands that had ended were kept" in said for said in complaints(look()))
    (data / "set-aside" / "log.jsonl").write_text("no event\n")
    assert any("no word of when and why" in said for said in complaints(look()))
    shutil.rmtree(data / "set-aside")
    assert complaints(look()) == []


def test_disk_clock_and_sizes_are_held_against_the_settings(look, data):
    """Too little room, a clock that cannot be true, a store beyond its limit."""
    assert any("must be free (disk.reserve)" in said for said in complaints(look("disk: {reserve: 9000TB}\n")))
    assert any("ahead of the clock" in said for said in complaints(look(now=time_ns() - 3600 * 10**9)))
    assert any("clock: must be between" in said for said in complaints(look(now=0)))
    with (data / "store.db").open("ab") as store:
        store.truncate(2 * 2**20)
    assert any("(history.max_size)" in said for said in complaints(look("history: {max_size: 1MB}\n")))


def test_parts_that_hang_die_or_block_are_told(look, data):
    """The link's state, what holds acknowledgements back, restarts one after the other, and a part that is silent."""
    died = {"flows": {"count": 5, "last": "killed (signal 9)", "at": time_ns()}}
    (data / FLOWS).touch()
    with runs(data, gateway={"link": "disconnected", "blocked": "the disk is full"}, restarts=died):
        said = complaints(look(now=time_ns() + 60 * 10**9))
    assert "link: disconnected" in said
    assert "nothing is acknowledged: the disk is full" in said
    assert any(one.startswith("flows: was started again 5 times") and "killed (signal 9)" in one for one in said)
    assert any(one.startswith("flows: gave its last sign of life") for one in said)


def test_flow_that_fails_is_told(look, data):
    """With its newest reason, for a day; and for as long as it is set aside."""
    now = time_ns()
    with Store(data / "store.db") as store:
        store.write([Failed("f-1", "climate", (), "t1", "ZeroDivisionError: division by zero", now)])
        store.write([Counted("shard-0", "climate", "t1", "failed", 3), Counted("select", "", "t1", "climate", 3)])
    (said,) = complaints(look())
    assert said == "flow climate: 3 readings failed, 0 s ago for the last time: ZeroDivisionError: division by zero"
    assert complaints(look(now=now + 90_000 * 10**9)) == []
    with Store(data / "store.db") as store:
        store.write([Counted("shard-0", "climate", "", "aside", 1)])
    (said,) = complaints(look(now=now + 90_000 * 10**9))
    assert said.startswith("flow climate: takes no more readings")


def test_series_that_are_refused_are_told(look, data):
    """With the topic of the newest, for a day."""
    now, reason = time_ns(), "device 'b': series 't' is new, and limits.series (2) are known that have not been silent for a day"
    with Store(data / "store.db") as store:
        store.write(
            [DeadLettered(1 << 40, "bomb/a", b"1", reason, "a", now - 10**9), DeadLettered(2 << 40, "bomb/b", b"1", reason, "b", now)]
        )
    (said,) = complaints(look())
    assert said.endswith("2 messages with new series were refused within the last day, 0 s ago for the last time, of bomb/b")
    assert complaints(look(now=now + 90_000 * 10**9)) == []


def test_queue_that_holds_less_than_ten_minutes_is_told(look, data):
    """By the formula: queued and in flight, divided by what came lately; the same for a session that ends too soon."""
    (data / "broker").mkdir()
    (data / "broker" / "mosquitto.conf").write_text("max_queued_messages 100\nmax_inflight_messages 10\n")
    (said,) = complaints(look())
    assert "its queue holds what comes in" in said
    assert "(100 queued + 10 in flight) / " in said
    (data / "broker" / "mosquitto.conf").write_text("max_queued_messages 0\n")
    assert complaints(look()) == []
    with runs(data, gateway={"link": "disconnected", "session": {"expiry": 60}}):
        assert any("keeps our session for 1 min" in said for said in complaints(look()))


def test_broker_that_is_not_there_or_refuses_is_told(look, tmp_path, mosquitto_with, free_port):
    """Nobody listens; or a broker asks for a password, and gets a wrong one."""
    assert any("refused" in said for said in complaints(look(f"broker: {{url: 'mqtt://127.0.0.1:{free_port()}'}}\n")))
    (tmp_path / "users").write_text("ann:secret\n")
    subprocess.run(["mosquitto_passwd", "-U", str(tmp_path / "users")], check=True, capture_output=True)
    (tmp_path / "password").write_text("wrong")
    settings = "broker: {{url: '{}', username: ann, password_file: ../password}}\n"
    with mosquitto_with(f"password_file {tmp_path / 'users'}\nallow_anonymous false") as locked:
        (said,) = complaints(look(settings.format(locked.url)))
        assert "ot authori" in said
        (tmp_path / "password").write_text("secret")
        checks = look(settings.format(locked.url))
    assert complaints(checks) == []
    queue = next(check.said for check in checks if check.name == "session_queue")
    assert "(1,000 queued + 20 in flight) / " in queue
    assert "dropped (of all clients)" in queue


def test_certificate_that_ends_soon_is_told(look, tmp_path, mosquitto_with, free_port):
    """While there is time to renew it."""
    port = free_port()
    words = [
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "3",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run(["openssl", *words, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True, cwd=tmp_path)
    tls = f"listener {port} 127.0.0.1\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    with mosquitto_with(tls):
        (said,) = complaints(look(f"broker: {{url: 'mqtts://localhost:{port}', ca_file: ../cert.pem}}\n"))
        assert re.search(r"its certificate ends in (2\.9|3\.0) days", said)
        (said,) = complaints(look(f"broker: {{url: 'mqtts://localhost:{port}'}}\n"))
        assert "certificate verify failed" in said


@contextmanager
def answering(status):
    """Hold a server that answers every request with this status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(("status", "advice"), [(401, "influxdb.token_file"), (404, "influxdb.bucket"), (503, "its own log"), (204, "")])
def test_answer_of_influxdb_leads_to_advice(look, status, advice):
    """A write of nothing shows whether the token is accepted."""
    with answering(status) as url:
        (check,) = [check for check in look(f"influxdb: {{url: '{url}', org: home, bucket: sluice}}\n") if check.name == "history"]
    assert check.ok == (status == 204)
    assert advice in check.advice


def test_influxdb_that_is_not_there_is_told(look, free_port):
    """With what a person can read of the error."""
    (said,) = complaints(look(f"influxdb: {{url: 'http://127.0.0.1:{free_port()}', org: home, bucket: sluice}}\n"))
    assert said.startswith("history: http://127.0.0.1:")
    assert "refused" in said
    assert "object at" not in said
