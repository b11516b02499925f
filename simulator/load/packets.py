"""The MQTT 3.1.1 packets that a load needs, written and read as bytes.

Source: MQTT Version 3.1.1, OASIS Standard, 29 October 2014; the sections are named where their rule is used.
"""

from __future__ import annotations

from typing import NamedTuple

CONNACK, PUBACK, PINGRESP = 0x20, 0x40, 0xD0
"""The first byte of what a broker sends to somebody who only publishes, at QoS 1 at most (§2.2.1)."""

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
DUP = 0x08
"""The bit of a PUBLISH's first byte that says that it has been sent before (§3.3.1.1)."""

IDS = 65_535
"""How many packet ids there are: 1 to 65535 (§2.3.1)."""
PACKET_IDS = [number.to_bytes(2, "big") for number in range(1, IDS + 1)] * 2
"""Every packet id in order, twice, so that a slice that starts in the first half never has to wrap."""
PUBACKS = b"".join(b"\x40\x02" + number for number in PACKET_IDS)
"""The PUBACK of each of them (§3.4): what a broker that answers in order will send."""

_REFUSALS = {
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
_CLEAN_SESSION, _PASSWORD, _USERNAME = 0x02, 0x40, 0x80


class Answer(NamedTuple):
    """A packet from the broker: its first byte, and what follows the length."""

    kind: int
    body: bytes


def connect(client_id: str, *, keep_alive: int, username: str | None = None, password: str | None = None) -> bytes:
    r"""Write a CONNECT with a clean session (§3.1); `keep_alive` is in s. A password without a user name is left out ([MQTT-3.1.2-22]).

    >>> connect("a", keep_alive=30)
    b'\x10\r\x00\x04MQTT\x04\x02\x00\x1e\x00\x01a'
    """
    flags, fields = _CLEAN_SESSION, [_text(client_id)]
    if username is not None:
        flags |= _USERNAME
        fields.append(_text(username))
        if password is not None:
            flags |= _PASSWORD
            fields.append(_text(password))
    body = b"".join((_text("MQTT"), b"\x04", bytes([flags]), keep_alive.to_bytes(2, "big"), *fields))
    return b"\x10" + length(len(body)) + body


def publish_head(topic: str, *, qos: int, payload: int) -> bytes:
    r"""Write a PUBLISH (§3.3) up to its packet id, or at QoS 0 up to its payload; `payload` is the payload's length in bytes.

    >>> publish_head("a/b", qos=1, payload=3)
    b'2\n\x00\x03a/b'
    """
    name = _text(topic)
    return bytes([0x30 | qos << 1]) + length(len(name) + (2 if qos else 0) + payload) + name


def length(size: int) -> bytes:
    r"""Write a remaining length: 7 bits a byte, the lowest first, the top bit for "more follows" (§2.2.3).

    >>> length(127), length(128), length(16_383)
    (b'\x7f', b'\x80\x01', b'\xff\x7f')
    """
    written = bytearray()
    while size > 127:
        written.append(size & 0x7F | 0x80)
        size >>= 7
    written.append(size)
    return bytes(written)


def answers(received: bytes) -> tuple[list[Answer], bytes]:
    r"""Cut what a broker sent into whole packets, and give the rest, which is the beginning of one.

    A broker has nothing longer than a CONNACK or a PUBACK to say here; ConnectionError for a packet with more than 127 bytes after its length.

    >>> answers(b"\x40\x02\x00\x07\xd0\x00\x40\x02")
    ([Answer(kind=64, body=b'\x00\x07'), Answer(kind=208, body=b'')], b'@\x02')
    """
    found, at = [], 0
    while len(received) - at >= 2:
        kind, size = received[at], received[at + 1]
        if size > 127:
            raise ConnectionError(
                f"broker: must answer a publisher with packets of at most 127 bytes; got one that begins with 0x{kind:02x}"
            )
        if len(received) - at < 2 + size:
            break
        found.append(Answer(kind, received[at + 2 : at + 2 + size]))
        at += 2 + size
    return found, received[at:]


def refusal(answer: Answer) -> str | None:
    r"""Say why a broker does not take us, None when it does (§3.2.2.3); also for an answer that is no CONNACK.

    >>> refusal(Answer(0x20, b"\x00\x00")), refusal(Answer(0x20, b"\x00\x05"))
    (None, 'not authorized')
    """
    if answer.kind != CONNACK or len(answer.body) != 2:
        return f"an answer that is no CONNACK, 0x{answer.kind:02x}"
    code = answer.body[1]
    return None if code == 0 else _REFUSALS.get(code, f"return code {code}")


def _text(written: str) -> bytes:
    """Write a text behind its length (§1.5.3)."""
    encoded = written.encode()
    return len(encoded).to_bytes(2, "big") + encoded
