"""Payload bytes into plain values, with nothing hostile coming through.

What JSON readers let pass and we do not (measured on what `json` accepts): NaN and Infinity, numbers beyond a double (`1e400`), integers
of thousands of digits, lone surrogates, nesting without end. A message with one of these is not JSON and is refused as a whole: its good
values cannot be told from its bad ones. Of duplicate keys the last wins, as everywhere. A byte order mark, and NULs or white space around
the text, come from small devices' buffers and are dropped.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

Body = dict[str, Any] | list[Any] | str | bytes
"""An object, an array, the text of anything else (`21.5`, `ON`, `"quoted"`), or bytes that are no text: whoever knows what they mean reads them."""

DEEPEST = 64
"""Objects and arrays nested deeper than this are refused by whoever walks them."""

LOG_LINE: Final = re.compile(rb"(?:\x1b\[[\d;]*m)?\[[A-Z]{1,2}\]\[[\w.-]+:\d+\]")
"""How the line of a device's log begins (`[D][sensor:094]: …`, perhaps in a colour): text, though it looks like an array."""

_decode = msgspec.json.Decoder().decode
_BOM = b"\xef\xbb\xbf"
_AROUND = b"\0 \t\r\n"
_CONTROL = dict.fromkeys(c for c in range(32) if chr(c) not in "\t\r\n\x1b")


class UnreadableError(ValueError):
    """A payload that begins like JSON and is none; the words say why."""


def read(payload: bytes) -> Body:
    r"""Return what a payload holds.

    Raises UnreadableError, and nothing else, with the reason.

    >>> read(b'{"t": 21.5}'), read(b"ON\0"), read(b""), read(b"\x81\xa1t\x15")
    ({'t': 21.5}, 'ON', '', b'\x81\xa1t\x15')
    >>> read(b'{"t": NaN}')
    Traceback (most recent call last):
        ...
    devices.payloads.UnreadableError: payload is not JSON: JSON is malformed: invalid character (byte 6); got '{"t": NaN}'
    """
    if payload[:1] not in (b"{", b"["):
        inside = payload.removeprefix(_BOM).strip(_AROUND)
        if inside[:1] not in (b"{", b"["):
            text = _text(inside)
            return payload if text is None else text
        payload = inside
    try:
        body = _decode(payload.rstrip(b"\0") if payload[-1] == 0 else payload)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"payload is not UTF-8: {error.reason} at byte {error.start}") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        if LOG_LINE.match(payload) and (text := _text(payload)) is not None:
            return text
        raise UnreadableError(f"payload is not JSON: {str(error)[:80]}; got {_shown(payload)}") from None
    return body  # type: ignore[no-any-return]


def kept(body: Any, depth: int = 0) -> Any:
    """Return what a message teaches so that it can be kept: without integers beyond 64 bits, which a snapshot cannot hold, and without end.

    >>> kept({"min": 10**30, "max": 5, "values": ["a", -(10**30)]})
    {'min': None, 'max': 5, 'values': ['a', None]}
    """
    if depth > DEEPEST:
        return None
    if isinstance(body, dict):
        return {key: kept(value, depth + 1) for key, value in body.items()}
    if isinstance(body, list):
        return [kept(value, depth + 1) for value in body]
    return None if isinstance(body, int) and not -(2**63) <= body < 2**64 else body


def quoted(text: str) -> str | None:
    """Return the text inside a JSON string; None if the text is not one.

    >>> quoted('"on"'), quoted("on")
    ('on', None)
    """
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return None
    try:
        inside = _decode(text)
    except msgspec.MsgspecError:
        return None
    return inside if isinstance(inside, str) else None


def _text(payload: bytes) -> str | None:
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() or len(text.translate(_CONTROL)) == len(text) else None


def binary(payload: bytes) -> str:
    r"""Return why bytes are no text, for whoever cannot use them.

    >>> binary(b"\xff\x00"), binary(b"a\x01")
    ('payload is binary, not UTF-8: invalid start byte at byte 0 of 2', "payload is binary: control characters in 'a\\x01'")
    """
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        return f"payload is binary, not UTF-8: {error.reason} at byte {error.start} of {len(payload)}"
    return f"payload is binary: control characters in {_shown(payload)}"


def _shown(payload: bytes) -> str:
    return repr(payload[:40].decode(errors="replace")) + ("…" if len(payload) > 40 else "")
