"""Delivery to InfluxDB, against a strict server of the written contract: nothing lost, nothing held up, whatever the server does."""

from __future__ import annotations

import asyncio
import threading
from email.utils import formatdate
from time import monotonic, time

import pytest

from gateway.delivery.cursor import Cursor
from gateway.delivery.label_tags import LabelTags
from gateway.delivery.lines import Lines, decoded
from gateway.delivery.state import read_state
from gateway.store.reader import StoreReader
from gateway.store.store import Store


def taken(influx, field="value", measurement="temperature"):
    """Give the values that the server has of a measurement, by time."""
    return [fields[field] for (name, _, _), fields in sorted(influx.points.items(), key=lambda one: one[0][2]) if name == measurement]


def test_everything_arrives_as_it_was(influx, store, make, to_influx, running, drained, line_protocol):
    """Each row of every kind becomes its own point: values, tags and nanoseconds."""
    room = {"room": "bath, upstairs"}
    readings = [
        make.reading(1, labels=room),
        make.reading(2, value=2**64 - 1, labels=room),
        make.reading(3, metric="switch", value=True),
        make.reading(4, metric="mode", value='a "quoted" text, with = and \\'),
        make.reading(5, device="t,2 =x", channel="probe.1"),
    ]
    outcomes = [
        make.window(1),
        make.window(1, 2, warm=21.0),
        make.alert(1),
        make.alert(2, "cleared"),
        make.command(1),
        make.fact(1, "sent"),
    ]
    store.write([make.learned("t1", "plain-json", "", room, make.t0), *readings, *outcomes])

    async def deliver():
        async with running(to_influx(labels=["room"])) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    lines = Lines("greenhouse", LabelTags(["room"], 10))
    with StoreReader(store.path) as reader:
        expected = {}
        for row in [*reader.readings_after(0, 100), *(row for _, row in reader.effects_after(0, 100))]:
            measurement, tags, fields, ts = line_protocol(lines.line(row))
            expected.setdefault((measurement, tuple(sorted(tags.items())), ts), {}).update(fields)
    assert influx.points == expected
    key = ("temperature", (("device", "t1"), ("room", "bath, upstairs"), ("site", "greenhouse")), make.t0 + 1_000_000_001)
    assert influx.points[key] == {"value": 20.5}
    window = next(fields for (name, _, _), fields in influx.points.items() if name == "climate")
    assert (window["warm"], window["revision"]) == (21.0, 2.0)  # the correction lies on the same point
    assert (state.delivered, state.pending, state.dead, state.error) == (11, 0, 0, "")


def test_an_outage_loses_nothing(influx, store, make, to_influx, running, so, drained):
    """The server is down at the start, comes up later, goes down in the middle of a backlog, and comes again: every point is there."""
    influx.stop()
    store.write([make.reading(number) for number in range(1, 3_001)])

    async def error(delivery):
        state = await delivery.state()
        return state and state.error

    async def deliver():
        async with running(to_influx(batch=100)) as delivery:
            await so(lambda: error(delivery))
            store.write([make.alert(1), *(make.reading(number) for number in range(3_001, 5_001))])
            influx.start()
            await so(lambda: len(influx.points) > 1_000)
            influx.stop()
            store.write([make.alert(2), *(make.reading(number) for number in range(5_001, 5_501))])
            assert (await delivery.state()).pending > 0
            influx.start()
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert len(taken(influx)) == 5_500
    assert len(taken(influx, measurement="alerts")) == 2
    assert (state.delivered, state.error, state.oldest_age) == (5_502, "", 0.0)


@pytest.mark.parametrize("named_from", [1, 0, 7, None])
def test_a_poison_point_stands_alone(influx, store, make, to_influx, running, drained, named_from):
    """One bad line in a thousand is dead with its reason and the other 999 are stored, however the server names the line."""
    influx.named_from = named_from
    influx.check_types(("power", {}, {"value": "text"}, 1))  # from now on power is a text there
    store.write([make.reading(number, metric="power" if number == 617 else "temperature") for number in range(1, 1_001)])

    async def deliver():
        async with running(to_influx()) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert len(taken(influx)) == 999
    assert (state.delivered, state.dead) == (999, 1)
    with_dead = Cursor(store.path.parent / "delivery" / "influxdb.db")
    (dead,) = with_dead.dead_letters()
    with_dead.close()
    assert (dead.stream, dead.id) == ("readings", str(617 << 20))
    assert "field type conflict" in dead.reason
    assert '"metric":"power"' in dead.body
    assert len(influx.requests) <= (3 if named_from == 1 else 30)


