"""The partitions of the journal in one order, however they come in."""

import json

from hypothesis import given
from hypothesis import strategies as st

from flows.cluster.merge import Merge
from flows.slice import Slice

COUNT = 3


def row(partition, time, number):
    """A slice that tells by its offset where it is from; its journal's clock began a while ago."""
    return Slice(0, time, time + 1_000 * partition, live=True, tick=False, offset=number)


partitions = st.lists(
    st.tuples(st.integers(0, COUNT - 1), st.integers(0, 4), st.booleans()),
    max_size=60,
)
"""What is said, one after the other: by which partition, how much later than what it said before, and whether it is only a mark."""


def said(steps):
    """Each partition's words, in their order: (time, slice or None)."""
    times, words = [0] * COUNT, [[] for _ in range(COUNT)]
    for number, (partition, later, mark) in enumerate(steps):
        times[partition] += later
        words[partition].append((times[partition], None if mark else row(partition, times[partition], number)))
    return words


def given_by(words, order, *, cut=None):
    """What a merge gives when the partitions speak in this order; with `cut`, it is kept and begun again after so many words."""
    merge, queues, found = Merge(COUNT), [list(one) for one in words], []
    turns = [*(turn % COUNT for turn in order), *(partition for partition in range(COUNT) for _ in words[partition])]
    for number, partition in enumerate(turns):
        if number == cut:
            merge = Merge(COUNT, json.loads(json.dumps(merge.state)), merge.held)
        if queues[partition]:
            time, one = queues[partition].pop(0)
            merge.put(partition, time, one)
            found += merge.ready()
    for partition in range(COUNT):
        merge.put(partition, 10**6, None)
    return [*found, *merge.ready()]


@given(partitions, st.lists(st.integers(0, COUNT - 1), max_size=80), st.integers(0, 100))
def test_the_order_is_one_whoever_speaks_first(steps, order, cut):
    words = said(steps)
    expected = sorted(
        ((time, partition, one.offset) for partition, told in enumerate(words) for time, one in told if one is not None),
        key=lambda one: one[:2],
    )
    found = given_by(words, order)
    assert [one.offset for one in found] == [offset for _, _, offset in expected]
    assert given_by(words, []) == found
    assert given_by(words, order, cut=cut) == found


@given(partitions, st.lists(st.integers(0, COUNT - 1), max_size=80))
def test_the_clock_never_goes_back_nor_further_than_time_has(steps, order):
    found = given_by(said(steps), order)
    clocks = [one.clock for one in found]
    assert clocks == sorted(clocks)
    assert all(one.clock <= one.at - found[0].at for one in found)


def test_nothing_is_given_that_another_may_still_go_before():
    merge = Merge(2)
    merge.put(1, 5, row(1, 5, 0))
    assert not list(merge.ready())
    merge.put(0, 5, None)  # which may still say something at 5, and goes first then
    assert not list(merge.ready())
    merge.put(0, 6, None)
    assert [one.offset for one in merge.ready()] == [0]


def test_a_partition_that_goes_back_counts_as_where_it_was():
    merge = Merge(2)
    merge.put(0, 9, None)
    merge.put(0, 4, row(0, 4, 1))
    merge.put(1, 8, row(1, 8, 2))
    merge.put(1, 20, None)
    merge.put(0, 20, None)
    assert [one.offset for one in merge.ready()] == [2, 1]
