"""The series that the source has met: who wants each, and whether there is room for one that is new."""

from __future__ import annotations

from collections.abc import Sequence

from devices.catalogue import Catalogue
from devices.form import Report
from devices.reading import DeadLetter, Reading, Refused
from flows.flow import Flow
from flows.identity import effect_id, group_text
from flows.known_series import KnownSeries, series_name
from flows.router import Router
from flows.track import Bundle, Track
from gateway.store.effects import Failed, Group

_HOUR = 3600 * 1_000_000_000


class Tracks:
    """One for each series that has said something since the start. Times are in seconds of the journal."""

    def __init__(self, flows: Sequence[Flow], catalogue: Catalogue, series: KnownSeries) -> None:
        self.series = series
        self._catalogue = catalogue
        self._router = Router(flows)
        self._tracks: dict[tuple[str, str, str], Track] = {}

    def follow(self, report: Report, second: int) -> Report | list[Reading]:
        """Hear the series of a report; give its readings one by one where there is no room for all of them."""
        bundle = report.form.followed
        if bundle is None:
            readings = report.readings()
            tracks = [self._track(one, second) for one in readings]
            if None in tracks:
                return readings
            bundle = report.form.followed = Bundle([track for track in tracks if track])
        bundle.hear(second)
        return report

    def admit(self, readings: list[Reading], second: int) -> tuple[list[Reading] | DeadLetter, list[Track]]:
        """Leave out readings of new series for which there is no room; a message of which nothing else is left is a dead letter."""
        tracks, out = [], []
        for reading in readings:
            track = self._track(reading, second)
            if track is None:
                out.append(reading)
            else:
                track.heard = second
                tracks.append(track)
        return (self._left(readings, out) if out else readings), tracks

    def _track(self, reading: Reading, second: int) -> Track | None:
        """Give the track of a reading's series; None where it is new and there is no room."""
        identity = (reading.device, reading.metric, reading.channel)
        if identity not in self._tracks:
            name = series_name(reading)
            if not self.series.admit(name, second):
                return None
            self._tracks[identity] = Track(name, self._router.routes(reading), second)
        return self._tracks[identity]

    def note_heard(self) -> None:
        """Let what is known of series say when each said something last."""
        self.series.heard((track.name, track.heard) for track in self._tracks.values())

    def _left(self, readings: list[Reading], out: list[Reading]) -> list[Reading] | DeadLetter:
        """Refuse the readings that are `out`; give the others."""
        for device in {reading.device for reading in out}:
            if not self.series.has(device):
                self._catalogue.forget(device)
                self._catalogue.news.readdressed.discard(device)
        left = f"is new, and limits.series ({self.series.limit:,}) are known that have not been silent for a day"
        self._catalogue.news.refused += [
            Refused(one.device, one.key, f"device {one.device!r}: series {one.metric!r} {left}"[:400]) for one in out
        ]
        names = {id(reading) for reading in out}
        kept = [reading for reading in readings if id(reading) not in names]
        return kept or DeadLetter(self._catalogue.news.refused[-1].reason, out[0].device)

    def forget_silent(self, second: int) -> tuple[Sequence[str], Sequence[str]]:
        """Where there is no room, forget what has been silent for long; give the names of those series, and devices that none is left of."""
        if self.series.sweeps(second):
            self.note_heard()
        names, devices = self.series.forget_silent(second)
        for name in names:
            device, metric, channel = name.split("\x1f", 2)
            self._tracks.pop((device, metric, channel), None)
        if names:
            self._catalogue.forget_topics()  # whose forms follow what is forgotten
        return names, devices

    def failures(self, at: int) -> list[Failed]:
        """Tell, once, of the flows that could not say whether they want a series; `at` is epoch ns."""
        if not self._router.failed:
            return []
        failed, self._router.failed = self._router.failed, []
        return [_failed(flow, group, error, at) for flow, group, error in failed]


def _failed(flow: str, group: Group, error: Exception, at: int) -> Failed:
    reason = f"where: {type(error).__name__}: {error}"[:400]
    return Failed(effect_id("f", flow, "where", group_text(group), at // _HOUR), flow, group, "", reason, at)
