"""The modified z-score: against the median and the median absolute deviation of the last values."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean, median
from typing import Annotated, Literal

from pydantic import Field

from flows.detectors.detector import Detector, Memory, ratio
from gateway.findings import Problem


class Mad(Detector):
    """How many robust standard deviations a value is from the median of the last `window` values. Outliers among them do not matter.

    B. Iglewicz, D. Hoaglin, How to Detect and Handle Outliers (1993): 0.6745 (x - median) / MAD, where MAD is the median of |x - median|; where that
    is 0 (more than half are one value), the mean of |x - median| × 1.2533 takes its place. Memory: `window` values.

    >>> detector = Mad(by="mad", of="value", window=9, warmup=5)
    >>> memory = detector.new()
    >>> for value in (20.0, 20.5, 19.5, 20.2, 95.0, 19.8):
    ...     detector.learn(memory, value)
    >>> round(detector.score(memory, 20.4), 1), round(detector.score(memory, 25.0), 1)
    (0.6, 9.4)
    """

    by: Literal["mad"]
    window: Annotated[int, Field(ge=3, le=10_000, description="How many of the last values it compares with.")] = 60

    def rules(self) -> Iterator[Problem]:
        """Let it warm up at all."""
        if self.warmup > self.window:
            given = "" if "warmup" in self.model_fields_set else f" (it is {self.warmup} where it is not given)"
            yield Problem(("warmup",), f"warmup must not be more than window, which is {self.window}{given}")

    def new(self) -> Memory:
        return []

    def score(self, memory: Memory, value: float) -> float | None:
        if len(memory) < self.warmup:
            return None
        middle = median(memory)
        deviations = [abs(one - middle) for one in memory]
        spread = median(deviations) / 0.6745 or fmean(deviations) * 1.2533
        return ratio(value - middle, spread)

    def learn(self, memory: Memory, value: float) -> None:
        memory.append(value)
        if len(memory) > self.window:
            del memory[0]
