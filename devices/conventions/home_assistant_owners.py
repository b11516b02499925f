"""Whose a topic is that Home Assistant's discovery has named.

The plain rule of `devices.places` says it, so that a device is the same before and after discovery. Where it gives one name to two devices that
discovery tells apart (`l1/light` and `l2/light` are both `light`), the one that came second is called by as much more of its topic as is its
own: `l2/light`. Two are the same if their `identifiers` are, or without them their node or object, and on one branch of the topics nothing is
told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from devices.convention import remember

MOST_DEVICES: Final = 50_000
MOST_OF_DEVICE: Final = 256
MOST_TOPICS: Final = 50_000

OBJECT: Final = "object"
VALUE: Final = "value"
"""The form of a topic's payload: the plain rule may name two devices for it."""


class Owners:
    """Which devices discovery knows, what it says of them in words, and which topics are not the device's that the plain rule names.

    Keeps `claims` (device, then configuration: whose it is, from which branch, its words) and `renamed` (topic, then form of its payload).
    """

    def __init__(self, learned: dict[str, Any]) -> None:
        self._claims: dict[str, dict[str, dict[str, Any]]] = learned.setdefault("claims", {})
        self._renamed: dict[str, dict[str, str]] = learned.setdefault("renamed", {})

    def of(self, topic: str, form: str, plain: str) -> str:
        """Return the device of a topic, which is `plain` by the plain rule."""
        return self._renamed[topic].get(form, plain) if topic in self._renamed else plain

    def settle(self, topic: str, form: str, plain: str, *, branch: str, identity: str) -> tuple[str, bool]:
        """Return the device of a topic that belongs to `identity`, and whether that is news. A name once given is kept while it is right.

        Without a branch the name is not the topic's, and stays.
        """
        known = self.of(topic, form, plain)
        if not branch:
            return known, False
        names = [known] if known != plain else []
        names += [plain, *_longer(branch, plain), topic, f"{topic}/{identity}"]
        device = next((name for name in names if not self._is_anothers(name, identity, branch)), names[-1])
        if device == known:
            return device, False
        remember(self._renamed, topic, {**self._renamed.get(topic, {}), form: device}, most=MOST_TOPICS)
        return device, True

    def claim(self, device: str, config: str, *, identity: str, branch: str, words: Mapping[str, str]) -> None:
        """Keep that a configuration has named a device."""
        if device not in self._claims:
            remember(self._claims, device, {}, most=MOST_DEVICES)
        remember(self._claims[device], config, {"of": identity, "branch": branch, "words": dict(words)}, most=MOST_OF_DEVICE)

    def disclaim(self, device: str, config: str) -> None:
        """Forget that a configuration has named a device."""
        claims = self._claims.get(device, {})
        claims.pop(config, None)
        if device in self._claims and not claims:
            del self._claims[device]

    def release(self, topic: str) -> None:
        """Give a topic back to the plain rule."""
        self._renamed.pop(topic, None)

    def words(self, device: str) -> dict[str, str]:
        """Return what is said of a device; nothing, where several share one name."""
        claims = list(self._claims.get(device, {}).values())
        one = len({claim["of"] for claim in claims}) == 1
        return {name: word for claim in claims for name, word in claim["words"].items() if one or name == "value_template"}

    def _is_anothers(self, device: str, identity: str, branch: str) -> bool:
        claims = self._claims.get(device, {}).values()
        return bool(claims) and all(claim["of"] != identity and claim["branch"] != branch for claim in claims)


def branch_of(topic: str, form: str, device: str) -> str:
    """Return the topic as far as the level that names the device; nothing where no level does.

    >>> branch_of("yard/l2/light", OBJECT, "light"), branch_of("yard/l2/light", VALUE, "l2"), branch_of("yard/l2/light", VALUE, "lamp")
    ('yard/l2/light', 'yard/l2', '')
    """
    levels = topic.split("/")
    end = len(levels) - (1 if form == VALUE and device in levels[:-1] else 0)
    at = next((place for place in reversed(range(end)) if levels[place] == device), None)
    return "" if at is None else "/".join(levels[: at + 1])


def _longer(branch: str, device: str) -> Iterator[str]:
    """Yield longer and longer ends of a branch.

    >>> list(_longer("yard/l2/light", "light"))
    ['l2/light', 'yard/l2/light']
    """
    levels = branch.split("/")
    for size in range(device.count("/") + 2, len(levels) + 1):
        yield "/".join(levels[-size:])
