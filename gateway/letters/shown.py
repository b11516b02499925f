"""How a dead letter looks: as JSON, and with all that is known of it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from gateway.delivery.refused import RefusedRow
from gateway.journal.row import Flag
from gateway.screen import shown, time_text, value_text
from gateway.store.views import Letter

_HEX_WIDTH = 16
_HEX_MOST = 4096
"""Bytes of a binary payload that are written out; --json has them all."""

CONFIG_BEHIND = "the running `sluice up` still has the config from before: `sluice status` says why"

_CAVEAT = "          (by the config alone: what devices teach, such as births and discovery, only the flows know)"


def letter_document(letter: Letter) -> dict[str, Any]:
    """Give a letter as `--json` prints it."""
    return {
        "id": letter.id,
        "received": _iso(letter.received),
        "topic": letter.topic,
        "device": letter.device or None,
        "reason": letter.reason,
        "payload_b64": b64encode(letter.payload).decode(),
        "retained": bool(letter.flags & Flag.RETAINED),
        "whole": not letter.flags & Flag.OVERSIZE,
        "keys": list(letter.keys),
        "state": letter.state,
        "attempts": letter.attempts,
        "tried": None if letter.tried_at is None else _iso(letter.tried_at),
        "outcome": letter.outcome or None,
    }


def row_document(row: RefusedRow) -> dict[str, Any]:
    """Give a row that a destination refused as `--json` prints it."""
    return {
        "id": row.name,
        "destination": row.destination,
        "stream": row.row.stream,
        "reason": row.row.reason,
        "row": _body(row),
        "state": "dead",
    }


def letter_lines(letter: Letter, now: dict[str, Any], *, restart_first: bool) -> Iterator[str]:
    """Write all that is known of a letter; `now` is what the present config makes of it, as `sluice decode` prints it.

    `restart_first`: what runs does not have the present config yet.
    """
    yield f"id        {letter.id}"
    yield f"topic     {shown(letter.topic)}"
    yield f"device    {shown(letter.device) or 'not known'}"
    yield f"received  {time_text(letter.received)}{', retained' if letter.flags & Flag.RETAINED else ''}"
    yield f"state     {_state(letter)}"
    yield f"reason    {shown(letter.reason)}"
    if letter.keys:
        yield f"values    only {shown(', '.join(letter.keys))}; the others were taken when it came"
    yield f"payload   {_size(letter)}"
    yield from (f"  {line}" for line in payload_lines(letter.payload))
    if letter.state == "dead":
        yield from _now_lines(letter, now, restart_first=restart_first)


def row_lines(row: RefusedRow) -> Iterator[str]:
    """Write all that is known of a row that a destination refused."""
    yield f"id        {shown(row.name)}"
    yield f"refused   by {row.destination}, one of the {row.row.stream}"
    yield f"reason    {shown(row.row.reason)}"
    yield "row"
    yield from (f"  {line}" for line in payload_lines(row.row.body.encode()))
    yield "It stands in the store, and with every other destination; it is not offered to this one again."


def _body(row: RefusedRow) -> Any:
    """Give the row as JSON; as text where it was too long to be kept whole."""
    try:
        return json.loads(row.row.body)
    except ValueError:
        return row.row.body


def _state(letter: Letter) -> str:
    tried = "" if letter.tried_at is None else f", read again {letter.attempts}×, the last time at {time_text(letter.tried_at)}"
    return f"{letter.state}{tried}{f': {shown(letter.outcome)}' if letter.outcome else ''}"


def _size(letter: Letter) -> str:
    return f"{len(letter.payload):,} bytes{', the head of a larger one' if letter.flags & Flag.OVERSIZE else ''}"


def _now_lines(letter: Letter, now: dict[str, Any], *, restart_first: bool) -> Iterator[str]:
    """Write what a replay would give."""
    if letter.flags & Flag.OVERSIZE:
        yield "now       it cannot be read again: only the head of its payload was kept (limits.payload)"
    elif "dead_letter" in now:
        yield f"now       still dead: {shown(now['dead_letter'])}"
        yield "          a profile or a template in config/devices may read it: docs/devices.md"
        yield _CAVEAT
    else:
        yield "now       would now give:"
        yield from (f"  {line}" for line in _given(now))
        yield f"          `sluice dead-letters replay {letter.id}` reads it again"
        if restart_first:
            yield f"          {CONFIG_BEHIND}"
        yield _CAVEAT


def _given(now: dict[str, Any]) -> Iterator[str]:
    for word in ("ignored", "held"):
        if word in now:
            yield f"no reading ({word}): {shown(now[word])}"
    for one in now["readings"]:
        name = f"{one['metric']}/{one['channel']}" if one["channel"] else one["metric"]
        yield f"{shown(one['device'])}  {shown(name)}  {value_text(one['value'], one['unit'])}  at {time_text(one['ts'])}"


def payload_lines(payload: bytes) -> list[str]:
    r"""Write a payload: JSON with indents, other text as it is, anything else in hexadecimal.

    >>> payload_lines(b'{"a": 1}'), payload_lines(b"21 C"), payload_lines(b"\x01A\xff")
    (['{', '  "a": 1', '}'], ['21 C'], ['0000  01 41 ff                                         .A.'])
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return _hex_lines(payload)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        if any(not (c.isprintable() or c in "\t\r\n") for c in text):
            return _hex_lines(payload)
        return [shown(line) for line in text.splitlines()]
    return [shown(line) for line in json.dumps(document, ensure_ascii=False, indent=2).split("\n")]


def _hex_lines(payload: bytes) -> list[str]:
    lines = []
    for start in range(0, min(len(payload), _HEX_MOST), _HEX_WIDTH):
        part = payload[start : start + _HEX_WIDTH]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        lines.append(f"{start:04x}  {part.hex(' '):<{3 * _HEX_WIDTH - 1}}  {text}")
    return [*lines, "…"] if len(payload) > _HEX_MOST else lines


def _iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds")
