"""Calibration: what a sensor shows, put right by a line or by points that were measured beside a reference."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from devices.broken import Path, hold

Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class Calibration(BaseModel):
    """Either `value * scale + offset`, or a straight line between each two of `points` ([shown, true], …), going on beyond the ends.

    >>> Calibration(scale=2, offset=-1)(10)
    19.0
    >>> Calibration(points=[[0, 1], [10, 12], [20, 20]])(15)
    16.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    offset: float = 0
    scale: float = 1
    points: list[Point] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_way(self) -> Calibration:
        hold(self._broken())
        return self

    def _broken(self) -> Iterator[tuple[Path, str]]:
        if self.points and self.model_fields_set & {"offset", "scale"}:
            yield ("points",), "a calibration must have either points, or offset and scale"
        shown = [point[0] for point in self.points]
        if self.points and (len(shown) < 2 or any(b <= a for a, b in pairwise(shown))):
            yield ("points",), "points must be two or more, each [shown, true], by what is shown, from small to great"

    def __call__(self, value: float) -> float:
        """Return the true value; rounded to 9 places, which takes off what binary fractions add."""
        if not self.points:
            return round(value * self.scale + self.offset, 9)
        place = min(max(bisect_right(self.points, value, key=lambda point: point[0]), 1), len(self.points) - 1)
        (x0, y0), (x1, y1) = self.points[place - 1], self.points[place]
        return round(y0 + (value - x0) * (y1 - y0) / (x1 - x0), 9)