def test_many_poison_points_stand_alone(influx, store, make, to_influx, running, drained):
    """A fifth of the rows are refused, by the server or before it is asked: all others are stored."""
    influx.named_from = None
    influx.check_types(("power", {}, {"value": "text"}, 1))
    kinds = {0: {"metric": "power"}, 5: {"value": float("nan")}}
    store.write([make.reading(number, **kinds.get(number % 10, {})) for number in range(1, 201)])

    async def deliver():
        async with running(to_influx(batch=64)) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (len(taken(influx)), state.delivered, state.dead) == (160, 160, 40)


def test_too_large_a_batch_is_split(influx, store, make, to_influx, running, drained):
    """413 halves the batch until it fits; a single row that never fits is dead."""
    influx.largest = 1_000
    store.write([make.reading(number, value="x" * 2_000 if number == 50 else 1.0) for number in range(1, 101)])

    async def deliver():
        async with running(to_influx()) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (len(taken(influx)), state.dead) == (99, 1)


@pytest.mark.parametrize("wrong", ["token", "bucket"])
def test_a_wrong_token_or_bucket_drops_nothing(influx, store, make, to_influx, running, so, drained, wrong):
    """401 and 404 raise an alarm that names them, keep everything, and go on when someone has mended it."""
    right = getattr(influx, wrong)
    destination = to_influx()
    setattr(influx, wrong, "another")
    store.write([make.reading(number) for number in range(1, 101)])

    async def alarmed(delivery):
        state = await delivery.state()
        return state and state.alarm and state

    async def deliver():
        async with running(destination) as delivery:
            state = await so(lambda: alarmed(delivery))
            assert ("401" if wrong == "token" else "404") in state.error
            assert (state.pending, state.dead) == (100, 0)
            await so(lambda: len(influx.requests) >= 3)
            setattr(influx, wrong, right)
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (len(taken(influx)), state.alarm, state.error) == (100, False, "")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(influx, store, make, to_influx, running, drained, status, form):
    """A server that asks to be left alone for a second is, to within a tenth, and then gets everything."""
    asked = "1" if form == "seconds" else formatdate(int(time()) + 3, usegmt=True)
    influx.faults = [(status, {"Retry-After": asked})]
    store.write([make.reading(1)])
    told = 1.0 if form == "seconds" else int(time()) + 3 - time()

    async def deliver():
        async with running(to_influx()) as delivery:
            await drained(delivery)

    asyncio.run(deliver())
    (first, _, _), (second, _, _) = influx.requests
    assert told * 0.95 <= second - first <= told * 1.1 + 0.3
    assert taken(influx) == [20.5]


def test_wrong_answers_and_lost_answers_lose_nothing(influx, store, make, to_influx, running, drained):
    """500, 502, 503, an answer cut off after the points were stored, and none at all: each batch comes again and no point is different."""
    influx.faults = [(500, {}), "cut", (503, {}), "hang", (502, {}), "cut", "cut"]
    store.write([make.reading(number, value=float(number)) for number in range(1, 501)])

    async def deliver():
        async with running(to_influx(batch=100, timeout=0.3)) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert taken(influx) == [float(number) for number in range(1, 501)]
    assert (state.delivered, state.dead) == (500, 0)
    assert not influx.faults


@pytest.mark.parametrize("answer", ["endless", "trickling"])
def test_an_answer_without_end_is_not_read_to_the_end(influx, store, make, to_influx, running, drained, answer):
    influx.faults = [answer, answer]
    store.write([make.reading(number, value=float(number)) for number in range(1, 11)])

    async def deliver():
        async with running(to_influx(timeout=0.3)) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert taken(influx) == [float(number) for number in range(1, 11)]
    assert (state.delivered, state.dead) == (10, 0)
    assert influx.said < 20_000_000  # of which the sockets' buffers hold most


def test_a_restart_goes_on_at_the_cursor(influx, store, make, to_influx, running, so, drained):
    """Ended in the middle and started again: no row is missing, and at most one batch came twice."""
    store.write([make.reading(number) for number in range(1, 2_001)])

    async def first():
        async with running(to_influx(batch=50)):
            await so(lambda: len(influx.points) > 500)

    async def second():
        async with running(to_influx(batch=50)) as delivery:
            return await drained(delivery)

    asyncio.run(first())
    at_the_end = len(influx.points)
    assert at_the_end < 2_000
    state = asyncio.run(second())
    assert len(taken(influx)) == 2_000
    assert len(influx.arrived) <= 2_000 + 50
    assert state.delivered == 2_000


