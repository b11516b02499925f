"""What a start does first: look at every file of the data folder, and set aside what cannot be used, so that the rest goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from gateway import damage, sqlite_file
from gateway.broker import database
from gateway.commands import salvage as book
from gateway.delivery import salvage as cursors
from gateway.derived import CURSOR
from gateway.disk import is_full
from gateway.journal import salvage as journal
from gateway.letters import mailbox
from gateway.set_aside import SetAside
from gateway.store import salvage as store
from gateway.store.schema import open_writer

Salvage = Callable[[Path, Path], str]
"""Makes a new file of what can be read of a damaged one; says what that was."""

_RECOVERY = ("parts", "exs", "fronts", "commits", "snaps")
_MENDED = ".mended"
_SMALL = 16 * 2**20
"""Bytes up to which what a file holds is decoded too: at most a second. In a larger one it is found when it is read."""
_ANEW = "nothing of it could be read: a new one takes its place"


def mend(data: Path) -> list[str]:
    """Make the data folder fit to start on; give a sentence for everything that was set aside.

    What cannot be used is moved to `set-aside`, never deleted; what can still be read of it is in the file that takes its place. Files up to
    64 MB are read as a whole, those up to 16 MB row by row, larger ones when a process has noted damage (`gateway.damage.mark`), and else by
    their header. It can be ended at any moment and begun again. Nothing else may run on the folder.

    Raises:
        StoreError: the store is sound, and of a newer Sluice.

    """
    marks = damage.marked(data)
    aside = SetAside(data)
    _Mending(data, aside, thorough=marks is not None, named=marks or frozenset()).run()
    (data / damage.MARK).unlink(missing_ok=True)
    return aside.said


class _Mending:
    """One look at a data folder. Files are in the order in which one needs another's: the store knows where commands and cursors stood."""

    def __init__(self, data: Path, aside: SetAside, *, thorough: bool, named: Collection[str]) -> None:
        self._data = data
        self._aside = aside
        self._thorough = thorough
        self._named = named
        self._store = data / "store.db"

    def run(self) -> None:
        rows = self._data / "journal" / "0"
        if rows.is_dir():
            before = len(self._aside.said)
            if told := journal.mend(rows, self._aside):  # it knows more of each than that it was set aside
                self._aside.said[before:] = told
        lost = self._mend_store()
        self._mend_recovery("the store has begun anew, and is made again from the journal" if lost else "")
        self._mend_book()
        for cursor in [*sorted((self._data / "delivery").glob("*.db")), self._data / CURSOR]:
            self._mend_file(cursor, cursors.TABLES, partial(cursors.salvage, store=self._store))
        self._mend_file(self._data / mailbox.MAILBOX, mailbox.TABLES, mailbox.salvage, contents=mailbox.undecodable)
        for state in sorted(self._data.glob("*.json")):
            self._mend_json(state)
        broker = self._data / "broker" / "mosquitto.db"
        if broker.exists() and (reason := database.flaw(broker)):
            self._aside(broker, reason, "the broker begins without the sessions and messages that it had kept")

    def _mend_store(self) -> bool:
        """Tell whether the store is another than it was."""
        salvage = partial(store.salvage, seq=self._taken())
        if self._mend_file(self._store, store.tables(self._store), salvage, contents=store.undecodable):
            return True
        if self._store.exists():
            open_writer(self._store).close()  # brings an older one up to date
        return False

    def _mend_book(self) -> None:
        salvage = partial(book.salvage, store=self._store)
        self._mend_file(self._data / "commands.db", book.TABLES, salvage, contents=book.undecodable)

    def _mend_recovery(self, reason: str) -> None:
        """Set the state of the flows aside where it cannot be used: they begin anew with the oldest row of the journal."""
        folder = self._data / "recovery"
        parts = sorted(folder.glob("part-*.sqlite3")) if folder.is_dir() else []
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        if not parts:
            reason = reason or "it holds no state"
        if damage.RECOVERY in self._named:
            reason = reason or "the flows could not go on from it"
        flaws = (flaw for part in parts if (flaw := sqlite_file.flaw(part, _RECOVERY, thorough=self._thorough)))
        if reason := reason or next(flaws, ""):
            # Else the journal would drop rows that are needed again now.
            (self._data / "journal" / "0" / "durable").unlink(missing_ok=True)
            self._aside(folder, reason, "the flows begin anew with the oldest row of the journal")

    def _mend_file(
        self, path: Path, tables: Collection[str], salvage: Salvage, *, contents: Callable[[sqlite3.Connection], int] | None = None
    ) -> bool:
        """Put a new file in the place of a damaged one; tell whether it was damaged. `contents` counts what SQLite takes for sound and we do not."""
        mended = path.with_name(path.name + _MENDED)
        if not path.exists():
            if mended.exists():  # the last look at this folder was cut short
                mended.rename(path)
                return True
            return False
        reason = sqlite_file.flaw(path, tables, thorough=self._thorough)
        if not reason and contents is not None and (self._thorough or path.stat().st_size <= _SMALL):
            reason = _undecoded(path, contents)
        if not reason and path.name in self._named:
            reason = "a process could not read it"
        if not reason:
            _remove(mended)
            return False
        kept = self._salvaged(path, mended, salvage)
        self._aside(path, reason, kept)
        if mended.exists():
            mended.rename(path)
        return True

    def _salvaged(self, path: Path, mended: Path, salvage: Salvage) -> str:
        """Make the new file beside the damaged one; where that cannot be, whoever opens it makes an empty one."""
        fresh = mended.with_name(mended.name + ".new")
        for left in (fresh, mended):
            _remove(left)
        if path.is_dir():
            return _ANEW
        try:
            kept = salvage(path, fresh)
            fresh.rename(mended)
        except (sqlite3.Error, OSError, ValueError, LookupError, TypeError) as error:  # whatever damage makes of what is read
            _remove(fresh)
            return "the disk had no room for what could be read of it: a new one takes its place" if is_full(error) else _ANEW
        return kept

    def _mend_json(self, path: Path) -> None:
        try:
            if not (held := path.read_bytes()):  # as a power cut leaves a file that was replaced a moment before
                path.unlink()
            else:
                json.loads(held)
        except (ValueError, RecursionError):
            self._aside(path, "it holds no JSON", "what it said is found out anew")
        except OSError:
            self._aside(path, "it cannot be read", "what it said is found out anew")

    def _taken(self) -> int:
        """Give the highest number of an effect that a reader of the store has had: a new one must number on from there."""
        asked = [(path, "SELECT max(position) FROM cursors WHERE stream = 'effects'") for path in (self._data / "delivery").glob("*.db")]
        asked += [(self._data / CURSOR, "SELECT max(position) FROM cursors"), (self._data / "commands.db", "SELECT max(taken) FROM cursor")]
        found = [0]
        for path, query in asked:
            if path.is_file():
                with (
                    suppress(sqlite3.Error, TypeError),
                    closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection,
                ):
                    found.append(int(connection.execute(query).fetchone()[0] or 0))
        return max(found)


def _remove(path: Path) -> None:
    """Delete what an earlier look has left."""
    if path.is_dir():
        shutil.rmtree(path)
    for one in sqlite_file.files(path):
        one.unlink(missing_ok=True)


def _undecoded(path: Path, contents: Callable[[sqlite3.Connection], int]) -> str:
    """Say how many rows of a sound file hold what cannot be decoded; "" where none does. A disk that is full is none of its business."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")  # a text that is none is no JSON either
            if connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None:
                return ""  # it is made by whoever opens it
            count = contents(connection)
    except sqlite3.Error as error:
        return f"it is damaged: {error}" if damage.is_damage(error) else ""
    return f"{count} of its rows cannot be decoded" if count else ""
