"""What hosts of a cluster say to each other, and what they make of words that are none."""

import socket
import threading

import msgspec
import pytest

from flows.cluster import peers
from flows.cluster.peers import Peers, Word
from gateway.setting_types import Listen


class Host:
    """One side of a conversation, on a thread of its own."""

    def __init__(self, addresses, member):
        self.stopping, self.ending = threading.Event(), threading.Event()
        self.gone, self.waits, self.name = [], [], None
        self.peers = Peers(addresses, member, stopping=self.stopping, ending=self.ending, gone=self.gone.append)
        self.peers.start()

    def gathers(self, config="flows", kept=""):
        self.name, self.waits = None, []

        def gather():
            self.name = self.peers.gather(config, kept, lambda: not self.stopping.is_set(), self.waits.append)

        threading.Thread(target=gather, daemon=True).start()


@pytest.fixture
def hosts(free_port):
    addresses = [Listen(f"127.0.0.{number + 1}", free_port()) for number in range(3)]
    found = [Host(addresses, member) for member in range(3)]
    yield found
    for host in found:
        host.stopping.set()


def test_all_begin_together_under_one_name(hosts, until):
    hosts[0].gathers()
    hosts[1].gathers()
    until(lambda: hosts[0].waits and "127.0.0.3" in hosts[0].waits[-1] and "127.0.0.2" not in hosts[0].waits[-1])
    assert hosts[0].name is None
    hosts[2].gathers()
    until(lambda: all(host.name for host in hosts))
    assert len({host.name for host in hosts}) == 1
    assert [host.waits[-1] for host in hosts] == [""] * 3


def test_state_is_kept_where_all_have_the_same(hosts, until):
    for host in hosts:
        host.gathers(kept="what we had")
    until(lambda: all(host.name for host in hosts))
    assert {host.name for host in hosts} == {"what we had"}


@pytest.mark.parametrize("odd", ["", "another"])
def test_all_begin_anew_where_one_has_other_state(odd, hosts, until):
    for number, host in enumerate(hosts):
        host.gathers(kept=odd if number == 1 else "what we had")
    until(lambda: all(host.name for host in hosts))
    names = {host.name for host in hosts}
    assert len(names) == 1
    assert names.isdisjoint({"", "what we had", "another"})


def test_hosts_with_other_flows_are_waited_for(hosts, until):
    for number, host in enumerate(hosts):
        host.gathers(config="newer" if number == 2 else "flows")
    until(lambda: hosts[0].waits and "to have the same flows" in hosts[0].waits[-1])
    assert not hosts[0].name


def test_one_that_leaves_ends_the_run_of_all(hosts, until):
    for host in hosts:
        host.gathers()
    until(lambda: all(host.name for host in hosts))
    hosts[1].stopping.set()
    until(lambda: hosts[0].ending.is_set() and hosts[2].ending.is_set())
    assert not hosts[0].gone


def test_one_that_begins_anew_is_noticed(hosts, until):
    for host in hosts:
        host.gathers()
    until(lambda: all(host.name for host in hosts))
    hosts[1].gathers()
    until(lambda: hosts[0].gone and hosts[2].gone)
    assert "has begun anew" in hosts[0].gone[0]


def test_nobody_reads_far_ahead_of_the_slowest(hosts, until):
    for host in hosts:
        host.gathers()
    until(lambda: all(host.name for host in hosts))
    for number, host in enumerate(hosts):
        host.peers.reached = lambda number=number: (10 + number) * 10**9
    until(lambda: hosts[0].peers.slowest == 11 * 10**9 and hosts[2].peers.slowest == 10 * 10**9)
    assert hosts[2].peers.is_ahead()
    assert not hosts[0].peers.is_ahead()


def test_words_of_strangers_and_broken_ones_change_nothing(hosts, until):
    """A datagram from elsewhere, one that is no word, one of a member that there is not, and one of another cluster."""
    where = (hosts[0].peers._addresses[0].host, hosts[0].peers._addresses[0].port)
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("127.0.0.9", 0))
    word = Word(1, hosts[0].peers._hosts, "run", "flows", "", (), 0, 0, leaving=True)
    with stranger:
        for packet in (b"", b"\xff" * 3_000, msgspec.msgpack.encode(word), msgspec.msgpack.encode([1, 2]), b"\xc1"):
            stranger.sendto(packet, where)
    theirs = hosts[1].peers._socket
    no_text, nested = b"\x99\x01\xa1\xff\xa1c\xa1k\xa0\x90\x00\x00\xc2", msgspec.msgpack.encode(word)[:-1] + b"\x91" * 3_000 + b"\xc2"
    for packet in (
        no_text,
        nested,
        *(msgspec.msgpack.encode(msgspec.structs.replace(word, goes_with=gone)) for gone in (("a",), ("a",) * 9)),
    ):
        theirs.sendto(packet, where)
    for host in hosts:
        host.gathers()
    until(lambda: all(host.name for host in hosts))
    assert not hosts[0].ending.is_set()


def test_lists_that_differ_are_told(free_port, until):
    """One more host, or the same in another order: nobody runs, and each says why."""
    ports = [free_port() for _ in range(3)]
    one, other, third = (Listen(f"127.0.0.{number}", port) for number, port in enumerate(ports, 1))
    hosts = [Host([one, other], 0), Host([other, one, third], 0)]
    for host in hosts:
        host.gathers()
    try:
        until(lambda: all(host.waits and "to have the same flows.cluster" in host.waits[-1] for host in hosts))
        assert not any(host.name for host in hosts)
    finally:
        for host in hosts:
            host.stopping.set()


def test_a_port_that_is_taken_is_told(free_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        addresses = [Listen("127.0.0.1", taken.getsockname()[1]), Listen("127.0.0.2", free_port())]
        with pytest.raises(OSError, match="in use"):
            Peers(addresses, 0, stopping=threading.Event(), ending=threading.Event(), gone=print)


def test_one_that_falls_silent_is_noticed(hosts, until, monkeypatch):
    monkeypatch.setattr(peers, "_SILENT", 0.5)
    for host in hosts:
        host.gathers()
    until(lambda: all(host.name for host in hosts))
    monkeypatch.setattr(hosts[1].peers, "_say", lambda: None)
    until(lambda: hosts[0].gone and hosts[2].gone)
    assert "is silent" in hosts[0].gone[0]
