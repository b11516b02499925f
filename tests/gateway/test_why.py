"""What stands behind a decision: the chain in the store, the readings, and the messages that they came in."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from rich.console import Console

from devices.catalogue import Catalogue
from devices.reading import Message, Reading
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader, first_since
from gateway.journal.row import Entry
from gateway.journal.segment import first_offset, segments
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, ReadingKept, WindowClosed
from gateway.store.reader import StoreReader
from gateway.store.store import Store
from gateway.why.chain import find
from gateway.why.document import why_document
from gateway.why.drawing import show
from gateway.why.evidence import ROWS, Selection, gather
from gateway.why.messages import Messages
from gateway.why.recent import recent

T0 = 1_760_000_000_000_000_000
SECOND = 10**9
GROUP = (("device", "shed"),)
BEFORE = {"raised": False, "held": 1, "since": T0, "episodes": 3, "last_clear": None}
WARM = Selection(frozenset({"temperature"}), lambda reading: reading.metric == "temperature", closed=False)


def window(end, values, *, revision=1, count=2, flow="climate", at=1):
    start = T0 + (end - 10) * SECOND
    return WindowClosed(
        f"w-{end}-{revision}", flow, GROUP, start, T0 + end * SECOND, revision, count, values, T0 + (end + revision * at) * SECOND
    )


def alert(state, end, **why):
    known = {
        "rule": "warm > 28.0",
        "values": {"device": "shed", "warm": 29.5},
        "since": T0,
        "raised": T0,
        "held": 2,
        "last_clear": None,
        **why,
    }
    return AlertChanged(
        f"a-{state}", "e-1", "climate", GROUP, state, "warning", "shed at 29.5", known, T0 + end * SECOND, T0 + (end + 1) * SECOND
    )


def command(cause="a-raised"):
    at = T0 + 20 * SECOND
    return CommandRequested("c-1", "climate", GROUP, cause, "fan-1", {"state": "ON"}, 2 * SECOND, 2, at + 30 * SECOND, at, T0 + 21 * SECOND)


def fact(state, attempt, after):
    return CommandFact(f"c-1/{state}/{attempt}", "c-1", "fan-1", "climate", state, attempt, {"state": "ON"}, "", T0 + after * SECOND)


def said(number, ts, value, *, received=None, metric="temperature", device="shed"):
    return ReadingKept(
        number,
        Reading(
            device=device,
            metric=metric,
            key=metric,
            value=value,
            raw_value=value,
            unit="°C",
            ts=T0 + round(ts * SECOND),
            received=T0 + round((ts if received is None else received) * SECOND),
            time_source="device",
            convention="plain_json",
        ),
    )


@pytest.fixture
def opened(tmp_path):
    """Give a reader of a store with these effects, and the journal's messages beside it."""
    readers = []

    def open_with(*effects):
        with Store(tmp_path / "store.db") as store:
            store.write(effects)
        reader = StoreReader(tmp_path / "store.db")
        readers.append(reader)
        return reader, Messages(tmp_path / "journal" / "0", [])

    yield open_with
    for reader in readers:
        reader.close()


@pytest.fixture
def journal(tmp_path):
    """Give the journal of the data folder."""
    with closing(Bell(tmp_path / "bell")) as bell:
        opened = Journal(tmp_path / "journal" / "0", bell, keep=1 << 60, max_size=1 << 40)
        yield opened
        opened.close()


def climate():
    return [
        window(10, {"warm": 27.0}),
        window(20, {"warm": 29.5}),
        alert("raised", 20, before=BEFORE, after={**BEFORE, "raised": True, "held": 2}),
        command(),
        fact("sent", 1, 22),
        fact("confirmed", 1, 23),
        window(20, {"warm": 29.0}, revision=2, count=3),
        window(30, {"warm": 25.0}),
        alert("cleared", 30),
        said(1, 5, 27.0),
        said(2, 11, 29.0),
        said(3, 19, 30.0),
        said(4, 15, 28.0, received=24),
        said(5, 12, 55.0, metric="humidity"),
        said(6, 12, 21.0, device="hall"),
        said(7, 25, 25.0),
    ]


