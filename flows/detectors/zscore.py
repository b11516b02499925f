"""The z-score against an exponentially weighted mean and variance."""

from __future__ import annotations

from math import sqrt
from typing import Annotated, Literal

from pydantic import Field

from flows.detectors.detector import Detector, Memory, ratio

_CLIP = 3.0
"""What lies further off is learned as if it lay there: one outlier must not widen what is usual, and a new level is still learned."""


class ZScore(Detector):
    """How many standard deviations a value is from the mean, both weighted to forget: after `half_life` values a value counts half.

    The weights are those of Finch, Incremental calculation of weighted mean and variance (2009), section 9; until as many values have been seen,
    all count alike (Welford). What lies beyond 3 deviations is learned as if it lay there. O(1) in memory.

    >>> detector = ZScore(by="zscore", of="warm", half_life=10, warmup=4)
    >>> memory = detector.new()
    >>> for value in (20.0, 21.0, 20.0, 19.0, 20.0):
    ...     detector.learn(memory, value)
    >>> round(detector.score(memory, 20.5), 2), round(detector.score(memory, 26.0), 1)
    (0.79, 9.5)
    """

    by: Literal["zscore"]
    half_life: Annotated[float, Field(gt=0, le=1e6, description="After how many values a value counts half.")] = 100.0

    def new(self) -> Memory:
        return [0, 0.0, 0.0]

    def score(self, memory: Memory, value: float) -> float | None:
        count, mean, variance = memory
        return None if count < self.warmup else ratio(value - mean, sqrt(variance))

    def learn(self, memory: Memory, value: float) -> None:
        count, mean, variance = memory
        off = value - mean
        if count >= self.warmup and variance:
            off = max(-_CLIP * sqrt(variance), min(off, _CLIP * sqrt(variance)))
        weight = max(1.0 - 0.5 ** (1.0 / self.half_life), 1.0 / (count + 1))
        memory[:] = (count + 1, mean + weight * off, (1.0 - weight) * (variance + weight * off * off))
