"""The source: what is held for a birth, asked for, counted and refused, from journal rows to effects."""

import zlib

import msgspec
import pytest

from devices.profile import Profile
from devices.reading import Message
from flows.normaliser import STORE, Normaliser
from flows.row_order import RowPart
from flows.shard import Shard
from flows.spec import read_flow
from flows.waiting import MOST_BYTES, PATIENCE
from gateway.journal.row import Entry, Flag, Kind, Replay, Row, pack, pack_derived, pack_replays
from gateway.ledger import Books, balance
from gateway.store.effects import (
    OWN_FLOW,
    SHARDS,
    CommandRequested,
    Counted,
    DeadLettered,
    Derived,
    DeviceLearned,
    ReadingKept,
    spelled_out,
)
from gateway.store.reader import StoreReader
from gateway.store.store import Store
from simulator.dialects.sparkplug_b import SparkplugB

S = 1_000_000_000
AT = 1_750_000_000 * S


class Source:
    """A normaliser that is given messages row by row."""

    def __init__(self, normaliser=None):
        self.normaliser = normaliser or Normaliser([], [])
        self.offset = self.total = 0

    def take(self, *messages, at=AT, flags=0):
        self.offset += 1
        self.total += len(messages)
        entries = [Entry(one.topic, one.payload, 0, flags) for one in messages]
        kind = Kind.MESSAGES if entries else Kind.TICK
        row = Row(self.offset, kind, at, at - AT, 1, 1, True, len(entries), self.total, pack(entries))
        return [effect for key, given in self.normaliser.take(row) if key == STORE for effect in given.effects]

    def resume(self):
        self.normaliser = Normaliser([], [], snapshot=self.normaliser.snapshot())


