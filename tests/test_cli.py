"""The command line as a person has it: folders, streams, exit codes, and what each command says."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest

from devices.reading import Reading
from gateway.status import read_up
from gateway.store.effects import AlertChanged, ReadingKept
from gateway.store.schema import open_writer
from gateway.store.store import Store


def publish(url, topic, payload, *, retain=False):
    host, port = url.removeprefix("mqtt://").split(":")
    words = ["mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-t", topic, "-m", payload, *(["-r"] if retain else [])]
    subprocess.run(words, check=True, timeout=30)


@pytest.fixture
def starter(sluice, tmp_path):
    """Give the command on a config that `sluice init` wrote, on any free port."""
    sluice.config = tmp_path / "mine"
    sluice("init", str(sluice.config))
    (sluice.config / "gateway.yaml").write_text("broker: {listen: 127.0.0.1:18830}\n")
    return sluice


def test_check_passes_the_config_that_init_writes_and_the_one_that_is_shipped(sluice, tmp_path):
    """Neither has a finding, and all tests inside their flow files pass; init does not write over anything."""
    sluice("init", str(tmp_path / "new"))
    sluice("check", "--config", str(tmp_path / "new"))
    sluice("check", "--config", "config")
    sluice("init", str(tmp_path / "new"), code=2)


def test_check_prints_three_findings_for_three_mistakes(sluice):
    """An unknown key, a wrong type and a bad expression, each on its line and column, and up refuses to start with the same ones."""
    (sluice.config / "flows" / "f.yaml").write_text(
        "name: f\nselect: {metrics: [temperature]}\ngruop: [device]\nwindow: {kind: tumbling, length: soon}\n"
        "aggregate: {warm: mean(temperature)}\ntrigger: {when: wram > 28.0}\n"
    )
    out = sluice("check", "--config", str(sluice.config), code=2).splitlines()
    assert [line.split(" ")[0] for line in out] == ["flows/f.yaml:3:1:", "flows/f.yaml:4:34:", "flows/f.yaml:6:17:"]
    assert "did you mean 'group'" in out[0]
    found = sluice.json("check", code=2)["findings"]
    assert [(f["file"], f["line"], f["column"]) for f in found] == [
        ("flows/f.yaml", 3, 1),
        ("flows/f.yaml", 4, 34),
        ("flows/f.yaml", 6, 17),
    ]
    words = [sluice.command, "up", "--config", str(sluice.config), "--data", str(sluice.data), "--json"]
    up = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (up.returncode, up.stdout, up.stderr.splitlines()) == (2, "", out)


def test_check_exits_1_when_only_a_flows_own_test_fails(sluice):
    """The failure names the file, the test, and what was expected and got."""
    (sluice.config / "flows" / "f.yaml").write_text(
        "name: f\nselect: {metrics: [temperature]}\ngroup: []\nwindow: {kind: tumbling, length: 10s}\naggregate: {warm: mean(temperature)}\n"
        'tests:\n  - name: warm\n    readings: "00:00:01 t1 temperature 20"\n    expect: {windows: [{end: "00:00:10", warm: 21}]}\n'
    )
    out = sluice("check", "--config", str(sluice.config), code=1)
    head, _, row = out.splitlines()
    assert head == "flows/f.yaml:7: test 'warm': 1 of 1 not as expected"
    assert row.startswith("  ✗  window 1  window to 00:00:10 {'warm': 21}  window to 00:00:10 revision 1 {'warm': 20.0}")
    (failed,) = sluice.json("check", code=1)["failed_tests"]
    assert (failed["expected"], failed["message"]) == (
        "window to 00:00:10 {'warm': 21}",
        f"window 1: expected {failed['expected']}, got {failed['got']}",
    )


def test_check_warns_of_what_the_store_has_never_heard(sluice):
    """A warning on stderr with its place, beside exit 0; in the JSON under its own key."""
    (sluice.config / "flows" / "f.yaml").write_text(
        "name: f\nselect: {metrics: [temprature]}\ngroup: []\nwindow: {kind: tumbling, length: 10s}\naggregate: {warm: mean(temprature)}\n"
    )
    assert sluice.json("check")["warnings"] == []
    said = {"key": "temperature", "value": 20.0, "raw_value": 20.0, "ts": 1, "received": 1, "convention": "plain_json"}
    with Store(sluice.data / "store.db") as store:
        store.write([ReadingKept(1, Reading(device="shed", metric="temperature", **said))])
    (warning,) = sluice.json("check")["warnings"]
    assert (warning["file"], warning["line"], warning["column"]) == ("flows/f.yaml", 2, 20)
    words = [sluice.command, "check", "--config", str(sluice.config), "--data", str(sluice.data)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == ""
    assert done.stderr.startswith("flows/f.yaml:2:20: warning: nothing has ever published 'temprature'; did you mean 'temperature'?\n")


def test_why_shows_what_stands_behind_an_alert(sluice):
    """With --json one document; an id that the store does not know is one sentence and exit 1."""
    why = {"rule": "value > 30.0", "values": {"value": 31.0}, "since": 1, "raised": 1, "held": 1, "last_clear": None}
    alert = AlertChanged("a-1", "e-1", "gone", (("device", "shed"),), "raised", "warning", "hot", why, 1, 1)
    with Store(sluice.data / "store.db") as store:
        store.write([alert])
    document = sluice.json("why", "a-1")
    assert (document["kind"], document["alert"]["message"], document["readings"]["total"]) == ("alert", "hot", 0)
    assert "value > 30.0" in sluice("why", "a-1", "--config", str(sluice.config), "--data", str(sluice.data))
    words = [sluice.command, "why", "a-2", "--data", str(sluice.data)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "a-2: the store has no alert, command, episode or window with this id\n"


def test_commands_on_a_running_gateway(starter, until):
    """devices, history, dead-letters, send, status and doctor beside a running `up`; exit codes when it has ended."""
    sluice = starter
    with sluice.up("--demo", "greenhouse"):
        url = read_up(sluice.data)["broker"]
        publish(url, "home/kitchen", '{"temperature": 21.5, "humidity": 48}')
        publish(url, "home/kitchen", "{broken")
        publish(url, "home/hall", '{"temperature": 9.5}', retain=True)
        until(lambda: {"kitchen", "hall", "fan-1"} <= {d["device"] for d in sluice.json("devices")["devices"]})
        readings = sluice.json("history", "kitchen", "temperature", "--since", "1h")["readings"]
        assert [r["value"] for r in readings] == [21.5]
        assert "kitchen" in sluice("history", "kitchen", "--every", "1m", "--data", str(sluice.data))
        (letter,) = [json.loads(line) for line in sluice("dead-letters", "--data", str(sluice.data), "--json").splitlines()]
        assert (letter["topic"], letter["device"]) == ("home/kitchen", "kitchen")
        sent = sluice.json("send", "fan-1", "state=ON")
        assert (sent["state"], sent["attempts"]) == ("confirmed", 1)
        assert sluice.json("send", "nobody", "state=ON", "--within", "0.1s", "--retries", "0", code=1)["state"] == "refused"
        document = sluice.json("status")
        assert document["running"]
        assert document["ledger"]["dead_letters"] == 1
        assert document["commands"]["confirmed"] >= 1
        assert {"gateway", "flows", "broker", "simulator"} <= document["memory"].keys()
        assert sluice.json("doctor")["complaints"] == []
    assert sluice.json("status", code=1)["running"] is False
    sluice("send", "fan-1", "state=ON", "--data", str(sluice.data), code=1)


def test_commands_where_nothing_has_run(sluice):
    """Each says so in a sentence, without a traceback; status says that nothing runs."""
    assert sluice.json("status", code=1)["running"] is False
    assert sluice.json("doctor", code=1)["complaints"] == [f"{sluice.data}: there is no such data folder: nothing has run here"]
    for words in (["devices"], ["history", "x"], ["dead-letters"], ["send", "x", "y=1"]):
        done = subprocess.run([sluice.command, *words, "--data", str(sluice.data)], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stdout == ""


def test_second_up_on_one_folder_is_refused_and_another_folder_gets_another_port(starter, tmp_path):
    """One data folder belongs to one `up`; a second one elsewhere takes the next free port and says so."""
    sluice = starter
    with sluice.up():
        words = [sluice.command, "up", "--config", str(sluice.config), "--for", "5", "--data"]
        same = subprocess.run([*words, str(sluice.data)], capture_output=True, text=True, timeout=30, check=False)
        assert same.returncode == 1
        assert "another `sluice up` runs on this data folder" in same.stderr
        other = subprocess.run([*words, str(tmp_path / "other")], capture_output=True, text=True, timeout=30, check=False)
        assert other.returncode == 0, other.stderr
        assert "port 18830 is taken; a broker answers there" in other.stderr


def test_damaged_store_is_named_and_set_aside_at_the_next_start(sluice):
    """Doctor and status say what is wrong; the next start moves the file away, says so, and runs."""
    sluice.data.mkdir()
    (sluice.data / "store.db").write_bytes(b"no database " * 1000)
    (flaw,) = sluice.json("status", code=1)["ledger"]["flaws"]
    assert "cannot be read" in flaw
    assert any("store.db" in complaint for complaint in sluice.json("doctor", code=1)["complaints"])
    words = [sluice.command, "up", "--config", str(sluice.config), "--data", str(sluice.data), "--for", "2"]
    up = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (up.returncode, up.stderr.startswith("store.db: ")) == (0, True), up.stderr
    (event,) = sluice.json("status", code=1)["set_aside"]
    assert event["file"] == "store.db"


def test_store_of_a_newer_sluice_stops_the_start(sluice):
    """In one sentence: what is sound is not set aside."""
    open_writer(sluice.data / "store.db").close()
    with closing(sqlite3.connect(sluice.data / "store.db")) as store:
        store.execute("PRAGMA user_version=99")
    words = [sluice.command, "up", "--config", str(sluice.config), "--data", str(sluice.data), "--for", "5"]
    up = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (up.returncode, len(up.stderr.splitlines())) == (1, 1), up.stderr
    assert "made by a newer Sluice" in up.stderr


def test_decode_shows_readings_on_stdout(sluice):
    """One message, one line of JSON; a dead letter is no failure of the command."""
    line = json.loads(sluice("decode", "--topic", "zigbee2mqtt/lamp", "--payload", '{"state":"ON","brightness":10}'))
    assert {(r["device"], r["metric"], r["value"]) for r in line["readings"]} == {("lamp", "state", True), ("lamp", "brightness", 10)}
    assert "dead_letter" in json.loads(sluice("decode", "--topic", "a/b", "--payload", "{"))
    sluice("decode", "--topic", "a/b", code=2)


@pytest.mark.parametrize("engine", ["mosquitto", "amqtt"])
def test_embedded_broker_beyond_loopback_asks_for_the_password(sluice, engine, until, free_port):
    """Without one the config does not pass; with one an anonymous client is refused, and Sluice itself gets in."""
    port = free_port()
    settings = f"broker:\n  listen: 0.0.0.0:{port}\n  engine: {engine}\n"
    (sluice.config / "gateway.yaml").write_text(settings)
    assert "listen beyond this machine needs username and password_file" in sluice("check", "--config", str(sluice.config), code=2)
    (sluice.config / "password").write_text("correct horse\n")
    (sluice.config / "gateway.yaml").write_text(settings + "  username: devices\n  password_file: password\n")
    with sluice.up():
        url = read_up(sluice.data)["broker"]
        port = url.rpartition(":")[2]
        words = ["mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", "home/kitchen", "-m", '{"temperature": 21.5}']
        assert subprocess.run(words, capture_output=True, timeout=30, check=False).returncode != 0
        assert subprocess.run([*words, "-u", "devices", "-P", "wrong"], capture_output=True, timeout=30, check=False).returncode != 0
        subprocess.run([*words, "-u", "devices", "-P", "correct horse"], check=True, timeout=30)
        until(lambda: sluice.json("status")["ledger"]["normalised"] == 1)
        assert "correct horse" not in (sluice.data / "stderr.txt").read_text()
