"""Reads the store, beside its writer or without one, from any process: lists, sums, history, and the rows that delivery takes onward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from devices.reading import Address, Value
from gateway.sqlite_file import size
from gateway.store import batches, causes, dead_letters, totals
from gateway.store.effects import (
    SHARDS,
    AlertChanged,
    CommandFact,
    CommandRequested,
    Counted,
    Failed,
    Group,
    LetterState,
    Progressed,
    ReadingKept,
    WindowClosed,
)
from gateway.store.errors import DamagedStoreError
from gateway.store.history import History
from gateway.store.outcomes import ENDS, KINDS, Outcome
from gateway.store.positions import Positions
from gateway.store.rows import Rows
from gateway.store.schema import open_reader
from gateway.store.tail import Newest, Settled, Tail
from gateway.store.values import unpack
from gateway.store.views import Bucket, CommandStatus, Counts, DeviceState, Letter, SeriesState, Size

_DECODERS = {kind: msgspec.json.Decoder(type_) for kind, type_ in KINDS.items()}
_SERIES = """SELECT device, metric, channel, key, convention, last_value, last_unit, last_ts, last_retained, first_seen, last_seen,
  before + count, kept, id, state_id FROM series WHERE device = coalesce(?, device) ORDER BY device, metric, channel"""
_COMMANDS = "SELECT id, flow, device, settings, cause, state, sent, attempt, detail, requested, changed FROM commands"


class StoreReader:
    """A read-only view, from one thread at a time. Each answer is of one state of the store, and never waits for the writer."""

    def __init__(self, path: Path) -> None:
        """Open the file; raises StoreError where it is not there (yet), damaged or newer than this program."""
        self.path = path
        self._connection = open_reader(path)
        self._rows = Rows(self._connection)
        self._history = History(self._connection, self._rows)
        self._newest_of = Newest(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several answers be of one and the same state of the store; short, since the writer cannot tidy up meanwhile."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    # What has been measured

    def history(
        self,
        device: str,
        metric: str | None = None,
        channel: str | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        newest: int | None = None,
    ) -> list[ReadingKept]:
        """Give a device's readings in [since, until), in order of time; with `newest`, only that many of the last."""
        with self.snapshot():
            return self._history.readings(device, metric, channel, since=since, until=until, newest=newest)

    def buckets(
        self,
        device: str,
        metric: str | None = None,
        channel: str | None = None,
        *,
        since: int | None = None,
        until: int | None = None,
        every: int,
    ) -> list[Bucket]:
        """Give mean, min, max and count of a device's readings for each `every` ns, aligned to the epoch."""
        with self.snapshot():
            return self._history.buckets(device, metric, channel, since=since, until=until, every=every)

    def series(self, device: str | None = None) -> list[SeriesState]:
        """Give every series with its last known state, or those of one device."""
        with self.snapshot():
            tail = Tail(self._connection).settled
            rows = self._connection.execute(_SERIES, (device,)).fetchall()
        return [_series(row, tail.get(row[13])) for row in rows if row[5] is not None or row[13] in tail]

    def reported(self, device: str, metric: str, channel: str) -> tuple[Value, int] | None:
        """Give the newest live value of a series in the journal's order, and the id of its reading; None where there is none to be had.

        Not by event time: a device whose clock was once ahead would never be heard again. What came belatedly (a
        dead letter read again) is no news, and left out. A reading that `history.raw` left out can only be
        given while it is the last known state too.
        """
        query = "SELECT id, heard_id, iif(state_id = heard_id, last_value, NULL), last_id FROM series WHERE (device, metric, channel) = (?, ?, ?)"
        with self.snapshot():
            row = self._connection.execute(query, (device, metric, channel)).fetchone()
            if row is None:
                return None
            series, heard, value, last = row
            if (newer := self._newest_of.get(series)) and newer[0] > last:
                heard, value = newer
            elif value is None and heard >= 0 and (kept := batches.one(self._connection, heard)):
                value = kept[3]
        return None if value is None else (unpack(value), heard)

    def last_values(self, device: str) -> list[tuple[str, Value]]:
        """Give the last known value of each of a device's series, with its metric."""
        return [(one.metric, one.value) for one in self.series(device)]

    def taken_by_device(self) -> dict[str, int]:
        """Give how many readings have been taken from each device since the ledger began; retained ones are none."""
        with self.snapshot():
            tail = Tail(self._connection).settled
            taken: dict[str, int] = {}
            for series, device, count in self._connection.execute("SELECT id, device, count FROM series ORDER BY device"):
                taken[device] = taken.get(device, 0) + count + (tail[series].readings if series in tail else 0)
        return taken

    def address(self, device: str) -> Address | None:
        """Give where a device takes commands; None where it has not been seen, or takes none."""
        row = self._connection.execute("SELECT convention, base FROM devices WHERE device = ? AND base != ''", (device,)).fetchone()
        return Address(*row) if row else None

    def devices(self) -> list[DeviceState]:
        """Give every device that has been seen, by name."""
        series: dict[str, list[SeriesState]] = {}
        with self.snapshot():
            learned = {row[0]: row[1:] for row in self._connection.execute("SELECT * FROM devices")}
            missed = dict(self._connection.execute("SELECT device, value FROM counters WHERE stage = 'normalise' AND term = 'missed'"))
            for one in self.series():
                series.setdefault(one.device, []).append(one)
        names = sorted(learned.keys() | series.keys())
        return [_device(name, learned.get(name), series.get(name, []), missed.get(name, 0)) for name in names]

    # What flows decided

    def windows(self, flow: str | None = None, *, newest: int = 50) -> list[WindowClosed]:
        """Give the newest windows, the newest first: each revision is one."""
        return [one for one in self._newest("window", flow, newest) if isinstance(one, WindowClosed)]

    def alerts(self, flow: str | None = None, *, newest: int = 50) -> list[AlertChanged]:
        """Give the newest ends of episodes, the newest first."""
        return [one for one in self._newest("alert", flow, newest) if isinstance(one, AlertChanged)]

    def failures(self) -> list[Failed]:
        """Give the newest failure of each flow that ever failed, by name of the flow."""
        query = "SELECT body FROM effects WHERE seq IN (SELECT max(seq) FROM effects WHERE kind = 'failure' GROUP BY flow) ORDER BY flow"
        return [msgspec.json.decode(body, type=Failed) for (body,) in self._connection.execute(query)]

    def flows_set_aside(self) -> set[str]:
        """Give the flows that take no more readings in some of their groups, since they only failed."""
        return {flow for (flow,) in self._connection.execute("SELECT scope FROM counters WHERE term = 'aside' AND value > 0")}

    def commands(self, flow: str | None = None, *, newest: int = 50) -> list[CommandStatus]:
        """Give the newest commands and where they stand, the newest first; `flow` "" gives those that people sent."""
        query = f"{_COMMANDS} WHERE flow = coalesce(?, flow) ORDER BY requested DESC, id DESC LIMIT ?"
        return [_command(row) for row in self._connection.execute(query, (flow, newest))]

    def command(self, command_id: str) -> CommandStatus | None:
        """Give where one command stands."""
        row = self._connection.execute(f"{_COMMANDS} WHERE id = ?", (command_id,)).fetchone()
        return _command(row) if row else None

    def facts(self, command_id: str) -> list[CommandFact]:
        """Give the facts of a command's life in the order they became known."""
        # Facts are `<command>/<state>/<attempt>`, and "0" is the character after "/".
        query = "SELECT kind, body FROM effects WHERE id > ? AND id < ? AND kind = 'fact' ORDER BY seq"
        found = [_DECODERS[kind].decode(body) for kind, body in self._connection.execute(query, (f"{command_id}/", f"{command_id}0"))]
        return [one for one in found if isinstance(one, CommandFact) and one.command == command_id]

    def effect(self, effect_id: str) -> Outcome | None:
        """Give the window, alert, command or fact with this id."""
        row = self._connection.execute("SELECT kind, body FROM effects WHERE id = ?", (effect_id,)).fetchone()
        return _DECODERS[row[0]].decode(row[1]) if row else None

    # What belongs together

    def episode(self, name: str) -> list[AlertChanged]:
        """Give the ends of an episode, in order; an empty list where there is none."""
        return causes.episode(self._connection, name)

    def caused_by(self, cause: str) -> list[CommandStatus]:
        """Give the commands that an alert caused, and where they stand."""
        return [_command(row) for row in self._connection.execute(f"{_COMMANDS} WHERE cause = ? ORDER BY requested, id", (cause,))]

    def revisions(self, flow: str, group: Group, *, until: int, at: int | None = None) -> list[WindowClosed]:
        """Give all revisions of a group's newest window that ends by `until`; with `at`, of those first given by that time of the journal."""
        return causes.revisions(self._connection, flow, group, until=until, at=at)

    # Sums

    def counts(self) -> Counts:
        """Give the sums for `status`, from one state of the store."""
        run = self._connection.execute
        with self.snapshot():
            sums: dict[str, int] = dict(run("SELECT term, value FROM totals"))
            states: dict[str, int] = dict(run("SELECT state, count(*) FROM commands GROUP BY state"))
            (sent,) = run("SELECT coalesce(sum(sent), 0) FROM commands").fetchone()
        ended: dict[str, int] = {end: sums.get(f"commands {end}", 0) + states.get(end, 0) for end in ENDS}
        waiting = states.get("requested", 0) + states.get("sent", 0)
        requested = sum(ended.values()) + waiting
        return Counts(
            readings={"taken": sums.get(totals.TAKEN, 0), "kept": sums.get(totals.KEPT, 0)},
            windows={"emitted": sums.get("window emitted", 0), "revisions": sums.get("window revised", 0)},
            alerts={"raised": sums.get("alert raised", 0), "cleared": sums.get("alert cleared", 0)},
            commands={"requested": requested, "sent": sent + sums.get("commands sent", 0), **ended, "waiting": waiting},
            effects=sums.get(totals.EFFECTS, 0),
            dead_letters=sums.get(totals.DEAD_LETTERS, 0),
        )

    def shed(self) -> dict[str, int]:
        """Give how many rows of each kind were given up for want of room."""
        rows = self._connection.execute("SELECT term, value FROM totals WHERE term LIKE ? ORDER BY term", (f"{totals.SHED}%",))
        return {term.removeprefix(totals.SHED): value for term, value in rows}

    def counters(self) -> list[Counted]:
        """Give the ledger's counters as the flows last wrote them."""
        return [Counted(*row) for row in self._connection.execute("SELECT stage, scope, device, term, value FROM counters")]

    def time_matters(self) -> bool:
        """Tell whether a window of any flow waits for time to pass."""
        stages = [f"shard-{number}" for number in range(SHARDS)]
        query = f"SELECT max(value) FROM counters WHERE stage IN ({', '.join('?' * SHARDS)}) AND (scope, device, term) = ('', '', 'open')"  # noqa: S608
        return bool(self._connection.execute(query, stages).fetchone()[0])

    def progress(self) -> Progressed | None:
        """Give how far the flows have come; None before the first time."""
        row = self._connection.execute("SELECT position, messages, at FROM progress").fetchone()
        return Progressed(*row) if row else None

    def size(self) -> Size:
        """Give how much the store holds now."""
        sums: dict[str, int] = dict(self._connection.execute("SELECT term, value FROM totals"))
        gone = sums.get(totals.PRUNED, 0) + sums.get(totals.EFFECTS_PRUNED, 0)
        return Size(sums.get(totals.KEPT, 0) + sums.get(totals.EFFECTS, 0) - gone, size(self.path))

    def dead_letters(
        self,
        *,
        newest: int = 50,
        state: LetterState | None = "dead",
        device: str | None = None,
        topic: str | None = None,
        reason: str | None = None,
    ) -> list[Letter]:
        """Give the newest messages that could not be used, the newest first; `state` None for those replayed since too.

        `topic` is an MQTT filter; `reason` asks for a text that is part of the reason, in capitals or not.
        """
        return dead_letters.find(self._connection, newest=newest, state=state, device=device, topic=topic, reason=reason)

    def dead_letter(self, letter: int) -> Letter | None:
        """Give one of the messages that could not be used."""
        return dead_letters.get(self._connection, letter)

    # For delivery

    def readings_after(self, position: int, limit: int) -> list[ReadingKept]:
        """Give the next readings with ids above `position`, in order."""
        return self._rows.kept([*islice(batches.after(self._connection, position), limit)])

    def effects_after(self, position: int, limit: int) -> list[tuple[int, Outcome]]:
        """Give the next outcomes with a seq above `position`, in order, each with its seq."""
        query = "SELECT seq, kind, body FROM effects WHERE seq > ? ORDER BY seq LIMIT ?"
        return self._decoded(query, (position, limit))

    def requests_after(self, position: int, limit: int) -> tuple[list[CommandRequested], int]:
        """Give the next commands with a seq above `position`, in order, and the seq up to which there is none further.

        Whatever lies between is passed over undecoded, however much it is: a command does not wait behind ten thousand windows.
        """
        (newest,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM effects").fetchone()
        query = "SELECT seq, kind, body FROM effects WHERE seq > ? AND seq <= ? AND +kind = 'command' ORDER BY seq LIMIT ?"
        found = self._decoded(query, (position, newest, limit))
        requests = [effect for _, effect in found if isinstance(effect, CommandRequested)]
        return requests, found[-1][0] if len(found) == limit else max(position, newest)

    def _decoded(self, query: str, values: tuple[int, ...]) -> list[tuple[int, Outcome]]:
        try:
            return [(seq, _DECODERS[kind].decode(body)) for seq, kind, body in self._connection.execute(query, values)]
        except (KeyError, msgspec.DecodeError) as error:
            raise DamagedStoreError(f"an effect behind {values[0]} cannot be decoded: {error}") from error

    def pending(self, after: Positions) -> Positions:
        """Give how many rows of each stream lie above these positions."""
        readings = batches.count_after(self._connection, after.readings)
        (effects,) = self._connection.execute("SELECT count(*) FROM effects WHERE seq > ?", (after.effects,)).fetchone()
        return Positions(readings, effects)

    def oldest(self, after: Positions) -> int | None:
        """Give when the first row above these positions came, by the journal's clock; None where there is none."""
        rows = (
            self._connection.execute("SELECT at FROM batches WHERE last > ? ORDER BY id LIMIT 1", (after.readings,)).fetchone(),
            self._connection.execute("SELECT at FROM effects WHERE seq > ? ORDER BY seq LIMIT 1", (after.effects,)).fetchone(),
        )
        return min((row[0] for row in rows if row), default=None)

    def newest(self) -> Positions:
        """Give the last id and the last seq ever given out, pruned ones included."""
        pruned = self._connection.execute("SELECT value FROM totals WHERE term = ?", (totals.PRUNED_TO,)).fetchone()
        readings = max(batches.newest(self._connection), pruned[0] if pruned else 0)
        row = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'effects'").fetchone()
        return Positions(readings, row[0] if row else 0)

    def synced(self) -> int:
        """Give the highest seq of an effect that a power cut cannot take back."""
        row = self._connection.execute("SELECT value FROM totals WHERE term = ?", (totals.EFFECTS_SYNCED,)).fetchone()
        return int(row[0]) if row else 0

    def effect_id(self, seq: int) -> str | None:
        """Give the id of the effect with this seq; None where there is none (any more)."""
        row = self._connection.execute("SELECT id FROM effects WHERE seq = ?", (seq,)).fetchone()
        return str(row[0]) if row else None

    def _newest(self, kind: str, flow: str | None, newest: int) -> Iterator[Outcome]:
        where, values = ("kind = ?", (kind,)) if flow is None else ("kind = ? AND flow = ?", (kind, flow))
        query = f"SELECT body FROM effects WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608  # our own text
        for (body,) in self._connection.execute(query, (*values, newest)):
            yield _DECODERS[kind].decode(body)


def _series(row: tuple[Any, ...], newer: Settled | None) -> SeriesState:
    """Give a series' state: as its row has it, and with what is `newer` than that."""
    device, metric, channel, key, convention, value, unit, ts, retained, first_seen, last_seen, count, kept, _, state_id = row
    if newer:
        last_seen, count, kept = max(last_seen or newer.seen, newer.seen), count + newer.readings, kept + newer.readings
        if (newer.ts, 0, newer.id) > (ts, -retained, state_id):
            value, unit, ts, retained = newer.value, newer.unit, newer.ts, 0
    return SeriesState(
        device=device,
        metric=metric,
        channel=channel,
        key=key,
        convention=convention,
        value=unpack(value),
        unit=unit or None,
        ts=ts,
        retained=bool(retained),
        first_seen=first_seen,
        last_seen=last_seen,
        count=count,
        kept=kept,
    )


def _device(name: str, learned: tuple[Any, ...] | None, series: list[SeriesState], missed: int) -> DeviceState:
    convention, base, labels, first, last = learned or (series[0].convention, "", "{}", series[0].first_seen, None)
    seen = [one.last_seen for one in series if one.last_seen is not None]
    return DeviceState(
        device=name,
        convention=convention,
        base=base,
        labels=msgspec.json.decode(labels),
        first_seen=min([first, *(one.first_seen for one in series)]),
        last_seen=max(seen, default=last),
        missed=missed,
        series=series,
    )


def _command(row: tuple[Any, ...]) -> CommandStatus:
    named = dict(zip(CommandStatus.__struct_fields__, row, strict=True))
    return CommandStatus(**named | {"settings": msgspec.json.decode(row[3]), "sent": bool(row[6])})
