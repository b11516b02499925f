"""The link when the broker, the network or the journal is not as it should be: said in a sentence, nothing lost, and it goes on."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
from time import monotonic, time_ns

import paho.mqtt.client as paho
import pytest
from paho.mqtt.publish import multiple as publish_multiple

from gateway.broker.embedded import answers, speaks_mqtt5
from gateway.journal.reader import row_at
from gateway.journal.row import Flag, Shed
from gateway.journal.urgent import UrgentReader


def publish(broker, topic, *payloads, qos=1):
    """Publish; at QoS 1 it returns when the broker has it. (Debian's `mosquitto_pub -q 0 -l` does not always end.)"""
    publish_multiple([(topic, payload, qos, False) for payload in payloads], hostname=broker.host, port=broker.port)


class Hostile:
    """A listener that answers every connection's first packet as it is told, byte by byte, and notes what it was sent."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.heard = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self.heard.append(client.recv(4096))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is None:
                client.shutdown(socket.SHUT_RDWR)
            elif answer:
                client.sendall(answer)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self._open:
            client.close()


@pytest.fixture
def hostile():
    made = []

    def hostile_(*answers):
        made.append(Hostile(*answers))
        return made[-1]

    yield hostile_
    for one in made:
        one.close()


SECOND = 10**9
OK5, OK311 = b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00"


def spoken(connect):
    """Give the protocol version of a CONNECT."""
    return connect[connect.index(b"MQTT") + 4]


def test_link_finds_the_session_that_an_older_gateway_left(mosquitto, start, until):
    """What waits in a session that was made with MQTT 3.1.1 is delivered to the same name with MQTT 5."""
    old = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="sluice-here", clean_session=False, protocol=paho.MQTTv311)
    subscribed = threading.Event()
    old.on_subscribe = lambda *_: subscribed.set()
    old.connect(mosquitto.host, mosquitto.port)
    old.loop_start()
    old.subscribe("#", qos=1)
    assert subscribed.wait(10)
    old.disconnect()
    old.loop_stop()
    publish(mosquitto, "a/b", "waited")
    gateway = start(mosquitto.url)
    until(lambda: gateway.payloads() == ["waited"])
    document = gateway.link.session_document()
    assert document == {"protocol": "5", "present": True, "receive_maximum": 1024, "maximum_packet": 2097152, "expiry": 2592000}


def test_link_speaks_the_older_mqtt_where_the_broker_does(start, until, free_port):
    """amqtt speaks 3.1.1 only, and falls silent at a CONNECT of MQTT 5: where it is embedded, that is known."""
    port = free_port()
    broker = subprocess.Popen(
        [sys.executable, "-m", "gateway.broker.amqtt_broker", "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: answers("127.0.0.1", port))
        gateway = start(f"mqtt://127.0.0.1:{port}", mqtt5=speaks_mqtt5("amqtt"))
        until(lambda: gateway.journal.live)
        assert gateway.link.session_document() == {"protocol": "3.1.1", "present": False}
    finally:
        gateway.stop()
        broker.terminate()
        broker.wait(10)


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", None], ids=["3.1.1 code", "5 code", "closed"])
def test_link_tries_the_older_mqtt_at_once(hostile, start, until, refusal):
    """A broker that does not know MQTT 5, in whichever way it says so, is asked in 3.1.1 without a pause."""
    broker = hostile(refusal, OK311)
    gateway = start(broker.url)
    until(lambda: "connected" in gateway.states)
    assert [spoken(connect) for connect in broker.heard[:2]] == [5, 4]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"\x20\x03\x00\x86\x00", "refuses the connection: Bad user name or password (see broker.username and broker.password_file)"),
        (b"\x20\x03\x00\x85\x00", "refuses the connection: Client identifier not valid (see broker.client_id)"),
        (OK5 + b"\xe0\x02\x8e\x00", "another client uses the name 'sluice-here' at the broker (see broker.client_id)"),
        (OK5 + b"\xe0\x02\x95\x00", "ended the connection: Packet too large (see limits.packet)"),
        (OK5 + b"\xe0\x01\x8b", "ended the connection: Server shutting down"),
        (OK5 + b"\xe0\x02\x97\x00", "ended the connection: Quota exceeded"),
        (OK5 + b"\x90\x04\x00\x01\x00\x87", "refuses the subscription to #, sluice/here/"),
        (OK5 + b"\x90\x03\x00\x01\x00", "refuses the subscription to #, sluice/here/"),
        (OK5 + b"\x40\x04\x00\x02\x87\x00", "refuses what is published to sluice/here/status: Not authorized"),
        (OK5 + b"\x30\x03\x00\x00\x00", "sends what is not MQTT"),
        (OK5 + b"\x32\x03\x00\x05a", "sends what is not MQTT"),
        (OK5 + b"\x30\x05\x00\x01a\xff\xff", "sends what is not MQTT"),
        (OK5 + b"\x36\x06\x00\x01a\x00\x01\x00", "sends what is not MQTT"),
        (OK5 + b"\x90\x01\x00", "sends what is not MQTT"),
        (OK5 + b"\x30\xff\xff\xff\xff\xff", "sends what is not MQTT"),
        (OK5 + OK5, "the broker answered our CONNECT twice"),
        (b"\x30\x04\x00\x01a\x00", "a message came before the answer to our CONNECT"),
        (b"\xf0\x00", "sends what is not MQTT"),
    ],
)
def test_link_says_what_the_broker_says(hostile, start, until, answer, state):
    """Each refusal is a sentence; nonsense ends the connection, and never the thread."""
    broker = hostile(answer)
    gateway = start(broker.url)
    until(lambda: any(state in one for one in gateway.states))
    assert gateway.link.is_alive()


def test_link_takes_in_topics_that_are_not_utf8(hostile, start, until):
    """A topic in another encoding and one with NUL and control characters are taken in; what follows is not lost."""
    wild = b"".join(b"\x30" + bytes([4 + len(t)]) + struct.pack("!H", len(t)) + t + b"\x00x" for t in (b"a\xff", b"a\x00\x1b", b"b"))
    gateway = start(hostile(OK5 + wild).url)
    until(lambda: len(gateway.entries()) == 3)
    assert [entry.topic for entry in gateway.entries()] == ["(topic is not UTF-8)", "a\x00\x1b", "b"]


def test_link_keeps_the_head_of_a_packet_without_end(hostile, start, until):
    """Before MQTT 5 a broker cannot be told how long a packet may be: what is too long is a message with its head, in bounded memory."""
    topic, payload = b"\x00\x03big\x00\x01", bytes(40_000_000)
    length = len(topic) + len(payload)
    head = b"\x32" + bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14 & 127 | 128, length >> 21])
    broker = hostile(b"\x20\x02\x00\x01", OK311 + head + topic + payload)
    tracemalloc.start()
    try:
        gateway = start(broker.url, longest_packet=100_000, payload_limit=5_000)
        until(gateway.entries)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    (entry,) = gateway.entries()
    assert (entry.topic, len(entry.payload), entry.flags) == ("big", 1024, Flag.OVERSIZE)


def test_link_stays_away_from_a_session_that_another_client_has(mosquitto, start, until):
    """Of two gateways with one name one gives way, for longer each time, and the other stays undisturbed."""
    one = start(mosquitto.url)
    until(lambda: one.journal.live)
    two = start(mosquitto.url, name="two")
    sentence = "another client uses the name 'sluice-here' at the broker (see broker.client_id)"
    until(lambda: sentence in one.states + two.states)
    away, there = (one, two) if sentence in one.states else (two, one)
    until(lambda: there.journal.live)
    publish(mosquitto, "a/b", "1")
    until(lambda: there.payloads() == ["1"])
    assert away.states.count("connected") == 3
    assert (away.states[-1], there.states[-1]) == (sentence, "connected")


def test_link_comes_back_to_a_broker_that_is_started_again_and_again(mosquitto, start, until):
    """It is not taken for another client of the same name, however short each connection was."""
    gateway = start(mosquitto.url)
    for _ in range(6):
        until(lambda: gateway.journal.live)
        mosquitto.stop()
        until(lambda: not gateway.journal.live)
        mosquitto.start()
    until(lambda: gateway.journal.live)
    assert not any("another client" in state for state in gateway.states)


def test_link_subscribes_to_what_is_new_and_leaves_what_is_old(mosquitto, start, until):
    """With a session present, only the difference goes to the broker: no retained message comes a second time."""
    subprocess.run(["mosquitto_pub", "-p", str(mosquitto.port), "-t", "kept/x", "-m", "state", "-r", "-q", "1"], check=True)
    first = start(mosquitto.url, subscribe=["kept/#", "old/#"])
    until(lambda: first.journal.live and first.payloads() == ["state"])
    first.stop()
    second = start(mosquitto.url, subscribe=["kept/#", "new/#"])
    until(lambda: second.journal.live)
    publish(mosquitto, "old/x", "old")
    publish(mosquitto, "new/x", "new")
    until(lambda: second.payloads() == ["state", "new"])
    assert [topic for topic, _ in json.loads((second.directory / "subscriptions").read_bytes())][:2] != ["old/#", "kept/#"]
    second.stop()
    (second.directory / "subscriptions").write_bytes(os.urandom(50))
    third = start(mosquitto.url, subscribe=["kept/#", "new/#"])
    until(lambda: third.journal.live)
    publish(mosquitto, "new/x", "newer")
    until(lambda: third.payloads()[-1] == "newer")


def test_link_holds_what_a_full_journal_cannot_take(mosquitto, start, until):
    """Nothing is acknowledged that is not in the journal; QoS 0 is shed and counted; with room again, all goes on by itself."""
    gateway = start(mosquitto.url)
    until(lambda: gateway.journal.live)
    gateway.journal.full_now = "the disk is full"
    publish(mosquitto, "held", *map(str, range(1500)))
    until(lambda: gateway.link.blocked == "the disk is full")
    publish(mosquitto, "loose", *map(str, range(300)), qos=0)
    until(lambda: gateway.link.shed >= 300)
    assert gateway.link.is_alive()
    gateway.journal.full_now = ""
    until(lambda: len(gateway.entries()) == 1500)
    assert gateway.payloads() == [str(n) for n in range(1500)]
    until(lambda: sum(shed.count for shed in gateway.sheds()) == 300)
    assert [(shed.topic, shed.reason) for shed in gateway.sheds()] == [("loose", "the journal is full")]
    assert (gateway.link.blocked, gateway.states) == ("", ["connected"])


def test_link_takes_again_what_it_held_when_the_connection_ended(mosquitto, start, until):
    """What was held, and not journalled, comes again with DUP: it is no repeat, though the broker has marked it as one."""
    gateway = start(mosquitto.url)
    until(lambda: gateway.journal.live)
    gateway.journal.full_now = "the disk is full"
    publish(mosquitto, "held", *["same"] * 200)
    until(lambda: gateway.link.blocked)
    mosquitto.stop()
    until(lambda: gateway.states[-1] != "connected")
    mosquitto.start()
    until(lambda: gateway.states[-1] == "connected")
    gateway.journal.full_now = ""
    until(lambda: gateway.journal.live)
    assert gateway.payloads() == ["same"] * 200


def test_link_takes_in_what_flows_that_are_far_behind_cannot_read(mosquitto, start, until, monkeypatch):
    """While flows are overloaded, QoS 1 waits in the journal; of QoS 0 what is beyond a fair share is shed, but for urgent topics."""
    monkeypatch.setattr("gateway.link.overload._EVERY", 0.0)
    gateway = start(mosquitto.url, lag=SECOND, urgent=["alarm/+"])
    until(lambda: gateway.journal.live)
    gateway.link.tick_every = SECOND // 100
    gateway.journal.append_shed([Shed("before", 10_000, "test")])
    for step in range(6):
        gateway.link.note_progress(100 * step, time_ns() - (30 + step) * SECOND)
        until(lambda: gateway.link._progress is None)
    publish(mosquitto, "sure", *map(str, range(1200)))
    publish(mosquitto, "alarm/x", *["fire"] * 300, qos=0)
    until(lambda: len(gateway.entries()) == 1500)
    assert gateway.link.blocked == ""
    assert [e.payload.decode() for e in gateway.entries() if e.topic == "sure"] == [str(n) for n in range(1200)]
    assert gateway.link.shed == 0


def test_link_gives_urgent_topics_rows_of_their_own(mosquitto, start, until):
    """Whoever reads the journal is told which rows those are; what is retained is never urgent."""
    subprocess.run(
        ["mosquitto_pub", "-h", mosquitto.host, "-p", str(mosquitto.port), "-t", "alarm/old", "-m", "kept", "-r"], check=True, timeout=30
    )
    gateway = start(mosquitto.url, urgent=["alarm/#"])
    until(lambda: gateway.journal.live)
    for number in range(20):
        publish(mosquitto, "alarm/x" if number % 5 == 0 else "other", str(number))
    until(lambda: len(gateway.entries()) == 21)
    reader = UrgentReader(gateway.directory / "0")
    urgent = []
    while offset := reader.first(after=0):
        reader.done(offset)
        urgent.append(row_at(gateway.directory / "0", offset))
    reader.close()
    assert [entry.payload for row in urgent for entry in row.entries()] == [b"0", b"5", b"10", b"15"]
    assert all(row.live and row.count == len(row.entries()) for row in urgent)


def test_link_limits_what_one_topic_may_bring(mosquitto, start, until):
    """Beyond `limits.rate`, messages of any QoS are shed and counted; other topics do not feel it."""
    gateway = start(mosquitto.url, rate=10)
    until(lambda: gateway.journal.live)
    began = monotonic()
    publish(mosquitto, "loud", *map(str, range(3000)))
    publish(mosquitto, "quiet", "still heard")
    until(lambda: "still heard" in gateway.payloads())
    until(lambda: gateway.journal.total == 3001)
    shed, loud = gateway.sheds(), [e for e in gateway.entries() if e.topic == "loud"]
    assert {(one.topic, one.reason) for one in shed} == {("loud", "limits.rate")}
    assert sum(one.count for one in shed) + len(loud) == 3000
    assert 100 <= len(loud) <= 100 + 10 * (monotonic() - began) + 1


def test_link_says_when_nothing_answers(hostile, start, until, monkeypatch):
    """A broker that accepts a connection and says nothing is left alone, and named."""
    monkeypatch.setattr("gateway.link.link._ANSWER", 0.2)
    broker = hostile(b"")
    gateway = start(broker.url)
    until(lambda: f"no answer from {broker.url.removeprefix('mqtt://')}" in gateway.states)


def test_link_finds_out_that_a_connection_is_dead(hostile, start, until):
    """A broker that falls silent is missed within one and a half times the keep-alive; here that is 2 s."""
    broker = hostile(OK5)
    gateway = start(broker.url, keepalive=2)
    until(lambda: "connected" in gateway.states)
    began = monotonic()
    until(lambda: any(state.startswith("no answer from") for state in gateway.states))
    assert monotonic() - began < 2.5 * 1.5


def test_link_stops_although_the_broker_reads_no_more(hostile, start, until):
    """A good-bye that nobody reads does not keep a gateway from ending."""
    gateway = start(hostile(OK5).url)
    until(lambda: "connected" in gateway.states)
    gateway.stop()
    assert not gateway.link.is_alive()