def node():
    """A node's birth and what it says after, five times a tenth of a second apart."""
    made = SparkplugB("press")
    birth, *data = [message for n in range(6) for message in made.report({"temperature": 20.0 + n}, on=None, at=AT + n * S // 10)]
    return made, birth, data


def values(effects):
    return [one.reading.value for one in spelled_out(effects) if isinstance(one, ReadingKept) and one.reading.metric == "temperature"]


def of(kind, effects):
    return [one for one in spelled_out(effects) if isinstance(one, kind)]


def total(effects, term):
    return [one.value for one in of(Counted, effects) if (one.stage, one.term) == ("total", term)]


def test_data_before_its_birth_is_held_and_asks_for_it():
    """Data by alias says nothing yet: it is kept, a rebirth is asked for, once, and where that goes is known."""
    source = Source()
    _, _, data = node()
    effects = source.take(data[0], data[1])
    assert values(effects) == []
    assert total(effects, "held") == [2]
    assert of(DeadLettered, effects) == []
    (ask,) = of(CommandRequested, effects)
    assert (ask.flow, ask.device, ask.settings) == (OWN_FLOW, "plant/press", {"Node Control/Rebirth": True})
    assert ask.expires > ask.at
    (learned,) = of(DeviceLearned, effects)
    assert (learned.device, learned.convention) == ("plant/press", "sparkplug_b")
    assert of(CommandRequested, source.take(data[2], at=AT + S)) == []


def test_held_data_is_read_once_its_birth_has_come():
    """With the birth all that was held is read, in its order, at its own times, also through a restart, and nothing is held any more."""
    source = Source()
    _, birth, data = node()
    source.take(*data[:2])
    source.resume()
    source.take(data[2])
    effects = source.take(birth, at=AT + 2 * S)
    assert values(effects) == [20.0, 21.0, 22.0, 23.0]
    kept = of(ReadingKept, effects)
    assert [one.id for one in kept] == sorted({one.id for one in kept})
    assert {one.id >> 20 for one in kept} == {source.offset}
    assert total(effects, "held") == [0]
    assert total(effects, "normalised") == [4]
    times = [one.reading.ts for one in kept if one.reading.metric == "temperature"]
    assert times == [AT + n * S // 10 for n in range(4)]


def test_what_is_held_in_vain_becomes_a_dead_letter():
    """After ten minutes of the journal's time a held message is a dead letter that says what it waited for."""
    source = Source()
    _, _, data = node()
    source.take(data[0])
    source.take(at=AT + PATIENCE)
    effects = source.take(at=AT + PATIENCE + S)
    (letter,) = of(DeadLettered, effects)
    assert "did not come in time" in letter.reason
    assert (letter.topic, letter.payload, letter.received) == (data[0].topic, data[0].payload, AT)
    assert (total(effects, "held"), total(effects, "dead_letters")) == ([0], [1])


def test_what_is_held_is_bounded_in_bytes(monkeypatch):
    """Newer messages push the oldest out, as a dead letter."""
    monkeypatch.setattr("flows.waiting.MOST_BYTES", len(node()[2][0].payload) * 3)
    assert MOST_BYTES > 0
    source = Source()
    letters = [letter for message in node()[2] for letter in of(DeadLettered, source.take(message))]
    assert letters
    assert letters[0].payload == node()[2][0].payload


def test_gap_is_counted_for_its_device():
    """What is missing between two numbers of a node is counted, and what came is read."""
    source = Source()
    _, birth, data = node()
    source.take(birth, data[0])
    effects = source.take(data[3], at=AT + S)
    assert values(effects) == [24.0]
    counted = [(one.device, one.value) for one in of(Counted, effects) if one.term == "missed"]
    assert counted == [("plant/press", 2)]
    assert [one.settings for one in of(CommandRequested, effects)] == [{"Node Control/Rebirth": True}]
    (reading,) = [one.reading for one in of(ReadingKept, effects)]
    assert reading.sequence == 4


@pytest.mark.parametrize(("policy", "kept"), [("state", True), ("process", True), ("ignore", False)])
def test_retained_births_teach_by_the_policy(policy, kept):
    """A retained message teaches what others need, unless retained messages are ignored."""
    source = Source(Normaliser([], [], retained=[("#", policy)]))
    _, birth, data = node()
    source.take(birth, flags=Flag.RETAINED)
    assert (values(source.take(data[0])) == [21.0]) is kept


def test_refused_value_is_a_dead_letter_beside_the_readings():
    """A value that would change its series' kind is kept as a dead letter that names it; the message counts once."""
    source = Source(Normaliser([], [Profile(devices=["shed"], labels={"room": "shed"})]))
    source.take(Entry("home/shed", b'{"x": 1, "temperature": 20}'))
    effects = source.take(Entry("home/shed", b'{"x": "many", "temperature": 21}'))
    assert values(effects) == [21]
    (letter,) = of(DeadLettered, effects)
    assert "series 'x' holds numbers" in letter.reason
    assert letter.keys
    assert total(effects, "normalised") == [2]
    assert total(effects, "dead_letters") == []


def test_state_of_the_first_version_is_read():
    """A snapshot of the source's first version, with its counters at the top, goes on."""
    state = {"offset": 4, "messages": 7, "counts": {"normalise\x1fshed": {"normalised": 7}}, "totals": {"normalised": 7}}
    source = Source(Normaliser([], [], snapshot=zlib.compress(msgspec.msgpack.encode((1, state)))))
    assert total(source.take(Entry("home/shed", b'{"temperature": 21}')), "normalised") == [8]


@pytest.mark.parametrize("policy", ["process", "ignore"])
def test_retained_message_of_two_subscriptions_counts_once(policy):
    """A broker sends a retained message once for each filter that takes it; the second is a duplicate, until the next connection."""
    source = Source(Normaliser([], [], retained=[("#", "state"), ("home/#", policy)]))
    message = Entry("home/shed", b'{"temperature": 20}')
    first = source.take(message, message, flags=Flag.RETAINED)
    assert values(first) == ([20] if policy == "process" else [])
    assert total(first, "duplicates") == [1]


def test_most_specific_filter_decides():
    """Whatever the order of the subscriptions, the filter that says most of a topic decides what its retained messages are."""
    for retained in ([("#", "process"), ("ign/#", "ignore")], [("ign/#", "ignore"), ("#", "process")]):
        source = Source(Normaliser([], [], retained=retained))
        assert values(source.take(Entry("ign/shed", b'{"temperature": 20}'), flags=Flag.RETAINED)) == []
        assert values(source.take(Entry("home/shed", b'{"temperature": 20}'), flags=Flag.RETAINED)) == [20]


def test_name_that_is_learned_later_is_told():
    """A device that was seen before its name has it as a label from then on, beside those of its profile."""
    source = Source(Normaliser([], [Profile(devices=["loft"], labels={"room": "loft"})]))
    (first,) = of(DeviceLearned, source.take(Entry("homie/loft/air/humidity", b"48")))
    (second,) = of(DeviceLearned, source.take(Entry("homie/loft/$name", b"Loft weather")))
    assert first.labels == {"room": "loft"}
    assert second.labels == {"room": "loft", "name": "Loft weather"}
    assert of(DeviceLearned, source.take(Entry("homie/loft/$name", b"Loft weather"))) == []


def test_retained_letter_read_again_is_no_copy():
    """A retained message that died on this connection gives its readings when it is replayed, though the broker's copies of it would not."""
    topic, broken = "ign/tank", b"\x01\x02"
    retained = [("#", "state"), ("home/#", "process")]
    source = Source(Normaliser([], [], retained=retained))
    (letter,) = of(DeadLettered, source.take(Entry(topic, broken), flags=Flag.RETAINED))
    template = {"topic": "ign/{device}", "struct": "<h", "values": {"level": {"at": 0}}}
    source.normaliser = Normaliser(
        [], [Profile.model_validate({"template": template})], retained=retained, snapshot=source.normaliser.snapshot()
    )
    replay = Replay(letter.id, Entry(letter.topic, letter.payload, 0, letter.flags), letter.received, ())
    row = Row(2, Kind.REPLAYS, AT + S, S, 1, 1, True, 1, 2, pack_replays([replay]))
    effects = [effect for key, given in source.normaliser.take(row) if key == STORE for effect in given.effects]
    assert [one.reading.value for one in of(ReadingKept, effects)] == [513]


def test_node_with_a_name_is_asked_for_its_birth_by_that_name():
    """What a profile calls a node is what is asked, where it listens, and whose gaps are counted."""
    source = Source(Normaliser([], [Profile(devices=["plant/press"], name="Press, hall 2")]))
    _, birth, data = node()
    effects = source.take(data[0])
    assert [one.device for one in of(CommandRequested, effects)] == ["Press, hall 2"]
    assert [(one.device, one.convention, bool(one.base)) for one in of(DeviceLearned, effects)] == [("Press, hall 2", "sparkplug_b", True)]
    source.take(birth, data[1])
    counted = [(one.device, one.value) for one in of(Counted, source.take(data[4], at=AT + S)) if one.term == "missed"]
    assert counted == [("Press, hall 2", 2)]


def test_counters_that_have_moved_outlive_a_kill():
    """They are given with the next tick, be it of another process: else the ledger would go on without them until they move again."""
    source = Source()
    source.take(at=AT)
    source.take(Message("home/attic", b'{"temperature": 21.5}', AT + 1), at=AT + 1)
    source.resume()
    given = of(Counted, source.take(at=AT + 2 * S))
    assert {(one.device, one.term, one.value) for one in given if one.device == "attic"} >= {
        ("attic", "readings", 1),
        ("attic", "normalised", 1),
    }
    assert not [one for one in of(Counted, source.take(at=AT + 4 * S)) if one.device]


def test_what_is_read_by_its_form_is_followed_by_its_own_series():
    """Between messages that all look alike come one value of a letter that is read again, and a derived reading: each is of its own series."""
    source = Source()
    for n in range(3):
        source.take(Message("home/shed", b'{"temperature": 20, "humidity": %d}' % (40 + n), AT))
    letter = Replay(7, Entry("home/shed", b'{"temperature": 20, "humidity": 50}'), AT, ("shed/humidity",))
    one = Derived("d-1", "dew", (("device", "shed"),), "shed", "dew_point", "", 8.5, "\u00b0C", {}, AT, AT)
    rows = [(Kind.REPLAYS, pack_replays([letter])), (Kind.DERIVED, pack_derived([one]))]
    given = []
    for kind, body in rows:
        source.offset, source.total = source.offset + 1, source.total + 1
        row = Row(source.offset, kind, AT + S, S, 1, 1, True, 1, source.total, body)
        given += [effect for key, part in source.normaliser.take(row) if key == STORE for effect in part.effects]
    assert [(one.reading.metric, one.reading.value) for one in of(ReadingKept, given)] == [("humidity", 50), ("dew_point", 8.5)]
    assert of(DeadLettered, given) == []
    assert values(source.take(Message("home/shed", b'{"temperature": 21, "humidity": 51}', AT), at=AT + 2 * S)) == [21]


def test_each_shard_looks_once_a_second_in_turn():
    """Of rows that come all the time, each has a part of the shards look at the time; one after a long silence has all of them do so."""
    source, ticking = Source(), []
    for at in [*range(0, 3 * S, S // 100), 9 * S]:
        source.offset += 1
        row = Row(source.offset, Kind.TICK, AT + at, at, 1, 1, True, 0, 0, pack([]))
        ticking.append({one.shard for _, one in source.normaliser.take(row) if not isinstance(one, RowPart) and one.tick})
    assert ticking[0] == ticking[-1] == set(range(SHARDS))
    assert max(len(shards) for shards in ticking[1:-1]) == 1
    for second in (ticking[1:101], ticking[101:201]):
        assert sorted(shard for shards in second for shard in shards) == list(range(SHARDS))


def test_ledger_balances_at_every_moment(tmp_path):
    """What the source has passed on and what the shards have taken is given with the same rows, whichever shards look at the time in between."""
    (tmp_path / "flow.yaml").write_text(
        "name: climate\nselect: {metrics: [temperature]}\ngroup: [device]\nwindow: {kind: tumbling, length: 1s}\n"
        "aggregate: {warm: mean(temperature)}\n"
    )
    flow, findings = read_flow(tmp_path / "flow.yaml", root=tmp_path)
    assert not findings
    source, shards = Source(Normaliser([flow], [])), [Shard([flow]) for _ in range(SHARDS)]
    with Store(tmp_path / "store.db") as store, StoreReader(tmp_path / "store.db") as reader:
        for n in range(150):
            said = [Message(f"home/d{device}", b'{"temperature": %d}' % n, AT) for device in range(n % 7, 60, 7)]
            source.offset, source.total = source.offset + 1, source.total + len(said)
            entries = [Entry(one.topic, one.payload, 0, 0) for one in said]
            row = Row(source.offset, Kind.MESSAGES, AT, n * S // 50, 1, 1, True, len(said), source.total, pack(entries))
            parts = [part for _, part in source.normaliser.take(row)]
            effects = [one for part in parts if isinstance(part, RowPart) for one in part.effects]
            store.write([*effects, *(one for part in parts if not isinstance(part, RowPart) for one in shards[part.shard].step(part))])
            with reader.snapshot():
                counters = [(one.stage, one.scope, one.device, one.term, one.value) for one in reader.counters()]
                books = Books(source.total, source.total, counters, reader.taken_by_device())
            assert balance(books).flaws == []
