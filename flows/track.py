"""A series as the source has it at hand, so that a reading asks for it once."""

from __future__ import annotations

from collections.abc import Sequence

from flows.router import Route
from flows.slice import Looked


class Track:
    """What is known of a series while this process runs: its name, who wants its readings, and in which second it last said something."""

    __slots__ = ("heard", "name", "routes")

    def __init__(self, name: str, routes: tuple[Route, ...], heard: int) -> None:
        self.name = name
        self.routes = routes
        self.heard = heard


class Bundle:
    """The tracks of a form's columns, in their order.

    `wanted` are the columns, by number, that a flow wants; `unselected` is how many columns none selects.
    """

    __slots__ = ("_heard", "names", "tracks", "unselected", "wanted")

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = tracks
        self.names = [track.name for track in tracks]
        self.wanted = [(place, track.routes) for place, track in enumerate(tracks) if track.routes]
        self.unselected = sum(all(isinstance(group, Looked) for _, group, _ in track.routes) for track in tracks)
        self._heard = -1

    def hear(self, second: int) -> None:
        """Note that all of them say something in this second."""
        if second != self._heard:
            self._heard = second
            for track in self.tracks:
                track.heard = second
