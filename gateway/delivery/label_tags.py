"""Which labels readings carry as tags: each one until it has had more values than the server's index should hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path

import structlog

_ALWAYS = 2**63 - 1

log = structlog.get_logger()


def exploded(label: str, most: int) -> str:
    """Give the sentence for a label that is not written as a tag any more."""
    return (
        f"influxdb.tags: label {label!r} has had more than {most:,} values: it is no longer written as a tag; "
        "take it out of influxdb.tags, or raise influxdb.tag_values"
    )


class LabelTags:
    """The labels that become tags, with the values each has had.

    The first reading that brings a label one value too many, and all that come after it in the store, are written without that label; those
    before it keep it. So the tags of a reading follow from its id, and it is written alike whenever it is written again. Device, metric,
    channel and time make a point its own, labels do not: no two readings become one point for it.
    """

    def __init__(self, names: Sequence[str], most: int) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.most = most
        self.last = dict.fromkeys(self.names, _ALWAYS)
        """For each label the id of the last reading that carries it."""
        self.fresh: list[tuple[str, int]] = []
        """Labels and values that are not remembered yet."""
        self._values: dict[str, set[int]] = {name: set() for name in self.names}

    def of(self, labels: Mapping[str, str], reading: int) -> list[str]:
        """Give the values that a reading (by its id) carries, in the order of `names`; "" where it carries none."""
        return [labels.get(name, "") if reading <= last else "" for name, last in self.last.items()]

    def count(self, labels: Mapping[str, str], reading: int) -> None:
        """Take note of a reading's values, and stop labels that have too many."""
        for name, text in zip(self.names, self.of(labels, reading), strict=True):
            value = _digest(text)
            if not text or value in self._values[name]:
                continue
            if len(self._values[name]) >= self.most:
                self.last[name] = reading - 1
                log.error("label has too many values", finding=exploded(name, self.most))
            else:
                self._values[name].add(value)
                self.fresh.append((name, value))

    def recall(self, values: Iterable[tuple[str, int]], last: Mapping[str, int]) -> None:
        """Go on where an earlier process ended."""
        for name, value in values:
            self._values[name].add(value)
        self.last.update(last)


class TagMemory:
    """What a process remembers of `LabelTags` for the next one, in the cursor file of its destination, which must be there.

    Every call may raise sqlite3.Error, has changed nothing then, and may be made again.
    """

    def __init__(self, path: Path, tags: LabelTags) -> None:
        """Recall. A label that is not wanted, or may have more values than it was stopped at, begins anew."""
        self._path, self._tags = path, tags
        wanted = ", ".join("?" * len(tags.names))
        with self._transaction() as connection:
            for table in ("tag_values", "tag_stops"):
                connection.execute(f"DELETE FROM {table} WHERE label NOT IN ({wanted})", tags.names)  # noqa: S608  # our own names
            connection.execute("DELETE FROM tag_stops WHERE most < ?", (tags.most,))
            self._kept: dict[str, int] = dict(connection.execute("SELECT label, last FROM tag_stops"))
            tags.recall(connection.execute("SELECT label, value FROM tag_values"), self._kept)

    def keep(self) -> None:
        """Write what is new, before the lines that were made by it are sent."""
        tags = self._tags
        stops = [(name, last, tags.most) for name, last in tags.last.items() if last != self._kept.get(name, _ALWAYS)]
        if not tags.fresh and not stops:
            return
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO tag_values VALUES(?, ?)", tags.fresh)
            connection.executemany("INSERT OR REPLACE INTO tag_stops VALUES(?, ?, ?)", stops)
        self._kept |= {name: last for name, last, _ in stops}
        tags.fresh.clear()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30.0)) as connection, connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            yield connection


def _digest(value: str) -> int:
    """Give a value's stand-in of eight bytes: values may be long, and what is remembered of them is not."""
    return int.from_bytes(blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True)
