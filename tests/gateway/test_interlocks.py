"""Interlocks hold commands back: how long, for whom, and across restarts; a person is told at once."""

from __future__ import annotations

import sqlite3

import pytest

from devices.profile import Profile
from gateway.commands.book import Book

S = 1_000_000_000
ON, OFF = '{"state":"ON"}', '{"state":"OFF"}'


def interlocked(device="heater", **rules):
    return Profile(devices=[device], interlocks=rules)


def switched_on(rig, *, device="heater"):
    """Have a device sent ON at 0 s, and have it report that."""
    rig.ask("on", "ON", device=device)
    assert rig.steps(0) == [ON]
    rig.report(True, device)
    rig.steps(0.1)
    assert rig.states()[-1] == ("on", "confirmed", 1)


def test_off_waits_until_it_was_on_for_long_enough(rig_with):
    """An OFF is held until `min_on` is over, says so once, and is then sent: it does not expire meanwhile."""
    rig = rig_with(interlocked(min_on="5m"))
    switched_on(rig)
    rig.ask("off", "OFF", device="heater", expires=10)
    assert rig.steps(1, 2, 100, 299) == []
    held = rig.book.get("off")
    assert (held.state, held.held_until) == ("requested", rig.t0 + 300 * S)
    assert held.detail.startswith("held until 2023-11-14T22:18:20Z: it is on since")
    assert rig.facts()[-1].id == "off/held/1"
    assert rig.steps(300) == [OFF]
    assert rig.states()[-1] == ("off", "sent", 1)


def test_life_of_a_held_command_runs_on_from_the_end_of_the_hold(rig_with):
    """What was left of its life when the hold began is what it has behind it, also for a device that cannot be reached."""
    rig = rig_with(interlocked(min_on="5m"))
    switched_on(rig)
    rig.at(1)
    rig.ask("off", "OFF", device="heater", expires=10)
    assert rig.steps(5, 299) == []
    assert rig.steps(301, 305.9, online=False) == []
    assert rig.states()[-1] == ("off", "requested", 0)
    assert rig.steps(306) == []
    assert rig.states()[-1] == ("off", "expired", 0)


def test_newer_command_takes_the_place_of_a_held_one(rig_with):
    """Latest wins over what interlocks hold back, also where the newer one changes nothing."""
    rig = rig_with(interlocked(min_on="5m"))
    switched_on(rig)
    rig.ask("off", "OFF", device="heater")
    rig.steps(1)
    rig.ask("on-again", "ON", device="heater")
    assert rig.steps(2) == [ON]
    assert ("off", "superseded", 0) in rig.states()
    rig.report(True, "heater")
    assert rig.steps(3, 301) == []


def test_on_waits_until_it_was_off_for_long_enough_after_a_restart(rig_with):
    """`min_off` holds across restarts: all that it takes stands in the book."""
    rig = rig_with(interlocked(min_off="3m"))
    switched_on(rig)
    rig.ask("off", "OFF", device="heater")
    assert rig.steps(10) == [OFF]
    rig.report(False, "heater")
    rig.steps(11)
    rig.start()
    rig.ask("on-2", "ON", device="heater", expires=5)
    assert rig.steps(12) == []
    rig.start()
    assert rig.steps(100, 189.9) == []
    assert rig.steps(190) == [ON]


def test_switching_at_the_button_counts_too(rig_with):
    """A heater that somebody switches off keeps its `min_off` from when that was reported."""
    rig = rig_with(interlocked(min_off="3m"))
    switched_on(rig)
    rig.at(100)
    rig.report(False, "heater")
    rig.steps(100)
    rig.ask("on-2", "ON", device="heater", expires=400)
    assert rig.steps(101, 279) == []
    assert rig.steps(280) == [ON]


def test_only_changes_of_the_switch_are_timed(rig_with):
    """Another setting, another channel, and the state that it has already are no change."""
    rig = rig_with(interlocked(min_on="5m", min_off="5m"))
    switched_on(rig)
    rig.ask("on-2", "ON", device="heater")
    assert rig.steps(1) == [ON]
    rig.report(True, "heater")
    rig.steps(2)
    rig.ask("warmer", None, device="heater", settings={"setpoint": 21})
    assert rig.steps(3) == ['{"setpoint":21}']