def test_outcomes_go_ahead_of_a_backlog_in_their_order(influx, store, make, to_influx, running, so, drained):
    """An alert that comes while thousands of readings wait is delivered within a batch or two; outcomes keep the store's order."""
    store.write([make.reading(number) for number in range(1, 5_001)])

    async def deliver():
        async with running(to_influx(batch=100)) as delivery:
            await so(lambda: len(influx.arrived) >= 300)
            before = len(influx.arrived)
            store.write([make.alert(number) for number in range(1, 31)])
            delivery.wake()
            await drained(delivery)
            return before

    before = asyncio.run(deliver())
    names = [name for name, _, _, _ in influx.arrived]
    # The batch under way, and the one of readings read before the alerts were there.
    assert names.index("alerts") <= before + 300
    assert [tags["state"] for name, tags, _, _ in influx.arrived if name == "alerts"] == ["raised"] * 30
    assert [fields["episode"] for name, _, fields, _ in influx.arrived if name == "alerts"] == [f"a{number}" for number in range(1, 31)]


def test_news_is_delivered_at_once(influx, store, make, to_influx, running, so, drained):
    """When woken, delivery does not wait for its next look."""
    store.write([make.reading(1)])

    async def deliver():
        async with running(to_influx(), poll=60.0) as delivery:
            await drained(delivery)
            store.write([make.alert(1)])
            start = monotonic()
            delivery.wake()
            await so(lambda: taken(influx, measurement="alerts"))
            return monotonic() - start

    assert asyncio.run(deliver()) < 5.0


def test_lingering_fills_batches(influx, store, make, to_influx, running, so):
    """With `linger`, rows that trickle in go out together."""

    async def deliver():
        async with running(to_influx(linger=0.3), poll=60.0) as delivery:
            for number in range(1, 101):
                store.write([make.reading(number)])
                delivery.wake()
                await asyncio.sleep(0.005)
            await so(lambda: len(influx.points) == 100)

    asyncio.run(deliver())
    assert len(influx.requests) <= 10


def test_delivery_waits_for_a_store(influx, tmp_path, make, to_influx, running, drained, so):
    """Started before the flows have made the store, delivery begins when they have."""

    async def deliver():
        async with running(to_influx()) as delivery:
            assert await delivery.state() is None
            with Store(tmp_path / "store.db") as store:
                store.write([make.reading(1)])
                await so(lambda: influx.points)
                await drained(delivery)

    asyncio.run(deliver())


def test_stopping_waits_for_no_answer(influx, store, make, to_influx, running, so):
    """A server that has taken a request and says nothing does not hold up the end."""
    influx.faults = ["hang"]
    store.write([make.reading(1)])

    async def deliver():
        async with running(to_influx(timeout=30.0)):
            await so(lambda: influx.requests)
            return monotonic()

    start = asyncio.run(deliver())
    assert monotonic() - start < 2.0


def test_stopping_takes_note_of_the_answer_under_way(influx, store, make, to_influx, running, so, drained):
    """What is answered within a moment of the end is not sent again at the next start."""
    store.write([make.reading(number) for number in range(1, 101)])
    asked, answer, judge = threading.Event(), threading.Event(), influx.judge

    def judge_late(request, body):
        asked.set()
        answer.wait(10)
        return judge(request, body)

    async def stop_in_the_middle():
        async with running(to_influx()):
            await so(asked.is_set)
            asyncio.get_running_loop().call_later(0.1, answer.set)

    async def start_again():
        async with running(to_influx()) as delivery:
            return await drained(delivery)

    influx.judge = judge_late
    asyncio.run(stop_in_the_middle())
    assert asyncio.run(start_again()).delivered == 100
    assert len(influx.requests) == 1


def test_sums_add_up_through_everything(influx, store, make, to_influx, running, drained):
    """Written = delivered + dead + pending: while it runs, after it ended, and as another process reads it."""
    influx.check_types(("power", {}, {"value": "text"}, 1))
    cursor = store.path.parent / "delivery" / "influxdb.db"

    def balanced():
        with StoreReader(store.path) as reader, reader.snapshot():
            counts, state = reader.counts(), read_state("influxdb", cursor, reader, now=make.t0 + 10**13)
            assert state.delivered + state.dead + state.pending == counts.readings["kept"] + counts.effects
            return state

    async def deliver(more):
        async with running(to_influx(batch=20)) as delivery:
            store.write(more)
            await drained(delivery)
            store.write([make.alert(len(influx.points))])

    for round_ in range(3):
        first = round_ * 100 + 1
        asyncio.run(deliver([make.reading(number, metric="power" if number % 10 == 0 else "x") for number in range(first, first + 100)]))
        state = balanced()
    assert state.dead == 30
    assert state.streams["readings"].delivered == 270
    store.write([make.alert(10**6)])
    assert balanced().pending >= 1
    assert balanced().oldest_age > 0


