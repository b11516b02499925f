"""What becomes of readings: those that were said before go no further, the others to the store, and to the flows that want them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from devices.form import Report
from devices.reading import Reading
from flows import derived
from flows.attention import Attention
from flows.heard import Heard
from flows.repeats import Repeats, Seen
from flows.router import Route
from flows.slice import Looked
from flows.step import Step
from flows.track import Bundle, Track
from gateway.store.effects import ReadingKept, ReportKept

_NEW: list[Seen] = ["new"]


class Readings:
    """Takes the readings of messages, each with the track of its series, and counts them."""

    def __init__(self, heard: Heard, repeats: Repeats) -> None:
        self.repeats = repeats
        self.attention = Attention()
        self._heard = heard

    def take_report(self, step: Step, report: Report) -> None:
        """Take a message that is like others before: at full speed where all in it is new."""
        bundle: Bundle = report.form.followed
        seen = self.repeats.look_at(bundle.names, report)
        if report.received != step.row.received or self.attention.close or seen.count("new") != len(seen):
            self._take_seen(step, report.readings(), bundle.tracks, seen)
            return
        device, count = report.form.device, len(seen)
        step.effects.append(ReportKept(step.places(count), report))
        if device not in self._heard:
            step.effects.append(self._heard.learn(report.reading(0)))
        for place, routes in bundle.wanted:
            _route(step, report.reading(place), routes, late=False)
        step.tally.report(device, count, bundle.unselected)

    def take(self, step: Step, readings: list[Reading], tracks: Sequence[Track]) -> None:
        """Take the readings of a message, with their tracks."""
        look = self.repeats.look
        seen = (
            _NEW * len(readings) if readings[0].retained else [look(track.name, one) for one, track in zip(readings, tracks, strict=True)]
        )
        self._take_seen(step, readings, tracks, seen)

    def _take_seen(self, step: Step, readings: list[Reading], tracks: Sequence[Track], seen: Sequence[Seen]) -> None:
        # A message repeats when all of its readings do: with something new in it, it was another one that only says some things again.
        if seen.count("repeat") == len(seen):
            step.tally.outcome(readings[0].device, "duplicates")
            return
        if len({reading.device for reading in readings}) == 1:
            self._keep(step, readings, tracks, seen)
        else:
            starts = [place for place, one in enumerate(readings) if not place or one.device != readings[place - 1].device]
            for start, end in pairwise([*starts, len(readings)]):
                self._keep(step, readings[start:end], tracks[start:end], seen[start:end])
        step.tally.outcome(readings[0].device, "normalised")

    def _keep(self, step: Step, readings: Sequence[Reading], tracks: Sequence[Track], seen: Sequence[Seen]) -> None:
        """Give readings of one device, out of one message, to the store and to the flows that want them."""
        first = readings[0]
        device, belated, place = first.device, first.received != step.row.received, step.places(len(readings))
        effects, close, unselected = step.effects, self.attention.close, 0
        # Where a device listens, and in which dialect, is learned from its own messages alone.
        if device not in self._heard and first.convention != derived.OURS:
            effects.append(self._heard.learn(first))
        for reading, track, how in zip(readings, tracks, seen, strict=True):
            effects.append(ReadingKept(place, reading, belated))
            place += 1
            if reading.retained:
                continue
            if close:
                self.attention.reading(reading)
            if not (track.routes and _route(step, reading, track.routes, late=how == "beyond")):
                unselected += 1
        step.tally.readings(device, len(readings), retained=len(readings) if first.retained else 0, unselected=unselected)


def _route(step: Step, reading: Reading, wanted: tuple[Route, ...], *, late: bool) -> bool:
    """Hand a reading to the shards of those who want it; tell whether a flow has selected it."""
    selected: dict[str, int] = {}
    shards = step.shards
    for flow, group, shard in wanted:
        items, too_late = shards.get(shard) or shards.setdefault(shard, ([], []))
        if isinstance(group, Looked):
            items.append((flow, group, reading))  # looked up only: the newest value counts, however late
            continue
        selected = selected or step.tally.counters(reading.device, stage="select")
        selected[flow] = selected.get(flow, 0) + 1
        if late:
            too_late.append((flow, reading.device))
        else:
            items.append((flow, group, reading))
    return bool(selected)