def text_of(chain, evidence, *, width=160, terminal=False):
    console = Console(width=width, force_terminal=terminal, no_color=True)
    with console.capture() as capture:
        show(chain, evidence, console)
    return capture.get()


def test_command_goes_back_to_the_readings_of_the_window_that_decided(opened):
    """The alert that caused it, the window's revisions, and of the readings only those of the flow's metric, the group and the time."""
    reader, messages = opened(*climate())
    chain = find(reader, "c-1")
    assert (chain.kind, chain.alert.id, chain.decided.id) == ("command", "a-raised", "w-20-1")
    document = why_document(chain, gather(chain, reader, messages, selection=WARM))
    assert [(one["ts"], one["value"], one["later"]) for one in document["readings"]["rows"]] == [
        (T0 + 11 * SECOND, 29.0, False),
        (T0 + 15 * SECOND, 28.0, True),
        (T0 + 19 * SECOND, 30.0, False),
    ]
    assert [(one["revision"], one["values"]) for one in document["window"]["revisions"]] == [(1, {"warm": 29.5}), (2, {"warm": 29.0})]
    life = document["command"]["life"]
    assert [(one["state"], one["attempt"], one["since_request"]) for one in life] == [
        ("sent", 1, 2 * SECOND),
        ("confirmed", 1, 3 * SECOND),
    ]
    assert document["readings"]["notes"] == []
    json.dumps(document)


@pytest.mark.parametrize(
    ("asked", "kind", "alert_id"),
    [
        ("a-cleared", "alert", "a-cleared"),
        ("e-1", "episode", "a-raised"),
        ("w-20-2", "window", "a-raised"),
        ("c-1/sent/1", "command", "a-raised"),
    ],
)
def test_every_kind_of_id_finds_its_chain(opened, asked, kind, alert_id):
    """An alert, an episode, a revision of a window, and a fact of a command's life."""
    reader, _ = opened(*climate())
    chain = find(reader, asked)
    assert (chain.kind, chain.alert.id, [one.state for one in chain.episode]) == (kind, alert_id, ["raised", "cleared"])
    if kind == "window":
        assert chain.decided.revision == 2


def test_unknown_id_has_no_chain(opened):
    """Neither an id that never was, nor one that only begins like another."""
    reader, _ = opened(*climate())
    assert find(reader, "a-nothing") is None
    assert find(reader, "c-") is None


def test_text_shows_rule_trigger_life_window_readings_and_plot(opened):
    """One screen with all of it; an alert of before the trigger's state was kept says so."""
    reader, messages = opened(*climate())
    chain = find(reader, "c-1")
    text = text_of(chain, gather(chain, reader, messages, selection=WARM))
    for part in ("warm > 28.0", "shed at 29.5", "confirmed", "+2 s", "an episode is open", "never before", "after the decision", "│"):
        assert part in text, part
    chain = find(reader, "a-cleared")
    assert "was not kept yet" in text_of(chain, gather(chain, reader, messages, selection=WARM))


def test_command_that_a_person_sent_has_a_life_and_no_cause(opened):
    """There is no alert, no window and no reading to show, and that is said."""
    sent = CommandFact("c-9/requested/0", "c-9", "fan-1", "", "requested", 0, {"state": "ON"}, "", T0)
    reader, messages = opened(sent)
    chain = find(reader, "c-9")
    evidence = gather(chain, reader, messages, selection=None)
    assert (chain.alert, evidence) == (None, None)
    assert "a person sent the command" in text_of(chain, evidence)


def test_flow_that_left_the_config_shows_all_of_its_group(opened):
    """What it selected cannot be told any more, and a note says so; another device is still left out."""
    reader, messages = opened(*climate())
    chain = find(reader, "w-20-1")
    evidence = gather(chain, reader, messages, selection=None)
    assert [one.reading.metric for one in evidence.rows] == ["temperature", "humidity", "temperature", "temperature"]
    assert "not in the config" in evidence.notes[0]


