"""Kinds: a series holds numbers, booleans or texts, and never changes from one to another."""

import msgspec
import pytest

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import DeadLetter, Message
from devices.samples import RECEIVED


def say(catalogue, payload, topic="home/shed"):
    return catalogue.readings(Message(topic, payload, RECEIVED))


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (b'{"x": 21.5}', b'{"x": "warm"}', "series 'x' holds numbers, so a text must not enter it"),
        (b'{"x": 21}', b'{"x": true}', "series 'x' holds numbers, so a boolean must not enter it"),
        (b'{"x": "on"}', b'{"x": 1}', "series 'x' holds booleans, so a number must not enter it"),
        (b'{"x": "warm"}', b'{"x": 1}', "series 'x' holds texts, so a number must not enter it"),
    ],
)
def test_kind_conflict_is_a_dead_letter(first, second, words):
    """A value of another kind than its series' first is a dead letter that names both."""
    catalogue = Catalogue()
    assert isinstance(say(catalogue, first), list)
    outcome = say(catalogue, second)
    assert isinstance(outcome, DeadLetter)
    assert words in outcome.reason
    assert isinstance(say(catalogue, first), list)


def test_kind_of_whole_and_broken_numbers_is_one():
    """Integers and floats are one kind."""
    catalogue = Catalogue()
    assert all(isinstance(say(catalogue, payload), list) for payload in (b'{"x": 1}', b'{"x": 1.5}', b'{"x": 18446744073709551615}'))


def test_kind_conflict_leaves_the_other_values():
    """Only the value that would change its series is left out; the message's others are read."""
    catalogue = Catalogue()
    say(catalogue, b'{"x": 1, "temperature": 20}')
    (reading,) = say(catalogue, b'{"x": "many", "temperature": 21}')
    assert (reading.metric, reading.value) == ("temperature", 21)
    assert [(one.device, one.key) for one in catalogue.news.refused] == [("shed", "x")]


def test_kind_is_kept_through_a_resume():
    """A catalogue that goes on from what another learned holds series to the same kinds."""
    first = Catalogue()
    say(first, b'{"x": 1}')
    resumed = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(first.learned)))
    assert isinstance(say(resumed, b'{"x": "many"}'), DeadLetter)


def test_kind_of_a_profile_outweighs_what_came_first():
    """A profile's `types` settles what a series holds, also of a series that began otherwise."""
    first = Catalogue()
    say(first, b'{"x": "n/a"}')
    resumed = Catalogue([Profile(devices=["shed"], types={"x": "number"})], learned=first.learned)
    assert [one.value for one in say(resumed, b'{"x": 7}')] == [7]
    assert isinstance(say(resumed, b'{"x": "n/a"}'), DeadLetter)


@pytest.mark.parametrize(
    ("kind", "payload", "value"),
    [("text", b'{"x": "on"}', "on"), ("text", b'{"x": 12}', "12"), ("number", b'{"x": true}', 1), ("boolean", b'{"x": 0}', False)],
)
def test_declared_kind_turns_what_says_the_same(kind, payload, value):
    """A declared kind reads a value that says the same in another form."""
    (reading,) = say(Catalogue([Profile(types={"x": kind})]), payload)
    assert reading.value == value
    assert type(reading.value) is type(value)
