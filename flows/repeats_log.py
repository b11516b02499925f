"""What repeats are told by, on the disk: added to before each snapshot, which would else write all of it anew each time."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import msgspec

from gateway.disk import free, sync

_HEAD = Struct("<III")
"""Before each block: the bytes of its deflated part and of its values, and the CRC-32 of both. Sums cannot be deflated."""
_SLACK = 4 * 2**20
"""Bytes that may be in vain before a file is written anew, besides as many as it began with."""


class Mark(NamedTuple):
    """How far a snapshot has been written: bytes of a file."""

    file: int
    end: int


class Block(msgspec.Struct, array_like=True):
    """What is new: names of series, which are numbered from 0 on as they come in a file; those that are forgotten, and then what was said.

    That is in runs: the number of the series, how many there are, their event times and values; each a column (`flows.repeats`). `room` is how
    many of a series are remembered at the end, `cut` the series of which some had to be forgotten. `whole`: a file begins with it.
    """

    whole: bool
    names: list[str]
    forgotten: list[int]
    cut: list[int]
    room: int
    numbers: bytes
    counts: bytes
    times: bytes
    values: bytes = b""


class RepeatsLog:
    """Files `repeats.<n>` beside the snapshots. Only what lies behind the last mark is ever written over, so that each mark stays good.

    Guarantee: a block is durable when `add` or `begin` returns, and so before the snapshot that has its mark. The file before the newest is
    kept, for a snapshot that a power cut brings back.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at = Mark(0, 0)
        self._began_with = 0

    @property
    def begun(self) -> bool:
        """Whether there is a file to add to."""
        return self._at.file > 0

    @property
    def grown(self) -> bool:
        """Whether it is time to write all of it anew, since half of the file may be in vain, or since there is none."""
        return not self.begun or self._at.end > 2 * self._began_with + _SLACK

    def read(self, mark: Mark) -> Iterator[Block]:
        """Give the blocks up to a mark, and go on behind it. Raises ValueError where they are not all there, OSError without the file."""
        with self._path(mark.file).open("rb") as file:
            while file.tell() < mark.end:
                length, values, checksum = _HEAD.unpack(file.read(_HEAD.size).ljust(_HEAD.size, b"\0"))
                body = file.read(length + values)
                if not length or len(body) != length + values or zlib.crc32(body) != checksum:
                    raise ValueError(f"{self._path(mark.file).name}: damaged before byte {file.tell():,} of {mark.end:,}")
                block = msgspec.msgpack.decode(zlib.decompress(body[:length]), type=Block)
                block.values = body[length:]
                yield block
                self._began_with = file.tell() if block.whole else self._began_with
        self._at = mark

    def has_room(self, size: int) -> bool:
        """Tell whether there is room for a new file of so many bytes, and as much again for others."""
        return free(self._folder) > 2 * size + _SLACK

    def begin(self, blocks: Iterable[Block]) -> Mark:
        """Begin a new file with these blocks. Raises OSError; nothing has happened then."""
        number = max((int(path.suffix[1:]) for path in self._files()), default=0) + 1
        path = self._path(number)
        try:
            with path.open("wb") as file:
                file.writelines(_packed(block) for block in blocks)
                file.flush()
                os.fsync(file.fileno())
                end = file.tell()
            sync(self._folder)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        for old in self._files():
            if int(old.suffix[1:]) not in {self._at.file, number}:
                old.unlink()
        self._at, self._began_with = Mark(number, end), end
        return self._at

    def add(self, block: Block) -> Mark:
        """Write a block behind the last mark. Raises OSError; nothing has happened then."""
        packed = _packed(block)
        with self._path(self._at.file).open("r+b") as file:
            file.seek(self._at.end)
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        self._at = Mark(self._at.file, self._at.end + len(packed))
        return self._at

    def _path(self, number: int) -> Path:
        return self._folder / f"repeats.{number}"

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("repeats.*") if path.suffix[1:].isdigit()]


def _packed(block: Block) -> bytes:
    deflated = zlib.compress(msgspec.msgpack.encode(msgspec.structs.replace(block, values=b"")), 1)
    body = deflated + block.values
    return _HEAD.pack(len(deflated), len(block.values), zlib.crc32(body)) + body
