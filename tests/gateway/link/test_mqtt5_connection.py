"""The fast connection takes packets apart as MQTT 5 says, however they are cut up on the way, and nothing else."""

from __future__ import annotations

import socket
from contextlib import contextmanager, suppress

import mqtt5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.journal.row import Entry, Flag
from gateway.link.connection import AT_ONCE, NOT_MQTT, Hello
from gateway.link.endpoint import Endpoint
from gateway.link.mqtt5_connection import Mqtt5Connection
from gateway.settings import Broker

LONGEST = 400_000


class Noted:
    """A listener that notes what it is told."""

    def __init__(self):
        self.heard = []

    def on_let_in(self, *, session_present, expiry):
        self.heard.append(("let in", session_present, expiry))

    def on_refused(self, reason):
        self.heard.append(("refused", reason))

    def on_granted(self, request, reasons):
        self.heard.append(("granted", request, reasons))

    def on_published(self, request, reason):
        self.heard.append(("published", request, reason))

    def on_ended(self, reason, *, said):
        self.heard.append(("ended", reason, said))


@contextmanager
def connected():
    """Give a connection that is open, what it notes, and the broker's end of its line."""
    noted = Noted()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    hello = Hello("me", ("will", b""), expiry=0, ahead=AT_ONCE, longest_packet=LONGEST)
    connection = Mqtt5Connection(Endpoint.of(Broker(), "mqtt://127.0.0.1"), hello, noted)
    connection._sock = ours
    with ours, theirs:
        yield connection, noted, theirs
        connection.close()


def read_all(connection):
    entries = []
    while found := connection.read():
        assert len(found) <= AT_ONCE
        entries += found
    return entries


topics = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=20)
properties = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"user_properties": st.lists(st.tuples(st.text("ab"), st.text("ab")), min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {"content_type": st.text("ab/"), "message_expiry_interval": st.integers(0, 100), "subscription_ids": st.just([1])}
    ),
)
messages = st.builds(
    lambda topic, payload, packet_id, retain, dup, more: mqtt5.PublishPacket(
        topic,
        payload,
        qos=mqtt5.QoS(int(packet_id > 0)),
        packet_id=packet_id or None,
        retain=retain,
        duplicate=dup and packet_id > 0,
        **more,
    ),
    topics,
    st.binary(max_size=300),
    st.integers(0, 65_535),
    st.booleans(),
    st.booleans(),
    properties,
)


def entry_of(packet):
    flags = (Flag.RETAINED if packet.retain else 0) | (Flag.DUP if packet.duplicate else 0)
    return Entry(packet.topic, packet.payload, packet.packet_id or 0, flags)


@settings(max_examples=200, deadline=None)
@given(st.lists(messages, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_messages_are_the_same_however_they_are_cut(packets, cuts):
    """Byte by byte or all at once, with properties and without."""
    raw = b"".join(packet.write() for packet in packets)
    with connected() as (connection, noted, broker):
        entries, at, turn = [], 0, 0
        while at < len(raw):
            size = cuts[turn % len(cuts)]
            broker.sendall(raw[at : at + size])
            entries += read_all(connection)
            at, turn = at + size, turn + 1
        assert entries == [entry_of(packet) for packet in packets]
        assert noted.heard == []


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=60))
def test_nonsense_ends_the_connection_or_is_waited_for(raw):
    """No bytes do anything but be messages, be told to the listener, or end the connection."""
    with connected() as (connection, noted, broker):
        broker.sendall(raw)
        read_all(connection)
        assert connection.socket() is not None or noted.heard[-1][0] == "ended"


def test_a_message_of_many_reads_is_whole():
    payload = bytes(range(256)) * 1500
    with connected() as (connection, _, broker):
        raw, entries, at = mqtt5.PublishPacket("big", payload).write(), [], 0
        while at < len(raw):
            broker.sendall(raw[at : at + 50_000])
            entries += read_all(connection)
            at += 50_000
        assert entries == [Entry("big", payload, 0, 0)]