def test_a_store_that_lost_its_last_rows_is_caught_up_with(influx, tmp_path, make, to_influx, running, drained):
    """After a power cut the store may be behind the cursor, and its outcomes may come back in another order: all are delivered."""
    path, kept = tmp_path / "store.db", tmp_path / "kept.db"
    with Store(path) as store:
        store.write([make.reading(number) for number in range(1, 101)])
        store.write([make.alert(number) for number in range(1, 11)])
        store.sync()
    kept.write_bytes(path.read_bytes())

    async def deliver():
        async with running(to_influx()) as delivery:
            return await drained(delivery)

    asyncio.run(deliver())
    with Store(path) as store:
        store.write([make.reading(number) for number in range(101, 151)])
        store.write([make.alert(number) for number in range(11, 16)])
    asyncio.run(deliver())
    influx.points.clear()
    path.write_bytes(kept.read_bytes())
    with Store(path) as store:
        store.write([make.reading(number) for number in range(101, 201)])
        store.write([make.alert(number) for number in (13, 12, 16, 17, 11, 14, 15, 18)])
    state = asyncio.run(deliver())
    alerts = {tags_fields["episode"] for (name, _, _), tags_fields in influx.points.items() if name == "alerts"}
    assert alerts == {f"a{number}" for number in range(11, 19)}
    assert state.delivered == 200 + 18


def test_a_cursor_ahead_of_the_store_goes_back(influx, tmp_path, make, to_influx, running, drained):
    """A cursor that knows of more than the store has starts at the store's newest row, and misses none of the next."""
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.write([make.reading(number) for number in range(1, 101)] + [make.alert(number) for number in range(1, 51)])

    async def deliver():
        async with running(to_influx()) as delivery:
            return await drained(delivery)

    asyncio.run(deliver())
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    with Store(path) as store:
        store.write([make.reading(number) for number in range(1, 51)] + [make.alert(number) for number in range(1, 11)])
    asyncio.run(deliver())
    influx.points.clear()
    with Store(path) as store:
        store.write([make.reading(number) for number in range(51, 61)] + [make.alert(number) for number in range(11, 21)])
    state = asyncio.run(deliver())
    assert len(influx.points) == 20
    assert state.delivered == 60 + 20


@pytest.mark.parametrize("gzip", [False, True])
def test_hostile_names_and_texts_make_one_point_each(influx, store, make, to_influx, running, drained, gzip):
    """Injection in any place, over the wire: one point per row, with the names and texts that were sent."""
    hostile = ["x,host=evil v=1\nadmin v=1i", "%0a", "end\\", 'a"b', "#c", "a=b,c d", "\x1b[31m", "=1+1", "\u202e", "${jndi:x}", "{{7*7}}"]
    store.write([make.reading(number, device=text, metric=text, channel=text) for number, text in enumerate(hostile, start=1)])
    store.write([make.reading(number, device="d", metric="said", value=text) for number, text in enumerate(hostile, start=100)])
    store.write([make.alert(number, message=text, group=((text, text),)) for number, text in enumerate(hostile, start=1)])

    async def deliver():
        async with running(to_influx(gzip=gzip)) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (state.delivered, state.dead, len(influx.points)) == (33, 0, 33)
    assert {decoded(name) for name, _, _ in influx.points} == {*hostile, "said", "alerts"}
    assert {decoded(dict(tags)["channel"]) for name, tags, _ in influx.points if "channel" in dict(tags)} == set(hostile)
    assert set(taken(influx, "text", "said")) == {text.replace("\n", "\\n") for text in hostile}


def test_without_a_backlog_to_fetch_a_new_stream_starts_at_the_newest(store, tmp_path, make):
    """A stream switched on later does not send what is long past, where the destination wants none of that; what it skipped is counted."""
    store.write([make.reading(number) for number in range(1, 11)] + [make.alert(1)])
    path = tmp_path / "delivery" / "mqtt.db"
    with StoreReader(store.path) as reader:
        cursor = Cursor(path)
        cursor.align(reader, ["effects"], backfill=False)
        assert cursor.position("effects") == 0  # a new file: nothing is past yet
        cursor.close()
        cursor = Cursor(path)
        cursor.align(reader, ["effects", "readings"], backfill=False)
        assert cursor.position("readings") == 10 << 20
        state = read_state("mqtt", path, reader, now=0)
        assert (state.skipped, state.pending) == (10, 1)
        cursor.align(reader, ["effects"], backfill=False)
        assert set(read_state("mqtt", path, reader, now=0).streams) == {"effects"}
        cursor.close()
