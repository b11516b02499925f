"""The bytes of a load: every packet read back by paho, and the outbox against brokers that answer in any order."""

import hashlib
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from devices.catalogue import Catalogue
from devices.reading import Message
from simulator.load import LoadSpec
from simulator.load.outbox import Outbox
from simulator.load.packets import IDS, Answer, answers, connect, length
from simulator.load.reports import Reports

STAMP = 1_750_000_000_250


class Decoder:
    """paho's own reading of packets, fed with bytes."""

    def __init__(self, stream):
        self._stream = stream
        self.messages = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client._sock_recv = self._take
        self._client._send_puback = lambda _: 0
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)

    def _take(self, count):
        if not self._stream:
            raise BlockingIOError
        taken, self._stream = self._stream[:count], self._stream[count:]
        return taken

    def read(self):
        while self._stream:
            assert self._client._packet_read() == 0
        return self.messages


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize(("devices", "step"), [(7, 1), (1000, 1), (1000, 3), (100_000, 4)])
def test_reports_read_by_paho(qos, devices, step):
    """Another decoder reads from a batch the device, packet id, flags, number, time and value of each message, all of one length."""
    reports = Reports(LoadSpec(devices=devices, qos=qos, metrics=2, connections=step if devices % step == 0 else 1), seed=1)
    for number in (0, 993, 1000, 65_530, 12_345_000):
        count = min(40, -(-reports.together(number) // step))
        packets = reports.encode(number, count, step=step, position=number, stamp=STAMP)
        assert len(packets) == count * reports.size
        messages = Decoder(packets).read()
        assert len(messages) == count
        width = max(4, len(str(devices)))
        for index, message in enumerate(messages):
            seq = number + index * step
            assert message.topic == f"load/d-{seq % devices + 1:0{width}}"
            assert (message.qos, message.dup, message.retain) == (qos, False, False)
            assert message.mid == ((number + index) % IDS + 1 if qos else 0)
            body = json.loads(message.payload)
            assert (body["seq"], body["ts"]) == (seq, STAMP)
            assert 20 <= body["temperature"] < 30
            assert body.keys() == {"ts", "seq", "temperature", "humidity"}


def test_reports_understood():
    """A message of a load is readings of its device, at its time."""
    (packet,) = Decoder(Reports(LoadSpec(), seed=1).encode(7, 1, step=1, position=7, stamp=STAMP)).read()
    received = (STAMP + 5000) * 1_000_000
    readings = Catalogue().readings(Message(packet.topic, packet.payload, received=received))
    said = {(reading.device, reading.metric, reading.ts) for reading in readings}
    assert said == {("d-0008", metric, STAMP * 1_000_000) for metric in ("seq", "temperature")}
    assert {reading.value for reading in readings if reading.metric == "seq"} == {7}


def test_reports_unlike():
    """No two messages are alike but for their time, and the values of a device are spread over the whole range."""
    reports = Reports(LoadSpec(devices=10), seed=1)
    packets = b"".join(reports.encode(number, 1000, step=1, position=0, stamp=STAMP) for number in range(0, 5000, 1000))
    bodies = [json.loads(line) for line in reports.truth(packets, 0, 5000)]
    assert len({(body["device"], body["seq"]) for body in bodies}) == 5000
    values = [body["temperature"] for body in bodies if body["device"] == "d-0003"]
    assert len(set(values)) == 100
    assert min(values) < 21
    assert max(values) > 29


def test_reports_same_seed_same_bytes():
    """The same seed gives the same bytes, on every machine; another seed gives others."""

    def bytes_of(seed):
        reports = Reports(LoadSpec(devices=100, metrics=3), seed=seed)
        return b"".join(reports.encode(number, 100, step=1, position=number, stamp=STAMP) for number in range(0, 3000, 100))

    assert bytes_of(7) != bytes_of(8)
    assert len(bytes_of(7)) == len(bytes_of(8))
    assert hashlib.sha256(bytes_of(7)).hexdigest() == "4a99731a5cf69c08c7f51c2e9fbeb228db4fb59732de3f9b13fe0c05186d1995"


def _outbox(*, qos=1, in_flight=1000, devices=1000):
    reports = Reports(LoadSpec(devices=devices, qos=qos), seed=1)
    box = Outbox(size=reports.size, qos=qos, in_flight=in_flight)

    def put(count):
        first = box.end
        box.put(reports.encode(first, count, step=1, position=first, stamp=STAMP), count, now=0)

    return box, put, reports.size


def _write(box, limit=None):
    """Let the outbox write all, or so many bytes, and give them."""
    written = b""
    while (packets := box.unwritten()) is not None and (limit is None or limit > 0):
        taken = bytes(packets[:limit])
        box.wrote(len(taken))
        written += taken
        limit = None if limit is None else limit - len(taken)
    return written


def _numbers(spans):
    return [batch.first + index for batch, start, stop in spans for index in range(start, stop)]


def _puback(number):
    return b"\x40\x02" + (number % IDS + 1).to_bytes(2, "big")


@given(st.permutations(range(30)), st.lists(st.integers(1, 119), max_size=8), st.booleans())
def test_outbox_any_order(order, cuts, ping):
    """Whatever the order of the PUBACKs and however they are cut, each message is done once, and then nothing waits."""
    box, put, _ = _outbox()
    for _ in range(3):
        put(10)
    _write(box)
    stream = b"".join(_puback(number) for number in order[:15]) + (b"\xd0\x00" if ping else b"")
    stream += b"".join(_puback(number) for number in order[15:])
    done, others = [], []
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in itertools.pairwise(places):
        spans, more = box.acknowledged(stream[start:stop])
        done += _numbers(spans)
        others += more
    assert done == list(order)
    assert others == ([Answer(0xD0, b"")] if ping else [])
    assert (box.waiting, box.room) == (0, 1000)


def test_outbox_ids_go_round():
    """Packet ids begin again after 65535, and the PUBACKs are still understood."""
    box, put, _ = _outbox()
    while box.end < 70_000:
        first = box.end
        put(min(700, 1000 - first % 1000))
        _write(box)
        spans, _ = box.acknowledged(b"".join(_puback(number) for number in range(first, box.end)))
        assert _numbers(spans) == list(range(first, box.end))
    assert box.waiting == 0


@given(st.integers(0, 20), st.integers(0, 1600))
def test_outbox_again_marks_what_was_written(acknowledged, limit):
    """On another connection the rest comes again, in order: with DUP what was written, even in part, and without it what never was."""
    box, put, size = _outbox()
    put(12)
    put(8)
    written = -(-min(limit, 20 * size) // size)
    _write(box, limit)
    acknowledged = min(acknowledged, limit // size)
    box.acknowledged(b"".join(_puback(number) for number in range(acknowledged)))
    box.acknowledged(b"\x40")  # the beginning of a PUBACK that the break cut off
    box.again()
    messages = Decoder(_write(box)).read()
    assert [message.mid for message in messages] == [number + 1 for number in range(acknowledged, 20)]
    assert [message.dup for message in messages] == [number < written for number in range(acknowledged, 20)]
    spans, _ = box.acknowledged(b"".join(_puback(number) for number in range(acknowledged, 20)))
    assert _numbers(spans) == list(range(acknowledged, 20))
    assert box.waiting == 0


def test_outbox_again_after_an_early_puback():
    """A message that was acknowledged before an older one comes again too; its second PUBACK counts nothing."""
    box, put, _ = _outbox()
    put(3)
    _write(box)
    assert _numbers(box.acknowledged(_puback(1))[0]) == [1]
    box.again()
    assert len(Decoder(_write(box)).read()) == 3
    done = [number for answer in range(3) for number in _numbers(box.acknowledged(_puback(answer))[0])]
    assert done == [0, 2]
    assert box.waiting == 0


@given(st.integers(0, 1600))
def test_outbox_qos_0_goes_on_at_the_cut(limit):
    """At QoS 0 a message is done when it is written; after a break only the one that was cut in the middle is written again."""
    box, put, size = _outbox(qos=0)
    put(20)
    _write(box, limit)
    done = min(limit // size, 20)
    assert box.waiting == 20 - done
    box.again()
    messages = Decoder(_write(box)).read()
    assert [json.loads(message.payload)["seq"] for message in messages] == list(range(done, 20))
    assert box.waiting == 0


def test_outbox_unknown_pubacks():
    """A PUBACK for nothing that is in flight is passed over."""
    box, put, _ = _outbox()
    put(2)
    _write(box)
    assert box.acknowledged(_puback(5) + _puback(60_000)) == ([], [])
    assert box.waiting == 2


def test_answers_too_long():
    """A packet that no broker sends to a publisher is an error, not a wait for its end."""
    with pytest.raises(ConnectionError, match=re.escape("got one that begins with 0x30")):
        answers(b"\x30\x80\x01")


@pytest.mark.parametrize(("size", "written"), [(0, "00"), (128, "8001"), (16_384, "808001"), (268_435_455, "ffffff7f")])
def test_length_of_the_specification(size, written):
    """The borders of table 2.4 of MQTT 3.1.1."""
    assert length(size).hex() == written


def test_connect_with_account():
    """An account stands behind the client id, and its flags say so."""
    packet = connect("me", keep_alive=30, username="u", password="pw")
    assert packet == b"\x10\x15\x00\x04MQTT\x04\xc2\x00\x1e\x00\x02me\x00\x01u\x00\x02pw"
    assert connect("me", keep_alive=30, password="pw") == connect("me", keep_alive=30)