def test_a_packet_longer_than_was_asked_for_is_not_waited_for():
    with connected() as (connection, noted, broker):
        broker.sendall(b"\x30" + b"\xff\xff\xff\x7f" + b"\x00\x01a\x00")
        assert read_all(connection) == []
        assert noted.heard == [("ended", NOT_MQTT, False)]


def test_no_more_than_a_row_is_handed_on_at_once():
    """What is left over is pending, though nothing is in the socket."""
    with connected() as (connection, _, broker):
        broker.sendall(mqtt5.PublishPacket("t", b"").write() * (AT_ONCE + 10))
        assert len(connection.read()) == AT_ONCE
        assert connection.pending()
        assert len(connection.read()) == 10
        assert not connection.pending()


def test_numbers_stand_for_topics():
    """A topic alias holds for the connection; one that was never given is no MQTT (3.3.2.3.4)."""
    with connected() as (connection, noted, broker):
        for topic, alias in [("long/topic", 1), ("", 1), ("other", 2), ("", 1), ("new", 1), ("", 1)]:
            broker.sendall(mqtt5.PublishPacket(topic, b"x", topic_alias=alias).write())
        assert [entry.topic for entry in read_all(connection)] == ["long/topic", "long/topic", "other", "long/topic", "new", "new"]
        broker.sendall(mqtt5.PublishPacket("", b"x", topic_alias=3).write())
        assert read_all(connection) == []
        assert noted.heard == [("ended", NOT_MQTT, False)]


ACK, CONNACK, SUBACK, GONE = mqtt5.PubAckReasonCode, mqtt5.ConnAckReasonCode, mqtt5.SubAckReasonCode, mqtt5.DisconnectReasonCode
SAID = [
    (mqtt5.ConnAckPacket(session_present=True, session_expiry_interval=60), ("let in", True, 60)),
    (mqtt5.ConnAckPacket(reason_code=CONNACK.CLIENT_ID_NOT_VALID), ("refused", "Client identifier not valid")),
    (mqtt5.SubAckPacket(7, [SUBACK.NOT_AUTHORIZED, SUBACK.GRANTED_QOS_AT_LEAST_ONCE]), ("granted", 7, ["Not authorized", ""])),
    (mqtt5.UnsubAckPacket(8, [mqtt5.UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED]), ("granted", 8, [""])),
    (mqtt5.PubAckPacket(9, reason_code=ACK.QUOTA_EXCEEDED), ("published", 9, "Quota exceeded")),
    (mqtt5.PubAckPacket(9, reason_code=ACK.NO_MATCHING_SUBSCRIBERS), ("published", 9, "")),
    (mqtt5.DisconnectPacket(reason_code=GONE.SESSION_TAKEN_OVER), ("ended", "Session taken over", True)),
    (mqtt5.DisconnectPacket(reason_code=GONE.RECEIVE_MAX_EXCEEDED), ("ended", "Receive Maximum exceeded", True)),
    (mqtt5.PubRelPacket(1), ("ended", NOT_MQTT, False)),
    (mqtt5.PublishPacket("t", b"", qos=mqtt5.QoS.EXACTLY_ONCE, packet_id=1), ("ended", NOT_MQTT, False)),
]


@pytest.mark.parametrize(("packet", "told"), SAID)
def test_what_the_broker_says_is_told(packet, told):
    with connected() as (connection, noted, broker):
        broker.sendall(packet.write())
        assert read_all(connection) == []
        assert noted.heard == [told]


def test_acknowledgements_go_out_in_one_piece():
    with connected() as (connection, _, broker):
        connection.acknowledge([1, 65_535])
        assert broker.recv(100) == b"\x40\x02\x00\x01\x40\x02\xff\xff"


def test_what_a_slow_broker_does_not_take_yet_waits():
    with connected() as (connection, _, broker):
        sent = 0
        while not connection.wants_write():
            connection.publish("t", bytes(10_000))
            sent += 1
        raw = b""
        while connection.wants_write():
            raw += broker.recv(1 << 20)
            connection.write()
        broker.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                raw += broker.recv(1 << 20)
        view, got = memoryview(raw), 0
        while view:
            packet, size = mqtt5.read(view)
            assert packet.payload == bytes(10_000)
            view, got = view[size:], got + 1
        assert got == sent
