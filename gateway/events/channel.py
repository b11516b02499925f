"""Where events are published: `sluice/<site>/…`, one level of the topic per part."""

from __future__ import annotations

import re
from string import Formatter
from typing import NamedTuple
from urllib.parse import quote

from devices.topics import encode

LEVELS = {
    "site": "The gateway's `site`.",
    "flow": "The flow's name.",
    "group": "The group's values joined with `,`; `all` for the empty group.",
    "device": "The device's name.",
    "metric": "The metric's name.",
    "channel": "What tells two readings of one metric on one device apart.",
    "client": "The gateway's client id at the broker.",
}
"""What may stand in an address, and what it is. `/ + # %` and what brokers refuse in a topic are percent-encoded inside a level."""

_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_REFUSED = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
"""What brokers refuse in a topic by closing the connection (MQTT 5, 1.5.4: control characters and non-characters)."""


class Channel(NamedTuple):
    """One kind of topic. `address` has its levels in braces, as AsyncAPI writes them."""

    name: str
    address: str
    about: str
    retained: bool = False

    @property
    def levels(self) -> list[str]:
        """The names in braces."""
        return [name for _, name, _, _ in Formatter().parse(self.address) if name]

    def topic(self, **levels: str) -> str:
        """Give the topic with these levels; distinct names give distinct topics."""
        return self.address.format_map({name: level(text) for name, text in levels.items()})


def level(text: str) -> str:
    r"""Give any text as one level: what `devices.topics.encode` encodes, and what brokers refuse.

    >>> level("attic/left #2"), level("a\nb")
    ('attic%2Fleft %232', 'a%0Ab')
    """
    return _REFUSED.sub(lambda found: quote(found[0]), encode(text))
