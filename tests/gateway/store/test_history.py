"""History by time: through blocks and the unsealed tail alike, equal to a plain loop."""

from __future__ import annotations

import random

import pytest

from gateway.store import blocks
from gateway.store.reader import StoreReader
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000


@pytest.fixture
def sealed_often(monkeypatch):
    """Seal blocks of 64 readings, so that a small history has many."""
    monkeypatch.setattr(blocks, "SMALLEST", 64)
    monkeypatch.setattr(blocks, "LARGEST", 64)


@pytest.fixture
def filled(tmp_path, kept, sealed_often):  # noqa: ARG001
    """Give a store of 2,000 readings of six series, a third of them out of order, and the readings."""
    chance = random.Random(7)
    readings = []
    for number in range(1, 2_001):
        ts = T0 + number * 10**9 - (chance.randrange(300) * 10**9 if chance.random() < 0.3 else 0)
        device, metric = chance.choice("ab"), chance.choice(["temperature", "humidity", "state"])
        value = chance.choice(["on", "off"]) if metric == "state" else chance.uniform(-10, 40)
        readings.append(kept(number, device, metric, value, ts=ts))
    path = tmp_path / "store.db"
    with Store(path) as store:
        for start in range(0, 2_000, 37):
            store.write(readings[start : start + 37])
    return path, readings


RANGES = [(None, None), (300, 310), (0, 1), (None, 500), (1990, None), (700, 1400), (5000, None)]


@pytest.mark.parametrize(("since", "until"), RANGES)
@pytest.mark.parametrize("metric", [None, "humidity"])
def test_history_is_what_a_plain_loop_finds(filled, since, until, metric):
    """Every reading of the range is there, in order of time, and none beside it."""
    path, readings = filled
    first = T0 + since * 10**9 if since is not None else None
    end = T0 + until * 10**9 if until is not None else None
    expected = sorted(
        (
            one
            for one in readings
            if one.reading.device == "a"
            and metric in (None, one.reading.metric)
            and (first is None or one.reading.ts >= first)
            and (end is None or one.reading.ts < end)
        ),
        key=lambda one: (one.reading.ts, one.id),
    )
    with StoreReader(path) as reader:
        assert reader.history("a", metric, since=first, until=end) == expected
        assert reader.history("a", metric, since=first, until=end, newest=3) == expected[-3:]


def test_buckets_are_what_a_plain_loop_finds(filled):
    """Mean, min, max and count per minute equal those over the plain list; texts only count."""
    path, readings = filled
    expected = {}
    for one in readings:
        if one.reading.device == "b":
            expected.setdefault((one.reading.ts // (60 * 10**9) * 60 * 10**9, one.reading.metric), []).append(one.reading.value)
    with StoreReader(path) as reader:
        buckets = reader.buckets("b", every=60 * 10**9)
    assert {(one.start, one.metric) for one in buckets} == set(expected)
    for one in buckets:
        values = expected[one.start, one.metric]
        assert one.count == len(values)
        if one.metric == "state":
            assert (one.mean, one.min, one.max) == (None, None, None)
        else:
            assert (one.min, one.max) == (min(values), max(values))
            assert one.mean == pytest.approx(sum(values) / len(values))


def test_pruned_readings_are_in_no_history(filled):
    """Blocks whose readings are all gone are gone too; of those that are half gone the rest is found."""
    path, readings = filled
    with Store(path) as store:
        while store.prune(T0 + 1_000 * 10**9, most=100):
            pass
    expected = sorted(
        (one for one in readings if one.id >> 20 >= 1_000 and one.reading.device == "a"), key=lambda one: (one.reading.ts, one.id)
    )
    with StoreReader(path) as reader:
        assert reader.history("a") == expected
