"""Packed objects: what plain JSON would say, in CBOR (RFC 8949), as devices with little memory or a dear radio send it."""

from __future__ import annotations

from typing import Any

import cbor2

from simulator.dialects.plain_json import PlainJson


class Packed(PlainJson):
    """One device on `<root>/<name>`; it takes its commands in CBOR too.

    >>> from simulator.manner import Manner
    >>> Packed("t-1", Manner(timestamps="none")).report({"temperature": 21.5}, on=None, at=0)[0].payload.hex(" ", 4)
    'a16b7465 6d706572 61747572 65f94d60'
    """

    def _written(self, body: dict[str, Any]) -> bytes:
        return cbor2.dumps(body, canonical=True)

    def _read(self, payload: bytes) -> Any:
        try:
            return cbor2.loads(payload)
        except (cbor2.CBORError, ValueError, RecursionError, OverflowError):
            return None