def test_long_window_shows_its_last_readings_and_counts_the_rest(opened):
    """Forty rows at most, the ones next to the decision."""
    many = [said(number, 9.99 + number / 100, 20.0 + number) for number in range(1, 101)]
    reader, messages = opened(window(20, {"warm": 1.0}, count=100), *many)
    chain = find(reader, "w-20-1")
    evidence = gather(chain, reader, messages, selection=WARM)
    document = why_document(chain, evidence)["readings"]
    assert (len(document["rows"]), document["total"], document["left_out"]) == (ROWS, 100, 60)
    assert document["rows"][-1]["value"] == 120.0
    assert "the last 40 of 100; 60 before them" in text_of(chain, evidence)


def test_reading_shows_the_message_that_it_came_in(opened, journal):
    """The journal's row holds several messages; the one that says the same value of the same series is it."""
    entries = [Entry("home/hall", b'{"temperature": 29.0}'), Entry("home/shed", b'{"temperature": 29.0}'), Entry("home/shed", b"{broken")]
    offset = journal.append_messages(entries)
    reader, messages = opened(window(20, {"warm": 29.0}, count=1), said(offset << 20 | 1, 11, 29.0))
    chain = find(reader, "w-20-1")
    evidence = gather(chain, reader, messages, selection=WARM)
    (row,) = evidence.rows
    assert (row.said.topic, row.said.payload) == ("home/shed", b'{"temperature": 29.0}')
    assert text_of(chain, evidence).splitlines()[-1].endswith('shed    temperature  29 °C  home/shed {"temperature": 29.0}')
    last = text_of(chain, evidence, width=70, terminal=True).splitlines()[-1].rstrip()
    assert last.endswith('shed    temperature  29 °C  home/shed {"temper…')


def test_store_without_raw_readings_falls_back_to_the_journal(opened, journal):
    """The messages of the window's time are read again, and it is said where they are from."""
    journal.append_messages([Entry("home/shed", b'{"temperature": 27.0}')])
    journal.append_messages([Entry("home/shed", b'{"temperature": 30.0}'), Entry("home/hall", b'{"temperature": 1}')])
    rows = JournalReader(journal.directory).read(10)
    seen = WindowClosed("w-1", "climate", GROUP, rows[1].received, rows[1].received + SECOND, 1, 1, {}, rows[1].received + 2 * SECOND)
    reader, messages = opened(seen)
    evidence = gather(find(reader, "w-1"), reader, messages, selection=WARM)
    assert [(one.reading.value, one.said.topic) for one in evidence.rows] == [(30.0, "home/shed")]
    assert evidence.source == "journal"
    assert "history.raw" in evidence.notes[0]


def test_first_row_since_a_time_is_found_over_segments(tmp_path):
    """By halves, over the files of a journal; None before what is kept, and after what has come."""
    with closing(Bell(tmp_path / "bell")) as bell:
        journal = Journal(tmp_path / "0", bell, keep=1, max_size=1 << 60)
        journal.append_messages([Entry("a", b"1")])
        for _ in range(600):
            journal.append_messages([Entry("a", b"1" * 1000)])
        journal.close()
    found = segments(journal.directory)
    reader = JournalReader(journal.directory, after=first_offset(found[0]) - 1)
    rows = [row for batch in iter(lambda: reader.read(1_000), []) for row in batch]
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        assert first_since(journal.directory, row.received) == row.offset
    assert first_since(journal.directory, rows[-1].received + 1) is None
    before = first_since(journal.directory, rows[0].received - 1)
    assert before == (1 if first_offset(found[0]) == 1 else None)


def test_messages_are_read_as_the_catalogue_reads_them():
    """The samples above are what they are taken for."""
    (reading,) = Catalogue().readings(Message("home/shed", b'{"temperature": 29.0}', T0))
    assert (reading.device, reading.metric, reading.value) == ("shed", "temperature", 29.0)


def test_without_an_id_the_newest_are_listed(opened):
    """Whoever asks why first needs an id: alerts and commands, the newest first."""
    reader, _ = opened(*climate())
    assert [(one.id, one.what) for one in recent(reader)] == [
        ("a-cleared", "alert cleared"),
        ("c-1", "command confirmed"),
        ("a-raised", "alert raised"),
    ]
