"""What is known of actuators: which are on and since when, by what was sent and by what they report; and what holds a command to one back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from devices.catalogue import Catalogue
from devices.interlocks import NO_INTERLOCKS, Interlocks, Switch, says_on, switch
from devices.reading import Encoded
from gateway.commands.book import Book, Command
from gateway.commands.interlocks import HOUR, SECOND, Hold, Switched, hold, while_on
from gateway.commands.reported import Devices
from gateway.store.effects import OWN_FLOW


class Actuators:
    """The interlocks of all devices, held against the book and the store.

    An actuator that someone switches at its button counts as switched when its report is seen, so that `min_on` and `min_off` hold then too.
    """

    def __init__(self, book: Book, store: Devices, catalogue: Catalogue) -> None:
        self._book = book
        self._store = store
        self._switching_on: set[str] = set()
        self._followed = 0
        self.renew(catalogue)

    def renew(self, catalogue: Catalogue) -> None:
        """Go by these profiles from now on."""
        self._catalogue = catalogue
        self._profiles = catalogue.profiles
        self._interlocked = any(profile.interlocks != NO_INTERLOCKS for profile in self._profiles.all)

    def follow(self, now: int) -> None:
        """Take in what timed actuators report of themselves; once a second is often enough."""
        if self._interlocked and now - self._followed >= SECOND:
            self._followed = now
            for one in self._book.switches():
                rules = self._rules(one.device)
                if rules.min_on is not None or rules.min_off is not None:
                    self._as_reported(one, now)

    def hold(self, command: Command, now: int) -> Hold | None:
        """Give what holds a command back; None where it may be sent now."""
        if not self._interlocked or command.flow == OWN_FLOW:
            return None
        device, rules, wanted = command.device, self._rules(command.device), switch(command.settings)
        known = [self._as_reported(one, now) for one in self._book.switches(device)]
        was = next((one for one in known if wanted is not None and one.setting == wanted.setting), None)
        sends = self._book.sends_after(device, now - HOUR) if rules.max_per_hour is not None else ()
        held = hold(rules, wanted, was, sends, now=now)
        if held is None and wanted is not None and wanted.on:
            return next((while_on(other) for other in self._never_with(device, rules) if self._is_on(other, now)), None)
        return held

    def told(self, device: str, what: Switch | None, *, since: int, place: int) -> None:
        """Note that a device was switched in another way than by a command, at `since`, and no earlier report than behind `place` says more."""
        for one in self._book.switches(device):
            if what is not None and one.setting == what.setting:
                self._book.switch(one._replace(on=what.on, since=since, place=place))

    @contextmanager
    def sending(self, command: Command) -> Iterator[None]:
        """Hold while a command goes out: the device is as good as on for those that must not be on with it."""
        wanted = switch(command.settings)
        if wanted is None or not wanted.on or command.device in self._switching_on:
            yield
            return
        self._switching_on.add(command.device)
        try:
            yield
        finally:
            self._switching_on.remove(command.device)

    def _rules(self, device: str) -> Interlocks:
        address = self._store.address(device) or self._catalogue.address(device)
        return self._profiles.of(device, address.convention if address else "").interlocks

    def _as_reported(self, one: Switched, now: int) -> Switched:
        """Give a switch as it is by now: its device may have reported another state than it was sent."""
        said = self._store.reported(one.device, one.metric, one.channel) if one.metric else None
        if said is None or said[1] >> 20 <= one.place:
            return one
        on = says_on(one.metric, said[0])
        if on is None or on == one.on:
            return one
        changed = one._replace(on=on, since=now, place=said[1] >> 20)
        self._book.switch(changed)
        return changed

    def _never_with(self, device: str, rules: Interlocks) -> list[str]:
        """List whom a device must not be on with: those that its profile names, and those whose profiles name it."""
        mine = {self._profiles.renamed(name) for name in rules.never_with}
        known = (*self._profiles.named, *(one.device for one in self._book.switches()))
        return sorted(
            (mine | {other for other in known if device in map(self._profiles.renamed, self._rules(other).never_with)}) - {device}
        )

    def _is_on(self, device: str, now: int) -> bool:
        """Tell whether a device is on, by a command under way, by what it last reported, or by what it was sent since."""
        under_way = (switch(one.settings) for one in self._book.open() if one.device == device and one.state == "sent")
        if device in self._switching_on or any(wanted is not None and wanted.on for wanted in under_way):
            return True
        if any(self._as_reported(one, now).on for one in self._book.switches(device)):
            return True
        return any(says_on(metric, value) for metric, value in self._store.switch_values(device))


def switched(command: Command, messages: Sequence[Encoded], *, now: int, place: int) -> Switched | None:
    """Give what a command switches when it is sent at `now`, behind the journal's row `place`; None where it switches nothing."""
    wanted = switch(command.settings)
    if wanted is None:
        return None
    expected = (one for message in messages for one in message.expects if says_on(one.metric, one.value) == wanted.on)
    reports = next(((one.metric, one.channel) for one in expected), ("", ""))
    return Switched(command.device, wanted.setting, wanted.on, now, place, *reports)
