"""A series as the source has it at hand, so that a reading asks for it once."""

from __future__ import annotations

from flows.router import Route


class Track:
    """What is known of a series while this process runs: its name, who wants its readings, and in which second it last said something."""

    __slots__ = ("heard", "name", "routes")

    def __init__(self, name: str, routes: tuple[Route, ...], heard: int) -> None:
        self.name = name
        self.routes = routes
        self.heard = heard
