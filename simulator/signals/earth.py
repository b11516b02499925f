"""Ways over the globe: great circles on a sphere, without a pole or a date line where they would break.

Source: K. Gade, "A Non-singular Horizontal Position Representation", Journal of Navigation 63 (2010): places are unit vectors from the
Earth's centre. The radius is the mean one of the Geodetic Reference System 1980 (H. Moritz, Journal of Geodesy 74, 2000); a sphere is
within 0.6 % of the ellipsoid.
"""

from __future__ import annotations

import math
from typing import NamedTuple

RADIUS = 6_371_008.8
"""The Earth's mean radius in m."""

Vector = tuple[float, float, float]


class Place(NamedTuple):
    """A place and a way to go: degrees north, degrees east, and degrees clockwise from north."""

    latitude: float
    longitude: float
    heading: float


class Leg:
    """The shortest way between two places, given as (latitude, longitude) in degrees; they may not be opposite each other.

    >>> quarter = Leg((0.0, 0.0), (0.0, 90.0))
    >>> round(quarter.length / 1000), [round(part, 6) for part in quarter.at(quarter.length / 2)]
    (10008, [0.0, 45.0, 90.0])
    """

    def __init__(self, first: tuple[float, float], last: tuple[float, float]) -> None:
        self._first = _vector(*first)
        self._ahead, angle = _tangent(self._first, _vector(*last))
        self.length = RADIUS * angle

    def at(self, distance: float, *, north: float = 0.0, east: float = 0.0) -> Place:
        """Give where one is after so many m, put off by some m more to the north and to the east."""
        sine, cosine = math.sin(distance / RADIUS), math.cos(distance / RADIUS)
        x, y, z = (at * cosine + ahead * sine for at, ahead in zip(self._first, self._ahead, strict=True))
        dx, dy, dz = (ahead * cosine - at * sine for at, ahead in zip(self._first, self._ahead, strict=True))
        latitude, longitude = math.atan2(z, math.hypot(x, y)), math.atan2(y, x)
        eastward = (-math.sin(longitude), math.cos(longitude), 0.0)
        northward = (-math.sin(latitude) * math.cos(longitude), -math.sin(latitude) * math.sin(longitude), math.cos(latitude))
        heading = math.atan2(_dot((dx, dy, dz), eastward), _dot((dx, dy, dz), northward))
        if north or east:
            x, y, z = (at + (n * north + e * east) / RADIUS for at, n, e in zip((x, y, z), northward, eastward, strict=True))
            latitude, longitude = math.atan2(z, math.hypot(x, y)), math.atan2(y, x)
        return Place(math.degrees(latitude), math.degrees(longitude), math.degrees(heading) % 360)


def _vector(latitude: float, longitude: float) -> Vector:
    phi, theta = math.radians(latitude), math.radians(longitude)
    return math.cos(phi) * math.cos(theta), math.cos(phi) * math.sin(theta), math.sin(phi)


def _tangent(first: Vector, last: Vector) -> tuple[Vector, float]:
    """Give the unit vector from one place towards another, and the angle between them in radians."""
    along = _dot(first, last)
    x, y, z = (b - a * along for a, b in zip(first, last, strict=True))
    length = math.hypot(x, y, z)
    return (x / length, y / length, z / length), math.atan2(length, along)


def _dot(one: Vector, other: Vector) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
