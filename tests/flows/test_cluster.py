"""Several hosts, each with a data folder and a process of its own: together the same as one, whatever ends them."""

import json
import random
import shutil
import signal
import socket
import sqlite3
from contextlib import closing

import pytest
from house import ROWS, Flows, S, message
from msgspec.structs import replace

from flows.cluster.cluster import patient
from flows.loaded import Loaded
from gateway.exit_status import ALONE
from gateway.journal.retention import read_durable
from gateway.journal.row import Kind, Row, pack
from gateway.ledger import balance
from gateway.status import read_books

DECISIONS = "kind, flow, id, state, revision, time, at, body"
COUNT = 3
T0 = 4_102_444_800 * S
"""In 2100: what a host says of how late it is, when it has nothing to read, is before any of this."""
END = ROWS + 60


def dealt():
    """The rows of each journal: what is said is dealt out by chance, as a broker does it; for a while the first gets all of it."""
    chance, totals = random.Random(7), [0] * COUNT
    journals = [[] for _ in range(COUNT)]
    for number in range(1, END + 1):
        at = T0 + number * S // 2 + number
        said = [message(chance, at) for _ in range(chance.choice((0, 1, 2, 8, 40)))] if number <= ROWS else []
        shares = [[] for _ in range(COUNT)]
        for entry in said:
            shares[chance.randrange(COUNT) if not 50 < number < 80 else 0].append(entry)
        for member, entries in enumerate(shares):
            if entries or number % COUNT == member or number == END:
                totals[member] += len(entries)
                kind = Kind.MESSAGES if entries else Kind.TICK
                offset = len(journals[member]) + 1
                row = Row(offset, kind, at, at - T0 + S, 1, 1, True, len(entries), totals[member], pack(entries) if entries else b"")
                journals[member].append(row)
    return journals


def one_journal(journals):
    """All rows of some journals in the order that they have together."""
    ordered = sorted(((row.received, member, row) for member, rows in enumerate(journals) for row in rows), key=lambda one: one[:2])
    total = 0
    for offset, (_, _, row) in enumerate(ordered, 1):
        total += row.count
        yield replace(row, offset=offset, total=total)


def decided(flows):
    """All that the flows decided, in no order: of two shards either may be first."""
    with closing(sqlite3.connect(flows.data / "store.db")) as connection:
        return sorted(connection.execute(f"SELECT {DECISIONS} FROM effects").fetchall(), key=repr)


def readings(*several):
    """All readings, without their places in the journal."""
    return sorted((row[1:] for flows in several for row in flows.holds()["readings"]), key=repr)


def of_time(decisions):
    """The last that is said of each window, and each alert and command, without when it was said: hosts tick by turns, one host by itself."""
    windows, others = {}, []
    for kind, flow, name, state, revision, time, _, body in decisions:
        if kind == "window":
            said = json.loads(body)
            key = (flow, str(said["group"]), said["start"])
            windows[key] = max(windows.get(key, (0,)), (revision, said["count"], repr(said["values"])))
        else:
            others.append((kind, flow, name, state, time))
    return {key: said[1:] for key, said in windows.items()}, sorted(others)


class Hosts:
    """So many hosts on one machine."""

    def __init__(self, folder, free_port):
        ports = set()
        while len(ports) < COUNT:
            ports.add(free_port())
        self.cluster = json.dumps([f"127.0.0.1:{port}" for port in sorted(ports)])
        self.members = [Flows(folder / f"host-{number}") for number in range(COUNT)]
        for flows in self.members:
            (flows.config / "gateway.yaml").write_text("site: home\nbroker: {url: mqtt://127.0.0.1:1}\n")
        self.processes = []

    def write(self, journals, until=T0 + END * S):
        """Write what was received until then and is not written yet; remember how far each journal goes."""
        for flows, rows in zip(self.members, journals, strict=True):
            flows.write(row for row in rows if flows.written < row.offset and row.received < until)
            flows.written = max(row.offset for row in rows if row.received < until)

    def start(self, **settings):
        self.processes = [flows.start(1, cluster=self.cluster, member=number, **settings) for number, flows in enumerate(self.members)]

    def have_read(self):
        assert all(process.poll() is None for process in self.processes), [process.communicate()[1] for process in self.processes]
        return all(flows.reached() >= flows.written for flows in self.members)

    def ended(self):
        """Wait until all have ended; give their statuses, and what they said."""
        said = [process.communicate(timeout=40)[1] for process in self.processes]
        assert "Traceback" not in str(said)
        return [process.returncode for process in self.processes], said

    def stop(self):
        for process in self.processes:
            process.terminate()
        statuses, said = self.ended()
        assert statuses == [0] * COUNT, said

    def run(self, until, **settings):
        """Start all, have them read what is there, and stop them."""
        self.start(**settings)
        until(self.have_read)
        self.stop()

    def outcome(self):
        for flows in self.members:
            assert balance(read_books(flows.data, at_rest=True)).balanced
        return decided(self.members[0]), readings(*self.members)


