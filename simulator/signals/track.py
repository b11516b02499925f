"""Things that move: a route over the globe, driven at one speed."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.findings import Checked, Problem
from simulator.nanoseconds import SECOND
from simulator.signals.dice import Dice
from simulator.signals.earth import RADIUS, Leg
from simulator.signals.part import Moment, Value

_OPPOSITE = 3.14 * RADIUS
"""Between places further apart than this (m) there is a shortest way in almost every direction."""

Point = Annotated[list[float], Field(min_length=2, max_length=3)]


class Track(Checked):
    """A route that is followed at one speed. It gives the metrics latitude, longitude, speed (m/s), heading (°), and altitude (m) if points have one.

    Between two points it goes the shortest way over the globe.
    """

    points: list[Point] = Field(min_length=2, description="[latitude, longitude] of each point in degrees, or with its altitude in m.")
    speed: float = Field(gt=0, description="m/s.")
    at_end: Literal["loop", "back", "stop"] = Field(
        default="loop", description="After the last point: loop goes on to the first, back goes the same way back, stop stays there."
    )
    scattered: bool = Field(default=False, description="True: the devices of a group begin at places of their own on the route.")
    error: float = Field(default=0.0, ge=0, description="The standard deviation of the position, in m, north and east alike.")

    @property
    def gives(self) -> tuple[str, ...]:
        """Name the metrics."""
        altitude = ("altitude",) if len(self.points[0]) > 2 else ()
        return ("latitude", "longitude", *altitude, "speed", "heading")

    def legs(self) -> list[Leg]:
        """Give the ways from point to point, with the one back to the first point if it loops."""
        closed = [*self.points, self.points[0]] if self.at_end == "loop" else self.points
        return [Leg((a[0], a[1]), (b[0], b[1])) for a, b in pairwise(closed)]

    def rules(self) -> Iterator[Problem]:
        sound = True
        for index, point in enumerate(self.points):
            for place, (name, most) in enumerate((("latitude", 90), ("longitude", 180))):
                if abs(point[place]) > most:
                    yield Problem(("points", index, place), f"{name} must be from -{most} to {most}")
                    sound = False
            if len(point) != len(self.points[0]):
                yield Problem(("points", index), "points must have an altitude all, or none", show=False)
        if sound:
            yield from self._distances()

    def _distances(self) -> Iterator[Problem]:
        closed = [*self.points, self.points[0]] if self.at_end == "loop" else self.points
        for index, (one, other) in enumerate(pairwise(closed)):
            at = ("points", (index + 1) % len(self.points))
            if one[:2] == other[:2]:
                advice = "; a loop returns to its first point by itself" if index == len(self.points) - 1 else ""
                yield Problem(at, f"a point must be elsewhere than the one before it{advice}", show=False)
            elif Leg((one[0], one[1]), (other[0], other[1])).length > _OPPOSITE:
                yield Problem(at, "a point must not be on the other side of the globe from the one before it", show=False)


class Travel:
    """A track while somebody is on it."""

    def __init__(self, spec: Track, *, dice: Dice, start: float = 0.0) -> None:
        """Begin at `start`, a part of the whole route."""
        self._spec = spec
        self._dice = dice
        self._legs = spec.legs()
        self._ends = list(accumulate(leg.length for leg in self._legs))
        self._start = start * self._ends[-1]

    def values(self, moment: Moment) -> dict[str, Value]:
        """Give where it is and how it goes."""
        spec = self._spec
        distance, back = self._on_route(self._start + spec.speed * moment.elapsed / SECOND)
        moves = spec.at_end != "stop" or distance < self._ends[-1]
        index = min(bisect_right(self._ends, distance), len(self._legs) - 1)
        leg = self._legs[index]
        along = distance - self._ends[index] + leg.length
        north, east = (spec.error * self._dice.normal(), spec.error * self._dice.normal()) if spec.error else (0.0, 0.0)
        place = leg.at(along, north=north, east=east)
        heading = round((place.heading + 180) % 360 if back else place.heading, 1) % 360
        given: dict[str, Value] = {"latitude": round(place.latitude, 6), "longitude": round(place.longitude, 6)}
        if len(spec.points[0]) > 2:
            given["altitude"] = round(self._altitude(index, along / leg.length), 1)
        return {**given, "speed": spec.speed if moves else 0.0, "heading": heading}

    def state(self) -> dict[str, Any]:
        return {"dice": self._dice.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._dice.state = int(state["dice"])

    def _on_route(self, distance: float) -> tuple[float, bool]:
        """Say how far from the first point one is after so many m, and whether on the way back."""
        whole = self._ends[-1]
        if self._spec.at_end == "stop":
            return min(distance, whole), False
        if self._spec.at_end == "loop":
            return distance % whole, False
        distance %= 2 * whole
        return (2 * whole - distance, True) if distance > whole else (distance, False)

    def _altitude(self, index: int, part: float) -> float:
        points = self._spec.points
        first, last = points[index][2], points[(index + 1) % len(points)][2]
        return first + (last - first) * part
