"""Series without number: those that are known go on, new ones are refused, and what is kept stays bounded."""

import json

import pytest

from devices.reading import Reading
from flows.known_series import DAY, KnownSeries, series_name
from flows.normaliser import STORE, Normaliser
from flows.repeats import Repeats
from flows.tally import MOST_SHED
from gateway.journal.row import Entry, Kind, Row, Shed, pack, pack_sheds
from gateway.ledger import Books, balance
from gateway.store.effects import Counted, DeadLettered, DeviceLearned, ReadingKept, spelled_out

S = 1_000_000_000
AT = 1_750_000_000 * S


class Source:
    """A normaliser that is given rows, and its counters as the store would hold them."""

    def __init__(self, **words):
        self.words = words
        self.normaliser = Normaliser([], [], **words)
        self.offset = self.total = 0
        self.counters, self.stored = {}, {}

    def take(self, entries=(), *, at=0, sheds=(), missing=0):
        self.offset += 1
        count = len(entries) + sum(one.count for one in sheds)
        self.total += count + missing
        kind = Kind.SHED if sheds else Kind.MESSAGES if entries else Kind.TICK
        body = pack_sheds(sheds) if sheds else pack(entries)
        row = Row(self.offset, kind, AT + at * S, at * S, 1, 1, True, count, self.total, body)
        effects = [effect for key, part in self.normaliser.take(row) if key == STORE for effect in part.effects]
        for one in spelled_out(effects):
            if isinstance(one, Counted):
                self.counters[one.stage, one.scope, one.device, one.term] = one.value
            if isinstance(one, ReadingKept):
                self.stored[one.reading.device] = self.stored.get(one.reading.device, 0) + 1
        return effects

    def resume(self):
        self.normaliser = Normaliser([], [], snapshot=self.normaliser.snapshot(), **self.words)

    def ledger(self):
        counters = [(*key, value) for key, value in self.counters.items()]
        return balance(Books(self.total, self.total, counters, self.stored, at_rest=True))


def said(device, **values):
    return Entry(f"home/{device}", json.dumps(values or {"temperature": 20}).encode())


def of(kind, effects):
    return [one for one in spelled_out(effects) if isinstance(one, kind)]


def test_new_series_beyond_the_limit_are_refused_and_known_ones_go_on():
    """With no room, a new device is a dead letter that names the setting, has no counters and no row of its own, and known ones are read."""
    source = Source(series_limit=2)
    source.take([said("a"), said("b")], at=1)
    effects = source.take([said("c"), said("a")], at=2)
    assert [one.reading.device for one in of(ReadingKept, effects)] == ["a"]
    (letter,) = of(DeadLettered, effects)
    assert "limits.series (2)" in letter.reason
    assert letter.device == "c"
    assert of(DeviceLearned, effects) == []
    source.resume()
    effects = source.take([said("c", temperature=1), said("b", temperature=1, humidity=2)], at=3)
    assert [(one.reading.device, one.reading.metric) for one in of(ReadingKept, effects)] == [("b", "temperature")]
    assert [one.keys for one in of(DeadLettered, effects)] == [(), ("b/humidity",)]
    source.take(at=4)
    assert source.ledger().balanced


def test_flood_of_names_leaves_nothing_behind(monkeypatch):
    """Thousands of devices that nobody knows cost no memory that stays, but for as many counters as are allowed."""
    monkeypatch.setattr("flows.tally.STRANGERS", 200)
    source = Source(series_limit=10)
    source.take([said(f"d{n}") for n in range(10)], at=1)
    before = len(source.normaliser.snapshot())
    for batch in range(3):
        source.take([said(f"x{batch}-{n}") for n in range(1_000)], at=2 + batch)
    assert len(source.counters) <= 300
    assert len(source.normaliser._catalogue._routes) <= 10
    assert len(source.normaliser.snapshot()) - before < 20_000
    assert len(of(ReadingKept, source.take([said(f"d{n}", temperature=7) for n in range(10)], at=30))) == 10


def test_silent_series_make_room_and_the_ledger_still_balances():
    """After a day of silence a series is forgotten where there is no room; its device may come back, and nothing is missing anywhere."""
    source = Source(series_limit=2)
    source.take([said("a"), said("b")], at=1)
    source.take([said("c")], at=2)
    source.take([said("b")], at=DAY)
    source.take(at=DAY + 61)
    source.take(at=DAY + 123)
    effects = source.take([said("c")], at=DAY + 124)
    assert [one.reading.device for one in of(ReadingKept, effects)] == ["c"]
    source.take(at=2 * DAY + 130)
    source.resume()
    source.take(at=2 * DAY + 200)
    source.take([said("a")], at=2 * DAY + 201)
    source.take(at=2 * DAY + 202)
    assert source.counters["normalise", "", "a", "readings"] == 1
    assert source.stored["a"] == 2
    assert source.ledger().flaws == []
    source.stored["b"] -= 1
    assert not source.ledger().balanced


def test_shed_and_set_aside_messages_are_terms_of_the_ledger():
    """What a policy dropped is counted by topic, at most so many; of what the journal has lost, the number is."""
    source = Source()
    source.take([said("a")], at=1)
    source.take(sheds=[Shed(f"t/{n}", 2, "rate") for n in range(MOST_SHED + 5)], at=2)
    source.take([said("b")], at=3, missing=0)
    source.total += 7
    source.take([said("c")], at=4)
    source.take(at=5)
    messages = source.ledger().messages
    assert (messages["shed"], messages["set_aside"], messages["normalised"]) == (2 * (MOST_SHED + 5), 7, 3)
    assert source.ledger().balanced
    assert source.counters["link", "", "t/0", "shed"] == 2
    assert source.counters["link", "", "", "shed"] == 10


def test_normaliser_may_begin_at_any_row():
    """Without a state, in the middle of a journal: what came before is set aside."""
    source = Source()
    source.offset, source.total = 40, 900
    source.take([said("a")], at=1)
    source.take(at=2)
    assert source.ledger().messages["set_aside"] == 900
    assert source.ledger().balanced


@pytest.mark.parametrize("series", [3, 9])
def test_repeats_share_their_room(series, monkeypatch):
    """All series together remember a bounded number of readings: each its part, and the newest ones."""
    monkeypatch.setattr("flows.repeats.MOST", 64)
    repeats = Repeats()
    for ts in range(100):
        for n in range(series):
            told = Reading(
                device=f"d{n}", metric="m", key="m", value=1, raw_value=1, ts=ts, received=ts, time_source="device", convention="x"
            )
            assert repeats.look(series_name(told), told) == "new"
    assert sum(len(times) for times, _ in repeats.snapshot().values()) // 8 <= 64
    assert repeats.look(series_name(told), told) == "repeat"


def test_known_series_in_a_snapshot_are_the_same():
    """A memory that was kept knows what it knew, and how many series of each device there are."""
    known = KnownSeries(2)
    one, other = (Reading(device="a", metric=m, key=m, value=1, raw_value=1, ts=0, received=0, convention="x") for m in ("m", "n"))
    assert known.admit(series_name(one), 1)
    assert known.admit(series_name(other), 5)
    again = KnownSeries(2, known.snapshot())
    assert again.full
    assert again.forget_silent(DAY + 3) == (["a\x1fm\x1f"], [])
    assert again.has("a")
