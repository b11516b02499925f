"""Forms: a message that is read as another before it was gives what its convention would have given."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import CONVENTIONS, MOST_FORMS, Catalogue
from devices.form import Report
from devices.profile import Profile
from devices.reading import Message
from devices.samples import RECEIVED, samples

SECOND = 1_000_000_000
PROFILES = [
    Profile(devices=["attic"], rename={"t": "temperature"}, units={"t": "°F"}, calibrate={"t": {"offset": 1.5}}, labels={"room": "attic"}),
    Profile(devices=["pump"], name="well", types={"x": "number", "on": "boolean"}, timezone="Europe/Berlin"),
    Profile(devices=["meter"], sequence="n"),
]


class Formless(Catalogue):
    """A catalogue whose conventions look at every message."""

    def _keep_form(self, *_):
        pass


class Compared:
    """Two catalogues that are told the same; counts what was read by a form."""

    def __init__(self, profiles=()):
        self.catalogues = Catalogue(profiles), Formless(profiles)
        self.by_form = 0

    def say(self, message):
        read, wanted = (catalogue.read(message) for catalogue in self.catalogues)
        outcome = read.readings() if isinstance(read, Report) else read
        assert outcome == wanted, message
        first, second = (catalogue.news for catalogue in self.catalogues)
        assert (first.refused, first.readdressed, first.asks, first.sequences.missed) == (
            second.refused,
            second.readdressed,
            second.asks,
            second.sequences.missed,
        )
        self.by_form += isinstance(read, Report)

    def check_learned(self):
        first, second = (msgspec.msgpack.encode(catalogue.learned, order="sorted") for catalogue in self.catalogues)
        assert first == second


TOPICS = ["home/attic", "home/attic/temperature", "site/pump", "plant/data", "sensors/meter/state", "t"]
PLAIN = ["ts", "t", "temp", "temperature", "Temperature", "humidity", "x", "on", "power", "state", "n"]
CLAIMS = ["time", "value", "unit", "id", "name", "quality", "device", "model", "attic", "type"]
numbers = st.one_of(st.integers(-5, 60), st.floats(-5, 60, width=32), st.sampled_from([2**64, -(2**63) - 1, 2**64 - 1, 1e300]))
texts = st.sampled_from(["ON", "off", "21.5", "21,5", "21.5 °C", "n/a", "", "online", "warm", "attic"])
times = st.sampled_from(["2026-09-02T12:00:00Z", "2026-09-02 12:00:00", 1_788_350_399_123, 1_788_350_399.5, 99, "soon"])
others = st.one_of(st.none(), st.sampled_from([{}, [], {"t": 1}, [1, 2], [{"t": 1}]]))
kinds = st.sampled_from([numbers, numbers, numbers, texts, st.booleans(), times, others])
keys = st.sampled_from([*PLAIN, *PLAIN, *CLAIMS])
bodies = st.dictionaries(keys, kinds, min_size=1, max_size=4)
messages = st.tuples(st.sampled_from(TOPICS), bodies, st.sampled_from([RECEIVED, RECEIVED, RECEIVED + 5 * SECOND, 7 * SECOND]))


@settings(max_examples=300, deadline=None)
@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_form_gives_what_its_convention_gives(said, data):
    """Whatever is said, and however its values change from one message to the next."""
    compared = Compared(PROFILES)
    for _ in range(12):
        topic, body, received = data.draw(st.sampled_from(said))
        values = {key: data.draw(times if key in {"ts", "time"} else kind) for key, kind in body.items()}
        compared.say(Message(topic, json.dumps(values).encode(), received, retained=data.draw(st.integers(0, 9)) == 9))
    compared.check_learned()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"x": 1}, {"x": 2**64}),
        ({"x": 1.5}, {"x": True}),
        ({"x": 1.5}, {"x": "1.5"}),
        ({"x": 1.5}, {"x": None}),
        ({"x": 1.5}, {"x": {"y": 1}}),
        ({"temperature": "21.5"}, {"temperature": "n/a"}),
        ({"mode": "auto"}, {"mode": ""}),
        ({"state": "open"}, {"state": "online"}),
        ({"state": "ON"}, {"state": "warm"}),
        ({"status": "ON"}, {"status": "offline"}),
        ({"time": 99, "date": 1_788_350_399, "x": 1}, {"time": 1_788_350_398, "date": 1_788_350_399, "x": 1}),
        ({"ts": 1_788_350_399_123, "time": 1_788_350_399_124, "x": 1}, {"ts": "soon", "time": 1_788_350_399_125, "x": 1}),
        ({"ts": "soon", "time": 1_788_350_399_124, "x": 1}, {"ts": 1_788_350_399_126, "time": 1_788_350_399_125, "x": 1}),
        ({"Temperature": 20.5, "temperature": 21.5}, {"Temperature": 20.5, "temperature": 21.5}),
        ({"n": 1, "x": 1}, {"n": 5, "x": 1}),
        ({"x": 1, "": [5]}, {"x": 2, "": [7]}),
        ({"x": 1, "": 5}, {"x": 2, "": 7}),
    ],
)
@pytest.mark.parametrize("topic", ["home/attic", "site/pump", "home/meter"])
def test_form_leaves_what_differs_to_its_convention(topic, first, second):
    """Values that say something else than those before, under the same keys."""
    compared = Compared(PROFILES)
    for received in (RECEIVED, 7 * SECOND):
        for body in (first, first, second, first, second, second):
            compared.say(Message(topic, json.dumps(body).encode(), received))
    compared.check_learned()


@pytest.mark.parametrize("convention", sorted(made.name for made in CONVENTIONS))
def test_form_of_a_sample(convention):
    """Each sample, said three times in a row."""
    compared = Compared()
    for sample in samples(convention):
        if sample.topic is None:
            continue
        for message in [*(one.message() for one in sample.after), *[sample.message()] * 3]:
            compared.say(message)
    compared.check_learned()


def test_form_reads_the_usual_message():
    """An object of numbers, texts and truths, with a time of its own, needs its convention once."""
    compared = Compared()
    for n in range(5):
        body = {"ts": 1_788_350_400_000 + n, "temperature": 20 + n / 2, "count": n, "pump": n % 2 == 0, "mode": "auto" if n % 2 else "off"}
        compared.say(Message("home/attic", json.dumps(body).encode(), RECEIVED))
    assert compared.by_form >= 3


def test_form_ends_with_the_kind_of_its_series():
    """Another key of the same series is a text by its profile: the series holds texts from then on."""
    compared = Compared([Profile(devices=["attic"], types={"temp": "text"})])
    for body in ({"temperature": 21.5}, {"temperature": 21.5}, {"temp": 20}, {"temperature": 22.5}):
        compared.say(Message("home/attic", json.dumps(body).encode(), RECEIVED))
    assert compared.by_form == 1
    compared.check_learned()


def test_forms_are_bounded(monkeypatch):
    """Of a topic few are kept, of all so many keys, and none of an object that is no bundle of values."""
    monkeypatch.setattr("devices.catalogue.MOST_COLUMNS", 40)
    catalogue = Catalogue()
    for n in range(100):
        catalogue.readings(Message("home/attic", json.dumps({f"a{n}": 1, f"b{n}": 2}).encode(), RECEIVED))
        forms = [form for route in catalogue._routes.values() for form in route.forms]
        assert len(forms) <= MOST_FORMS
        assert sum(map(len, forms)) <= 40
    large = json.dumps({f"key-{n}": n for n in range(65)}).encode()
    assert not any(isinstance(catalogue.read(Message("home/attic", large, RECEIVED)), Report) for _ in range(3))


def test_form_ends_with_what_was_learned():
    """A device whose values' kinds are forgotten, or that is heard on another topic, is looked at again."""
    catalogue = Catalogue()
    message = Message("home/attic", b'{"temperature": 21.5}', RECEIVED)

    def by_form():
        return isinstance(catalogue.read(message), Report)

    assert [by_form(), by_form()] == [False, True]
    catalogue.readings(Message("roof/attic", b'{"temperature": 21.5}', RECEIVED))
    assert not by_form()
    assert catalogue.address("attic").base == "home/attic"
    assert by_form()
    catalogue.forget("attic")
    assert not by_form()
