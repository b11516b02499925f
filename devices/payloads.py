"""Payload bytes into plain values, with nothing hostile coming through.

What JSON readers let pass and we do not (measured on what `json` accepts): NaN and Infinity, numbers beyond a double (`1e400`), integers
of thousands of digits, lone surrogates, nesting without end. A message with one of these is not JSON and is refused as a whole: its good
values cannot be told from its bad ones. Of duplicate keys the last wins, as everywhere. A byte order mark, and NULs or white space around
the text, come from small devices' buffers and are dropped.
"""

from __future__ import annotations

from typing import Any

import msgspec

Body = dict[str, Any] | list[Any] | str
"""An object, an array, or the text of anything else (`21.5`, `ON`, `"quoted"`): scalars are read by who knows what they mean."""

DEEPEST = 64
"""Objects and arrays nested deeper than this are refused by whoever walks them."""

_decode = msgspec.json.Decoder().decode
_BOM = b"\xef\xbb\xbf"
_AROUND = b"\0 \t\r\n"
_CONTROL = dict.fromkeys(c for c in range(32) if chr(c) not in "\t\r\n\x1b")


class UnreadableError(ValueError):
    """A payload that is neither JSON nor text; the words say why."""


def read(payload: bytes) -> Body:
    r"""Return what a payload holds.

    Raises UnreadableError, and nothing else, with the reason.

    >>> read(b'{"t": 21.5}'), read(b"ON\0"), read(b"")
    ({'t': 21.5}, 'ON', '')
    >>> read(b'{"t": NaN}')
    Traceback (most recent call last):
        ...
    devices.payloads.UnreadableError: payload is not JSON: JSON is malformed: invalid character (byte 6); got '{"t": NaN}'
    """
    if payload[:1] not in (b"{", b"["):
        payload = payload.removeprefix(_BOM).strip(_AROUND)
        if payload[:1] not in (b"{", b"["):
            return _text(payload)
    try:
        body = _decode(payload.rstrip(b"\0") if payload[-1] == 0 else payload)
    except UnicodeDecodeError as error:
        raise UnreadableError(f"payload is not UTF-8: {error.reason} at byte {error.start}") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UnreadableError(f"payload is not JSON: {str(error)[:80]}; got {_shown(payload)}") from None
    return body  # type: ignore[no-any-return]


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


def _text(payload: bytes) -> str:
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(f"payload is binary, not UTF-8: {error.reason} at byte {error.start} of {len(payload)}") from None
    if not text.isprintable() and len(text.translate(_CONTROL)) != len(text):
        raise UnreadableError(f"payload is binary: control characters in {_shown(payload)}")
    return text


def _shown(payload: bytes) -> str:
    return repr(payload[:40].decode(errors="replace")) + ("…" if len(payload) > 40 else "")
