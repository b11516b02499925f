"""Sequence numbers: gaps are counted, repeats and late messages are not, and a device may begin anew."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import Message
from devices.sequences import Sequences


def gaps(numbers, *, wraps=0):
    sequences = Sequences({})
    return [sequences.count("d", "s", number, at, wraps=wraps) for at, number in enumerate(numbers)]


def test_gap_is_counted():
    """What is missing between two numbers is missed, also over the wrap."""
    assert gaps([7, 8, 11]) == [0, 0, 2]
    assert gaps([254, 255, 1], wraps=256) == [0, 0, 1]


def test_smaller_number_is_a_new_beginning_without_wraps():
    """A LoRaWAN counter that falls back belongs to a new session."""
    assert gaps([70, 0, 1, 3]) == [0, 0, 0, 1]


def test_late_number_moves_nothing_with_wraps():
    """A number that came late, or twice, is no gap and does not make one."""
    assert gaps([10, 12, 11, 12, 13], wraps=256) == [0, 1, 0, 0, 0]


def test_number_that_nobody_counts_to():
    """What no counter holds is passed over, and a leap that no device can have made is a new beginning: neither may fill the state."""
    assert gaps([1, 10**30, -1, 3]) == [0, 0, 0, 1]
    assert gaps([0, 2**62, 0, 2**62, 2**62 + 2]) == [0, 0, 0, 0, 1]


def test_number_of_a_profile_may_be_anything():
    """A snapshot holds what was learned from the number that a profile names, whatever the device says there."""
    catalogue = Catalogue([Profile(devices=["meter"], sequence="n")])
    for n, number in enumerate([b"1", b"1e300", b"-1e300", b"18446744073709551615", b"1.5", b"3"]):
        catalogue.readings(Message("home/meter", b'{"x": 1, "n": %b}' % number, n))
    assert msgspec.msgpack.encode(catalogue.learned)
    assert catalogue.news.sequences.missed == {"meter": 1}


def test_message_read_again_moves_nothing():
    """A message that was received before the newest one counted is one read again."""
    sequences = Sequences({})
    assert sequences.count("d", "s", 10, 100) == 0
    assert sequences.count("d", "s", 3, 50) == 0
    assert sequences.count("d", "s", 11, 110) == 0


def test_restart_is_no_gap():
    """A birth begins anew wherever the numbers stood."""
    sequences = Sequences({})
    sequences.count("d", "s", 40, 1, wraps=256)
    sequences.restart("s", 0, 2)
    assert sequences.count("d", "s", 1, 3, wraps=256) == 0
    assert sequences.missed == {}


@given(st.integers(0, 255), st.lists(st.integers(0, 100), min_size=1, max_size=50))
def test_missed_is_what_was_left_out(start, skips):
    """However many are left out each time, up to less than half a round, the sum is what was left out."""
    number, numbers = start, [start]
    for skip in skips:
        number += 1 + skip
        numbers.append(number % 256)
    assert sum(gaps(numbers, wraps=256)) == sum(skips)


def test_a_profile_names_the_number_of_a_plain_device():
    """What is missing between two numbers is counted, a number that is none is not, and beginning anew misses nothing."""
    catalogue, missed = Catalogue([Profile(devices=["d-*"], sequence="seq")]), []
    for received, number in enumerate(["1", "2", "5", '"x"', "6.5", "6", "1", "2"]):
        catalogue.readings(Message("load/d-1", f'{{"seq": {number}, "temperature": 2.5}}'.encode(), received))
        missed.append(catalogue.news.sequences.missed.get("d-1", 0))
    assert missed == [0, 0, 2, 0, 0, 0, 0, 0]