@pytest.fixture(scope="module")
def journals():
    return dealt()


def wait(condition):
    while not condition():
        signal.sigtimedwait([], 0.01)


@pytest.fixture(scope="module")
def expected(tmp_path_factory, journals, ports):
    """What hosts make of it that nothing disturbs."""
    hosts = Hosts(tmp_path_factory.mktemp("several"), ports)
    hosts.write(journals)
    hosts.run(wait)
    return hosts.outcome()


@pytest.fixture(scope="module")
def ports():
    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


@pytest.fixture
def hosts(tmp_path, ports):
    hosts = Hosts(tmp_path, ports)
    yield hosts
    for process in hosts.processes:
        process.kill()
        process.communicate()


def test_several_hosts_decide_what_one_decides(expected, journals, tmp_path):
    one = Flows(tmp_path)
    rows = list(one_journal(journals))
    one.write(rows)
    one.run(1, len(rows), wait)
    assert of_time(expected[0]) == of_time(decided(one))
    assert {"window", "alert", "command"} <= {decision[0] for decision in expected[0]}
    assert expected[1] == readings(one)


def test_hosts_that_are_stopped_go_on_where_they_were(expected, journals, hosts, until):
    for number in (60, 61, 150, END + 1):
        hosts.write(journals, T0 + number * S // 2)
        hosts.run(until)
    assert hosts.outcome() == expected


@pytest.mark.parametrize("victim", [0, 2])
def test_a_host_that_dies_ends_all_and_nothing_is_lost(victim, expected, journals, hosts, until):
    hosts.write(journals, T0 + 50 * S)
    hosts.start(snapshot=0.05)
    until(lambda: hosts.have_read() and all(read_durable(flows.journal) for flows in hosts.members))
    hosts.processes[victim].kill()
    hosts.ended()
    hosts.write(journals)
    hosts.run(until)
    assert hosts.outcome() == expected


def test_a_host_that_falls_silent_is_missed(expected, journals, hosts, until):
    hosts.write(journals, T0 + 50 * S)
    hosts.start(snapshot=0.05)
    until(hosts.have_read)
    hosts.processes[1].send_signal(signal.SIGSTOP)
    for number in (0, 2):
        until(lambda process=hosts.processes[number]: process.poll() is not None)
    hosts.processes[1].send_signal(signal.SIGCONT)
    statuses, said = hosts.ended()
    assert ALONE in statuses
    assert "is silent" in said[0] + said[2]
    hosts.write(journals)
    hosts.run(until)
    assert hosts.outcome() == expected


def test_a_host_that_has_lost_its_state_has_all_begin_anew(expected, journals, hosts, until):
    hosts.write(journals, T0 + 50 * S)
    hosts.run(until)
    shutil.rmtree(hosts.members[1].data / "recovery")
    hosts.write(journals)
    hosts.run(until)
    assert hosts.outcome() == expected


def test_hosts_run_together_when_they_have_the_same_config(journals, hosts, until):
    hosts.write(journals, T0 + 50 * S)
    hosts.start()
    until(hosts.have_read)
    for number, flows in enumerate(hosts.members):
        path = flows.config / "flows" / "climate.yaml"
        path.write_text(path.read_text().replace("length: 5s", "length: 4s"))
        if number == 0:
            until(lambda: json.loads((hosts.members[0].data / "flows.json").read_text())["version"] == 2)
    hosts.write(journals)
    until(hosts.have_read)
    hosts.stop()
    lengths = {
        body["end"] - body["start"]
        for *_, text in decided(hosts.members[0])
        if (body := json.loads(text)).get("flow") == "climate" and "end" in body
    }
    assert lengths == {4 * S, 5 * S}


def test_windows_of_a_cluster_wait_a_second_at_least(tmp_path):
    """Longer where the flow says so; it is no other flow for that, so that its state is kept."""
    flows = Flows(tmp_path)
    climate = flows.config / "flows" / "climate.yaml"
    climate.write_text(climate.read_text().replace("lateness: 1s", "lateness: 3s"))
    loaded = Loaded.of(flows.config)
    by_name = {flow.name: flow for flow in patient(loaded).flows}
    assert {name: flow.spec.window.lateness for name, flow in by_name.items()} == {"climate": 3 * S, "house": S, "warmer": 0}
    assert by_name["house"].windows.lateness == S
    assert {flow.name: flow.fingerprint for flow in loaded.flows} == {name: flow.fingerprint for name, flow in by_name.items()}
