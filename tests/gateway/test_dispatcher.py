"""The dispatcher with a real journal and a real broker: one in flight per device, tried again, confirmed by what the device reports."""

from __future__ import annotations

import errno
from collections import Counter

import pytest

from devices.reading import Address


def test_command_is_sent_in_the_dialect_and_confirmed_by_a_later_report(rig):
    """A report from before the attempt confirms nothing; one after it does, and each fact is journalled once."""
    rig.report(True)
    rig.ask("c1", "ON")
    assert rig.steps(0, 0.1) == ['{"state":"ON"}']
    assert rig.states() == [("c1", "sent", 1)]
    rig.report(True)
    assert rig.steps(0.2, 0.3) == []
    assert rig.states() == [("c1", "sent", 1), ("c1", "confirmed", 1)]


def test_command_is_tried_again_with_back_off_and_fails(rig):
    """Without a report it is sent again after `within`, then given half as long again, then it failed."""
    rig.ask("c1", "ON")
    assert rig.steps(0, 1.9, 2.0, 4.9, 5.0) == ['{"state":"ON"}'] * 2
    assert rig.states() == [("c1", "sent", 1), ("c1", "sent", 2), ("c1", "failed", 2)]


def test_time_is_not_up_while_the_flows_are_behind(rig):
    """What the device answers waits in the journal: nothing is sent again, nothing fails or expires, before the flows have read it."""
    rig.asked.flows_at = rig.journal.offset
    rig.ask("c1", "ON", expires=20)
    assert rig.steps(0, 2.0, 5.0, 25.0) == ['{"state":"ON"}']
    assert rig.states() == [("c1", "sent", 1)]
    rig.report(True)
    rig.steps(26.0)
    assert rig.states() == [("c1", "sent", 1), ("c1", "confirmed", 1)]


def test_time_is_up_when_the_flows_have_read_what_came_in_it(rig):
    """What comes later is not waited for."""
    rig.asked.flows_at = rig.journal.offset
    rig.ask("c1", "ON")
    rig.steps(0, 2.0)
    rig.asked.flows_at = rig.journal.offset
    rig.journal.append_tick()
    assert rig.steps(30.0, 30.1) == ['{"state":"ON"}']
    assert rig.states() == [("c1", "sent", 1), ("c1", "sent", 2)]


def test_unconfirmed_command_gives_way_at_once_while_the_flows_are_behind(rig):
    """A newer command for the same setting need not wait for what the flows have not read."""
    rig.asked.flows_at = rig.journal.offset
    rig.ask("c1", "ON")
    rig.steps(0)
    rig.ask("c2", "OFF")
    assert rig.steps(2.1) == ['{"state":"OFF"}']


def test_one_command_is_in_flight_and_the_latest_waiting_wins(rig):
    """While one is under way others wait; of those that wait for the same setting only the latest goes out."""
    rig.ask("c1", "ON")
    rig.steps(0)
    rig.ask("c2", "OFF")
    rig.ask("c3", "ON")
    assert rig.steps(0.5) == []
    assert rig.states()[-1] == ("c2", "superseded", 0)
    rig.report(True)
    assert rig.steps(0.6) == ['{"state":"ON"}']
    assert rig.states()[-2:] == [("c1", "confirmed", 1), ("c3", "sent", 1)]


def test_device_whose_command_cannot_be_sent_leaves_the_others_to_end(rig, monkeypatch):
    """What is under way for another device when a disk is full is not begun anew beside it."""

    def encode(address, device, settings):
        if device == "fan":
            raise OSError(errno.ENOSPC, "No space left on device")
        return encoded(address, device, settings)

    encoded = rig.catalogue.encode
    monkeypatch.setattr(rig.catalogue, "encode", encode)
    rig.ask("c1", "ON")
    rig.ask("c2", "ON", device="heater")
    with pytest.raises(OSError, match="No space left"):
        rig.steps(0)
    assert (rig.book.get("c1").state, rig.book.get("c2").state) == ("requested", "sent")


def test_commands_that_give_way_together_wait_for_the_disk_once(rig):
    """A hundred commits would hold up every other device's commands."""
    rig.ask("c1", "ON")
    rig.steps(0)
    for number in range(100):
        rig.ask(f"w{number:03d}", "OFF" if number % 2 else "ON")
        rig.ask(f"x{number:03d}", "ON", device=f"stranger-{number}", expires=0.2)
    said = []
    rig.book._db.set_trace_callback(said.append)
    rig.steps(0.5)
    rig.book._db.set_trace_callback(None)
    assert sum(text.startswith("PRAGMA synchronous=FULL") for text in said) == 1
    assert Counter(state for _, state, _ in rig.states()[1:]) == {"superseded": 99, "expired": 100}


def test_unconfirmed_command_gives_way_to_a_newer_one(rig):
    """What was not confirmed in time is not repeated against what is wanted now."""
    rig.ask("c1", "ON", retries=5)
    rig.steps(0)
    rig.ask("c2", "OFF")
    assert rig.steps(2.1) == ['{"state":"OFF"}']
    assert ("c1", "superseded", 1) in rig.states()


def test_command_expires_while_the_broker_is_away_or_the_device_unknown(rig):
    """What cannot be sent in time is never sent."""
    rig.ask("c1", "ON", expires=10)
    rig.ask("c2", "ON", device="stranger", expires=10)
    assert rig.steps(0, 5, online=False) == []
    assert rig.steps(11) == []
    assert rig.states() == [("c1", "expired", 0), ("c2", "expired", 0)]


def test_command_that_the_dialect_cannot_say_is_refused_with_the_reason(rig):
    """A setting that cannot be encoded ends the command at once, with words."""
    rig.asked.addresses["fan"] = Address("no-such-dialect", "x")
    rig.ask("c1", "ON")
    assert rig.steps(0) == []
    assert rig.states() == [("c1", "refused", 0)]
    assert rig.book.get("c1").detail


def test_restart_goes_on_with_what_was_under_way(rig):
    """A new dispatcher on the same book sends nothing twice that is still under way, and takes nothing twice from the store."""
    rig.ask("c1", "ON")
    rig.steps(0)
    rig.start()
    assert rig.steps(0.5) == []
    rig.report(True)
    rig.steps(0.6)
    assert rig.states() == [("c1", "sent", 1), ("c1", "confirmed", 1)]


def test_command_without_a_value_to_set_is_refused_with_the_reason(rig):
    """What a flow could not fill in is never guessed."""
    rig.ask("c1", None)
    assert rig.steps(0) == []
    assert rig.states() == [("c1", "refused", 0)]
    assert rig.book.get("c1").detail == "the flow had no value for state"
