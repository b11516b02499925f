"""What can still be read of a damaged segment, page by page, without the tree by which SQLite finds its rows."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gateway.journal.row import Row
from gateway.journal.seal import DamagedRowError, unsealed
from gateway.journal.segment import PAGE, first_offset, segments
from gateway.sqlite_file import log_of

# The file format is SQLite's own (https://www.sqlite.org/fileformat2.html), as far as a table of integers and a blob uses it.
_LEAF = 0x0D
_LEAF_HEADER = 8
_LOG_HEADER, _FRAME_HEADER = 32, 24
_MOST_LOCAL, _LEAST_LOCAL = PAGE - 35, (PAGE - 12) * 32 // 255 - 23
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Bytes of an integer by its serial type."""
_BLOB = 12
_COLUMNS = 10


class _Place(NamedTuple):
    """Where a page begins: the descriptor of its file, and the position there."""

    fd: int
    position: int


class Remains:
    """The sound rows of a segment that its writer has left, whatever has become of its header, its tree or its log.

    Rows of other offsets than the segment's own are left out. Nothing is written. While it is open in this process, the segment must not be open
    by SQLite here too: closing a file drops the locks that the process has on it.
    """

    def __init__(self, path: Path) -> None:
        """Look through the file and its log; where they cannot be opened at all, nothing remains."""
        self.path = path
        following = next((first_offset(one) for one in segments(path.parent) if one.name > path.name), 1 << 62)
        self._range = range(first_offset(path), following)
        self._fds: list[int] = []
        for one in (path, log_of(path)):
            with suppress(OSError):
                self._fds.append(os.open(one, os.O_RDONLY))
        self._pages: dict[int, list[_Place]] = defaultdict(list)
        self._found: dict[int, tuple[_Place, int]] = {}
        for number, place in self._every_page():
            self._pages[number].append(place)
        for number, places in self._pages.items():
            for place in places if number > 1 else ():  # the first page is SQLite's own
                self._look_through(place)
        self.offsets = sorted(self._found)

    def after(self, offset: int, limit: int) -> list[Row]:
        """Read up to `limit` rows behind `offset`, in order."""
        begin = bisect_right(self.offsets, offset)
        return [self._row(one) for one in self.offsets[begin : begin + limit]]

    def before(self, offset: int, limit: int) -> list[Row]:
        """Read up to `limit` rows up to and with `offset`, newest first."""
        end = bisect_left(self.offsets, offset + 1)
        return [self._row(one) for one in reversed(self.offsets[max(0, end - limit) : end])]

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def _row(self, offset: int) -> Row:
        place, at = self._found[offset]
        return self._read_row(self._page(place), at)

    def _every_page(self) -> Iterator[tuple[int, _Place]]:
        """Give the pages of the file by their number, then those of its log."""
        for fd in self._fds[:1]:
            for position in range(0, os.fstat(fd).st_size, PAGE):
                yield position // PAGE + 1, _Place(fd, position)
        for fd in self._fds[1:]:
            yield from _committed(fd)

    def _look_through(self, place: _Place) -> None:
        """Note where the rows of a page are, those that are sound and not known yet."""
        page = self._page(place)
        if page[:1] != bytes((_LEAF,)):
            return
        count = int.from_bytes(page[3:5], "big")
        for n in range(min(count, (PAGE - _LEAF_HEADER) // 2)):
            at = int.from_bytes(page[_LEAF_HEADER + 2 * n : _LEAF_HEADER + 2 * n + 2], "big")
            with suppress(DamagedRowError, IndexError):
                offset = _varint(page, _varint(page, at)[1])[0]
                if offset in self._range and offset not in self._found:
                    self._read_row(page, at)
                    self._found[offset] = place, at

    def _page(self, place: _Place) -> bytes:
        try:
            return os.pread(place.fd, PAGE, place.position)
        except OSError:  # a bad sector
            return b""

    def _read_row(self, page: bytes, at: int) -> Row:
        size, at = _varint(page, at)
        offset, at = _varint(page, at)
        if size > len(self._pages) * PAGE:
            raise DamagedRowError(f"row {offset}: it must fit in the file; got {size} bytes")
        local = size
        if size > _MOST_LOCAL:
            local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE - 4)
            local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
        record = page[at : at + local]
        if size > local:
            record += self._overflow(int.from_bytes(page[at + local : at + local + 4], "big"), size - local)
        return unsealed((offset, *_columns(record, size)[1:]))

    def _overflow(self, number: int, size: int) -> bytes:
        """Read what did not fit on the page of a row. A page that holds such never changes: any copy of it will do."""
        parts: list[bytes] = []
        while size > 0 and number in self._pages:
            page = next(filter(None, map(self._page, reversed(self._pages[number]))), b"")
            parts.append(page[4 : 4 + min(size, PAGE - 4)])
            number, size = int.from_bytes(page[:4], "big"), size - (PAGE - 4)
        return b"".join(parts)


def _committed(log: int) -> Iterator[tuple[int, _Place]]:
    """Give the pages of a write-ahead log that a commit stands behind: of what comes after the last one, nobody was told."""
    frame = _FRAME_HEADER + PAGE
    committed: set[bytes] = set()
    found: list[tuple[int, _Place]] = []
    for n in reversed(range((os.fstat(log).st_size - _LOG_HEADER) // frame)):
        position = _LOG_HEADER + n * frame
        with suppress(OSError):
            header = os.pread(log, _FRAME_HEADER, position)
            number, commits, salt = int.from_bytes(header[:4], "big"), any(header[4:8]), header[8:16]
            if commits:
                committed.add(salt)
            if salt in committed:
                found.append((number, _Place(log, position + _FRAME_HEADER)))
    return reversed(found)


def _columns(record: bytes, size: int) -> list[int | bytes | None]:
    """Read the columns of a record of so many bytes.

    Raises:
        DamagedRowError: it is none of a segment's rows.

    """
    end, at = _varint(record, 0)
    columns: list[int | bytes | None] = []
    place = end
    while at < end and len(columns) <= _COLUMNS:
        serial, at = _varint(record, at)
        width = _INTEGERS.get(serial, (serial - _BLOB) // 2 if serial >= _BLOB else 0)
        value = record[place : place + width]
        columns.append(_value(serial, value))
        place += width
    if len(record) != size or place != size or len(columns) != _COLUMNS:
        raise DamagedRowError(f"a record must have {size} bytes and {_COLUMNS} columns; got {len(record)} and {len(columns)}")
    return columns


def _value(serial: int, value: bytes) -> int | bytes | None:
    if serial in _INTEGERS:
        return int.from_bytes(value, "big", signed=True)
    if serial >= _BLOB:
        return value
    return {8: 0, 9: 1}.get(serial)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read an integer of one to nine bytes; give it and where it ends. IndexError where the data ends before."""
    value = 0
    for n in range(8):
        byte = data[at + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    return value << 8 | data[at + 8], at + 9
