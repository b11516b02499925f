"""What the devices of a load say: batches of PUBLISH packets, put together from parts that were encoded once."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.load.packets import IDS, PACKET_IDS, publish_head
from simulator.load.spec import METRICS, LoadSpec
from simulator.signals import Dice

BLOCK = 1000
"""After so many messages the values begin again, and the higher digits of `seq` change."""


class Reports:
    """Encodes messages that are all of the same length; message n, from 0, is device n modulo their number.

    A payload is `{"ts", "seq", "temperature", …}`: `ts` is epoch ms, `seq` is n, and a value lies between 20 and 30 by n and the seed, so
    that no two messages of a device are alike. `seq` stands at the right of 12 places, behind spaces: JSON knows no leading zeros.
    A message is four parts: its device's topic, its packet id, time and higher digits (the same in a whole batch), lower digits and values.
    All four come out of tables by slices, so that no line of Python runs for a single message.
    """

    def __init__(self, spec: LoadSpec, *, seed: int) -> None:
        width = max(4, len(str(spec.devices)))
        names = [f"{spec.name}-{number:0{width}}" for number in range(1, spec.devices + 1)]
        orders = [(metric, _shuffled(Dice.of(seed, metric))) for metric in METRICS[: spec.metrics]]
        values = ["".join(f',"{metric}":{20 + order[low] / 100:.2f}' for metric, order in orders) for low in range(BLOCK)]
        self._first_tails = [f"{low:3d}{values[low]}}}".encode() for low in range(BLOCK)]
        self._tails = [f"{low:03d}{values[low]}}}".encode() for low in range(BLOCK)]
        self._payload = len(_middle(0, stamp=10**12)) + len(self._tails[0])
        heads = [publish_head(f"{spec.root}/{name}", qos=spec.qos, payload=self._payload) for name in names]
        # A batch may go through a few devices many times, unless that would move them from one connection to the next.
        self._heads = heads if spec.devices % spec.connections else heads * -(-2 * BLOCK // spec.devices)
        self._name = len(names[0])
        self._qos = spec.qos
        self.size = len(self._heads[0]) + (2 if spec.qos else 0) + self._payload
        """Bytes of a packet."""

    def together(self, number: int) -> int:
        """Say how many messages from `number` on can be one batch: up to the end of their block, and of the list of devices."""
        return min(BLOCK - number % BLOCK, len(self._heads) - number % len(self._heads))

    def encode(self, number: int, count: int, *, step: int, position: int, stamp: int) -> bytes:
        """Write `count` PUBLISH packets: messages `number`, `number + step`, …, all of them `together`.

        `position` counts the messages of the connection and gives the packet ids (those of QoS 0 have none); `stamp` is epoch ms.
        """
        reach, low, device, packet_id = (count - 1) * step + 1, number % BLOCK, number % len(self._heads), position % IDS
        tails = self._tails if number >= BLOCK else self._first_tails
        columns = [self._heads[device : device + reach : step], tails[low : low + reach : step]]
        if self._qos:
            columns.insert(1, PACKET_IDS[packet_id : packet_id + count])
        width = len(columns) + 1
        parts = [_middle(number // BLOCK, stamp=stamp)] * (width * count)
        for place, column in zip((0, 1, 3) if self._qos else (0, 2), columns, strict=True):
            parts[place::width] = column
        return b"".join(parts)

    def truth(self, packets: bytes | bytearray, first: int, last: int) -> Iterator[bytes]:
        """Give the packets from `first` up to, and not including, `last` as lines of JSON: the payload, with its `device` before all."""
        for end in range((first + 1) * self.size, (last + 1) * self.size, self.size):
            payload = end - self._payload
            name_end = payload - (2 if self._qos else 0)
            yield b"".join((b'{"device":"', packets[name_end - self._name : name_end], b'",', packets[payload + 1 : end], b"\n"))


def _shuffled(dice: Dice) -> list[int]:
    return sorted(range(BLOCK), key=lambda _: dice.uniform())


def _middle(block: int, *, stamp: int) -> bytes:
    return b'{"ts":%13d,"seq":%9b' % (stamp, b"%d" % block if block else b"")
