"""Anomaly detectors by name: each scores a value against what it has learned so far, then learns it. Deciding is the trigger's."""

from typing import Annotated

from pydantic import Field

from flows.detectors.detector import Detector, Memory
from flows.detectors.mad import Mad
from flows.detectors.zscore import ZScore

DETECTORS: dict[str, type[Detector]] = {"zscore": ZScore, "mad": Mad}
"""By the name that `by:` gives."""

AnyDetector = Annotated[ZScore | Mad, Field(discriminator="by")]

__all__ = ["DETECTORS", "AnyDetector", "Detector", "Mad", "Memory", "ZScore"]