def test_commands_an_hour_are_counted(rig_with):
    """With `max_per_hour: 2` the third waits until the first is an hour old."""
    rig = rig_with(interlocked(max_per_hour=2))
    for number, at in enumerate((0, 60)):
        rig.at(at)
        rig.ask(f"c{number}", "ON" if number == 0 else "OFF", device="heater")
        assert len(rig.steps(at)) == 1
        rig.report(number == 0, "heater")
        rig.steps(at + 1)
    rig.at(120)
    rig.ask("c2", "ON", device="heater", expires=10)
    assert rig.steps(120, 3599) == []
    assert "max_per_hour 2" in rig.book.get("c2").detail
    assert rig.steps(3600) == [ON]


def test_never_on_together_in_either_direction(rig_with):
    """A heater waits while the cooler is on by its report, though only one profile names the other; and expires as usual."""
    rig = rig_with(interlocked("cooler", never_with=["heater"]))
    rig.report(True, "cooler")
    rig.ask("heat", "ON", device="heater", expires=60)
    assert rig.steps(1, 30) == []
    assert rig.book.get("heat").detail == "held while cooler is on (never_with)"
    rig.report(False, "cooler")
    assert rig.steps(31) == [ON]
    rig.report(True, "heater")
    rig.at(32)
    rig.ask("cool", "ON", device="cooler", expires=60)
    assert rig.steps(33, 91.9) == []
    assert rig.steps(92) == []
    assert rig.states()[-1] == ("cool", "expired", 0)
    assert rig.book.get("cool").detail == "held while heater is on (never_with)"


def test_two_that_must_not_be_on_together_are_asked_for_at_once(rig_with):
    """Of two commands of one moment only one goes out: one that is under way counts as on."""
    rig = rig_with(interlocked("heater", never_with=["cooler"]))
    rig.ask("heat", "ON", device="heater")
    rig.ask("cool", "ON", device="cooler")
    assert rig.steps(0, 0.1) == [ON]
    rig.report(False, "heater")
    rig.ask("off", "OFF", device="heater")
    assert rig.steps(9, 9.1) == [OFF, ON]


def test_person_is_refused_at_once_with_the_reason(rig_with):
    """`sluice send` obeys interlocks and does not wait; what a flow has waiting is not lost over it."""
    rig = rig_with(interlocked(min_on="5m"))
    switched_on(rig)
    rig.ask("off", "OFF", device="heater")
    rig.steps(1)
    rig.book.ask("by-hand", "heater", {"state": "OFF"}, within=2 * S, retries=0, expires=rig.now + 10 * S, now=rig.now)
    assert rig.steps(2) == []
    assert (rig.book.get("by-hand").state, rig.book.get("off").state) == ("refused", "requested")
    assert rig.book.get("by-hand").detail.startswith("not until 2023-11-14T22:18:20Z: it is on since")


def test_book_of_an_earlier_version_is_read_on(tmp_path):
    """A book without the newer columns gets them, and its commands stay."""
    path = tmp_path / "commands.db"
    with sqlite3.connect(path) as old:
        old.execute(
            "CREATE TABLE commands (id TEXT PRIMARY KEY, flow TEXT NOT NULL, device TEXT NOT NULL, settings BLOB NOT NULL,"
            " within INTEGER NOT NULL, retries INTEGER NOT NULL, expires INTEGER NOT NULL, asked INTEGER NOT NULL,"
            " state TEXT NOT NULL DEFAULT 'requested', attempt INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0,"
            " sent_offset INTEGER NOT NULL DEFAULT 0, expects BLOB NOT NULL DEFAULT x'90', detail TEXT NOT NULL DEFAULT '')"
        )
        old.execute(
            "INSERT INTO commands (id, flow, device, settings, within, retries, expires, asked) VALUES ('c', '', 'd', x'80', 1, 1, 1, 1)"
        )
    for _ in range(2):
        book = Book(path)
        (command,) = book.open()
        book.close()
        assert (command.id, command.first_sent, command.held_until, command.holds) == ("c", 0, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"interlocks": {"min_on": "soon"}}, "must be a duration"),
        ({"interlocks": {"max_per_hour": 0}}, "greater than or equal to 1"),
        ({"interlocks": {"min_of": "3m"}}, "Extra inputs"),
        ({"devices": ["heater-*"], "safe": {"state": "OFF"}}, "without wildcards"),
        ({"devices": ["a"], "allow": {"state": ["ON"]}, "safe": {"state": "OFF"}}, "must be one that allow has"),
    ],
)
def test_profile_says_what_is_wrong_with_interlocks(wrong, words):
    """A mistake in them is refused with the rule that it breaks."""
    with pytest.raises(ValueError, match=words):
        Profile.model_validate(wrong)
