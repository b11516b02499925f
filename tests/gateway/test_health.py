"""The health of the gateway process, asked over HTTP, and the parts that are kept going."""

import asyncio
import errno
import http.client
import json
import socket
import sqlite3
from contextlib import ExitStack, closing

import pytest

from gateway.damage import is_damage
from gateway.health.metrics import Metrics
from gateway.health.server import HealthServer, Once
from gateway.journal.journal import JournalFullError
from gateway.keeper import keep_going
from gateway.link.backoff import Backoff
from gateway.setting_types import Listen
from gateway.status import status
from gateway.vitals import Vitals


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def vitals(clock):
    return Vitals(clock)


@pytest.fixture
def asked(vitals, free_port, tmp_path, until):
    """Run the server on the status of an empty data folder; give a function that asks it, with its port."""
    port = free_port()

    def ask(path, method="GET", **headers):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    ask.port = port
    with closing(HealthServer(Listen("127.0.0.1", port), vitals, Metrics(Once(lambda: status(tmp_path), 0.0)))):
        until(lambda: _listens(port))
        yield ask


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_healthz_says_whether_the_process_works(asked, vitals, clock):
    """A process is well while its loop and its link's thread turn, however the broker does."""
    vitals.turn(link="cannot reach the broker", link_turned=clock.now, blocked="")
    assert asked("/healthz") == (200, '{"ok": true, "reasons": []}\n')
    clock.now += 20
    code, text = asked("/healthz")
    assert (code, json.loads(text)["reasons"]) == (503, ["the gateway's loop has not turned for 20 s"])
    vitals.turn(link="connected", link_turned=clock.now - 20, blocked="")
    assert json.loads(asked("/healthz")[1])["reasons"] == ["the link's thread has not turned for 20 s"]


def test_readyz_says_whether_messages_go_their_way(asked, vitals, clock):
    """Ready while the link is connected, nothing blocks the journal, and the flows read."""
    vitals.turn(link="refused", link_turned=clock.now, blocked="the disk is full")
    vitals.flows_at(5, 9)
    code, text = asked("/readyz")
    assert (code, json.loads(text)["reasons"]) == (503, ["link: refused", "nothing is acknowledged: the disk is full"])
    vitals.turn(link="connected", link_turned=clock.now, blocked="")
    assert asked("/readyz")[0] == 200
    clock.now += 9
    vitals.turn(link="connected", link_turned=clock.now, blocked="")
    vitals.flows_at(5, 12)
    clock.now += 9
    vitals.turn(link="connected", link_turned=clock.now, blocked="")
    assert json.loads(asked("/readyz")[1])["reasons"] == ["the flows have read nothing for 18 s, and the journal holds more"]
    vitals.flows_at(6, 12)
    assert asked("/readyz")[0] == 200


def test_metrics_are_prometheus_text(asked):
    """The text parses, and names no device."""
    from prometheus_client.parser import text_string_to_metric_families

    code, text = asked("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert code == 200
    assert {sample.labels["outcome"] for sample in families["sluice_messages"].samples} >= {"normalised", "dead_letters"}
    assert families["sluice_pending"].samples[0].value == 0
    labels = {name for family in families.values() for sample in family.samples for name in sample.labels}
    assert labels <= {"version", "outcome", "flow", "destination", "kind", "change", "state", "process"}


def test_health_answers_only_what_it_is_for(asked):
    """GET and HEAD of three pages."""
    assert asked("/healthz?verbose", "HEAD") == (200, "")
    assert asked("/etc/passwd") == (404, "there are /healthz, /readyz, /metrics\n")
    assert asked("/healthz", "POST")[0] == 405
    assert asked("/healthz", "BREW")[0] == 501


def test_health_is_not_held_up_by_slow_clients(asked):
    """Many connections that say nothing keep nobody else waiting: the oldest of them goes."""
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", asked.port)))).sendall(b"GET /heal")
        assert asked("/healthz")[0] == 200


def test_health_says_that_its_port_is_taken_and_tries_again(vitals, monkeypatch, until):
    """The gateway goes on, and answers when the port is free."""
    monkeypatch.setattr("gateway.health.server._AGAIN", 0.01)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = HealthServer(Listen("127.0.0.1", port), vitals, lambda _: None)
    with closing(server):
        until(lambda: _listens(port))


def keep(run):
    return asyncio.run(keep_going("a part", run, backoff=Backoff(0.0, 0.0)))


class Part:
    """Fails with each of these errors in turn, and then ends."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.runs = 0

    async def __call__(self):
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.mark.parametrize(
    "full",
    [OSError(errno.ENOSPC, "full"), JournalFullError("the journal is at its size"), ExceptionGroup("", [OSError(errno.EDQUOT, "quota")])],
)
def test_part_waits_for_room(full, monkeypatch):
    """A full disk or journal is waited for, however long, and said once."""
    monkeypatch.setattr("gateway.keeper.ROOM_EVERY", 0.0)
    part = Part(*[full] * 50)
    keep(part)
    assert part.runs == 51


def test_part_that_fails_is_run_again():
    """A mistake is no reason to end the others; the tenth in a row is one to begin afresh."""
    part = Part(*[ValueError("a mistake")] * 9)
    keep(part)
    assert part.runs == 10
    with pytest.raises(ValueError, match="a mistake"):
        keep(Part(*[ValueError("a mistake")] * 10))


def test_part_that_meets_damage_ends_the_process(tmp_path):
    """A damaged file is for the supervisor to mend."""
    (tmp_path / "some.db").write_bytes(b"no database" * 100)

    async def run():
        with closing(sqlite3.connect(tmp_path / "some.db")) as connection:
            connection.execute("SELECT * FROM sqlite_schema")

    with pytest.raises(sqlite3.DatabaseError) as raised:
        keep(run)
    assert is_damage(raised.value)
