"""The link against a real mosquitto: acknowledged only when journalled, marked for what it is, and taken in once."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading

import pytest

from faults.rig.authority import Authority
from gateway.journal.row import Flag, Kind
from gateway.link.endpoint import Endpoint
from gateway.settings import Broker


def publish(broker, topic, *payloads, retain=False, qos=1):
    """Publish with mosquitto's own client; it returns when the broker has it."""
    subprocess.run(
        ["mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-t", topic, "-q", str(qos), "-l", *(["-r"] if retain else [])],
        input="\n".join(payloads),
        text=True,
        check=True,
        timeout=30,
    )


def test_link_takes_in_and_turns_live_after_its_marker(mosquitto, start, until):
    """Messages reach the journal; rows after the marker are live; ticks follow in silence; nothing of our own is taken in."""
    gateway = start(mosquitto.url)
    until(lambda: gateway.journal.live)
    publish(mosquitto, "a/b", "1", "2", "3")
    publish(mosquitto, "sluice/here/status", "not ours to hear")
    publish(mosquitto, "a/b", "4")
    until(lambda: len(gateway.payloads()) == 4)
    assert gateway.payloads() == ["1", "2", "3", "4"]
    assert all(r.live for r in gateway.rows() if r.kind == Kind.MESSAGES)
    until(lambda: any(r.kind == Kind.TICK and r.live for r in gateway.rows()))


def test_link_finds_what_came_while_it_was_away_as_backlog(mosquitto, start, until):
    """The broker keeps QoS 1 messages for the session; they come before the marker and are marked as backlog."""
    first = start(mosquitto.url)
    until(lambda: first.journal.live)
    first.stop()
    publish(mosquitto, "a/b", *map(str, range(500)))
    second = start(mosquitto.url)
    until(lambda: second.journal.live)
    assert second.payloads() == [str(n) for n in range(500)]
    assert not any(r.live for r in second.rows() if r.kind == Kind.MESSAGES)
    assert second.journal.session == 1
    assert second.journal.connection == 2


def test_link_marks_retained_and_oversized_messages(mosquitto, start, until):
    """A retained message is marked; of one beyond the limit only the head is kept."""
    publish(mosquitto, "state/x", "on", retain=True)
    gateway = start(mosquitto.url, payload_limit=2000)
    until(lambda: gateway.journal.live)
    publish(mosquitto, "big", "y" * 3000)
    until(lambda: len(gateway.entries()) == 2)
    retained, big = gateway.entries()
    assert (retained.topic, retained.flags) == ("state/x", Flag.RETAINED)
    assert (big.flags, len(big.payload)) == (Flag.OVERSIZE, 1024)


def test_link_comes_back_after_the_broker_was_killed(mosquitto, start, until):
    """A broker that dies is found again; one that lost its sessions makes a new session, and is subscribed to again."""
    gateway = start(mosquitto.url)
    until(lambda: gateway.journal.live)
    mosquitto.stop(9)
    until(lambda: "disconnected" in gateway.states)
    mosquitto.start()
    until(lambda: gateway.journal.live)
    publish(mosquitto, "a/b", "after")
    until(lambda: gateway.payloads() == ["after"])
    assert gateway.journal.session == 2


def test_link_says_who_refuses_it(mosquitto_with, start, until, tmp_path):
    """Bad credentials are said in one sentence with the broker's name; once the file holds the right ones, they are used."""
    users = tmp_path / "users"
    users.write_text("someone:secret-canary\n")
    subprocess.run(["mosquitto_passwd", "-U", str(users)], check=True, capture_output=True)
    with mosquitto_with(f"allow_anonymous false\npassword_file {users}") as broker:
        secret = tmp_path / "secret"
        secret.write_text("wrong")
        endpoint = Endpoint.of(Broker(username="someone", password_file=secret), broker.url)
        gateway = start(broker.url, endpoint=endpoint)
        until(lambda: gateway.states)
        assert (
            gateway.states[0]
            == f"{broker.host}:{broker.port} refuses the connection: Not authorized (see broker.username and broker.password_file)"
        )
        secret.unlink()
        until(lambda: "broker.password_file cannot be read: No such file or directory" in gateway.states)
        secret.write_text("secret-canary\n")
        until(lambda: gateway.journal.live)
        assert "secret-canary" not in f"{endpoint!r}{gateway.states}"


# paho leaves the socket of a failed TLS handshake to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_link_over_tls_verifies_the_broker(mosquitto_with, start, until, tmp_path, free_port):
    """With the right CA the link connects over TLS; with another it never does, and says why."""

    authority = Authority(tmp_path / "tls")
    authority.sign("broker", name="localhost")
    port = free_port()

    def trusting(ca):
        url = f"mqtts://localhost:{port}"
        return Endpoint.of(Broker(url=url, ca_file=str(authority.folder / f"{ca}.pem")), url)

    tls = f"listener {port} 127.0.0.1\ncertfile {authority.folder}/broker.pem\nkeyfile {authority.folder}/broker.key"
    with mosquitto_with(tls) as broker:
        bad = start(broker.url, endpoint=trusting("other"))
        until(lambda: bad.states)
        assert "certificate verify failed" in bad.states[0]
        bad.stop()
        url = f"mqtts://127.0.0.1:{port}"
        other_name = start(broker.url, endpoint=Endpoint.of(Broker(url=url, ca_file=str(authority.folder / "ca.pem")), url))
        until(lambda: other_name.states)
        assert "IP address mismatch" in other_name.states[0]
        other_name.stop()
        good = start(broker.url, endpoint=trusting("ca"))
        until(lambda: good.journal.live)
        publish(broker, "a/b", *map(str, range(300)))
        until(lambda: len(good.payloads()) == 300)
        good.stop()


class Proxy:
    """A TCP relay before the broker that can swallow what the client says, and cut every connection."""

    def __init__(self, target):
        self._target, self.swallow, self._pairs = target, False, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                broker = socket.create_connection(self._target)
                self._pairs.append((client, broker))
                threading.Thread(target=self._relay, args=(client, broker, True), daemon=True).start()
                threading.Thread(target=self._relay, args=(broker, client, False), daemon=True).start()

    def _relay(self, source, sink, from_client):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (from_client and self.swallow):
                    sink.sendall(data)

    def cut(self):
        for pair in self._pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._pairs.clear()

    def close(self):
        self._listener.close()
        self.cut()


def test_link_recognises_a_batch_that_is_delivered_again(mosquitto, start, until):
    """Acknowledgements that never reach the broker make it send everything again with DUP: each is known, and kept once."""
    proxy = Proxy((mosquitto.host, mosquitto.port))
    gateway = start(mosquitto.url, endpoint=Endpoint.of(Broker(), proxy.url))
    until(lambda: gateway.journal.live)
    proxy.swallow = True
    publish(mosquitto, "a/b", *map(str, range(200)))
    until(lambda: len(gateway.payloads()) == 200)
    proxy.cut()
    proxy.swallow = False
    until(lambda: len(gateway.entries()) == 400)
    publish(mosquitto, "a/b", "new")
    until(lambda: len(gateway.entries()) == 401)
    repeated = [bool(e.flags & Flag.REPEATED) for e in gateway.entries()]
    assert repeated == [False] * 200 + [True] * 200 + [False]
    assert all(e.flags & Flag.DUP for e in gateway.entries()[200:400])
    gateway.stop()
    proxy.close()
