"""The seal of a row: a CRC-32 over its fields and body, by which a reader knows a damaged one."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from msgspec import MsgspecError

from gateway.journal.row import Kind, Row

_SEALED = b"\x02"
"""The first byte of a sealed body; bodies of older journals begin with 0, 1 or a MessagePack array."""
_FIELDS = struct.Struct("<9q")
_CRC = struct.Struct("<I")


class DamagedRowError(ValueError):
    """What is kept of a row is not what was written."""


def sealed(row: Row) -> bytes:
    """Give the body of a row as it is kept: with the CRC-32 of all that the row says."""
    return _SEALED + _CRC.pack(_crc(row)) + row.body


def unsealed(found: tuple[Any, ...]) -> Row:
    """Give the row whose columns were found in a file.

    Rows of older journals have no seal: of these it is only known that they can be decoded.

    Raises:
        DamagedRowError: they are not what was written.

    """
    offset, kind, received, uptime, session, connection, live, count, total, kept = found
    if not isinstance(kept, bytes):
        raise DamagedRowError(f"row {offset}: the body must be bytes; got {type(kept).__name__}")
    has_seal = kept[:1] == _SEALED and len(kept) >= 1 + _CRC.size
    body = kept[1 + _CRC.size :] if has_seal else kept
    row = Row(offset, kind, received, uptime, session, connection, bool(live), count, total, body)
    try:
        sound = _CRC.unpack_from(kept, 1)[0] == _crc(row) if has_seal else _can_be_decoded(row)
    except struct.error as error:
        raise DamagedRowError(f"row {offset}: its fields must be integers; got {found[:9]}") from error
    if not sound:
        raise DamagedRowError(f"row {offset}: it must be as it was written; got another checksum or form")
    return row


def _crc(row: Row) -> int:
    fields = (row.offset, row.kind, row.received, row.uptime, row.session, row.connection, row.live, row.count, row.total)
    return zlib.crc32(row.body, zlib.crc32(_FIELDS.pack(*fields)))


def _can_be_decoded(row: Row) -> bool:
    _crc(row)  # the fields are integers
    read = {Kind.MESSAGES: row.entries, Kind.FACTS: row.facts, Kind.REPLAYS: row.replays, Kind.DERIVED: row.derived}.get(row.kind)  # type: ignore[call-overload]
    if read is None:
        return row.kind in {Kind.TICK, Kind.END} and not row.body
    try:
        read()
    except (MsgspecError, zlib.error, ValueError, IndexError):
        return False
    return True
