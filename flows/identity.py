"""Ids that are pure functions of their cause, so that whatever is decided twice after a crash is one thing."""

from __future__ import annotations

from hashlib import blake2b
from zlib import crc32

from gateway.store.effects import SHARDS, Group


def effect_id(kind: str, *cause: str | int) -> str:
    """Name an effect by its cause: 80 bits of BLAKE2b behind a letter for its kind.

    >>> effect_id("w", "climate", "t1", 1700000000000000000, 1)
    'w-7b5d5abb170c36b949d8'
    """
    return f"{kind}-{blake2b(chr(31).join(map(str, cause)).encode(), digest_size=10).hexdigest()}"


def group_text(group: Group) -> str:
    """Write a group key as one text that no other key shares."""
    if len(group) == 1:
        return group[0][1].replace(chr(30), chr(30) * 2)
    return chr(30).join(value.replace(chr(30), chr(30) * 2) for _, value in group)


def shard_of(flow: str, group: Group) -> int:
    """Tell which shard holds the state of a group: stable over processes and versions."""
    return crc32(f"{flow}{chr(31)}{group_text(group)}".encode()) % SHARDS
