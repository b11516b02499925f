"""Which readings a flow takes: those it selects, and those that it only looks up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from devices import vocabulary
from gateway.findings import Checked, PositiveDuration, Problem


def metric_name(value: Any) -> str:
    """Pass a metric's name; ValueError for what is none."""
    if not isinstance(value, str) or not value or vocabulary.snake(value) != value:
        raise ValueError("must be a metric in lower snake-case, such as temperature or soil_moisture")
    if value in vocabulary.SYNONYMS and value not in vocabulary.METRICS:
        raise ValueError(f"must be a metric of the vocabulary, which says {vocabulary.SYNONYMS[value]!r}")
    return value


MetricName = Annotated[
    str,
    BeforeValidator(metric_name),
    # The known ones by name, so that editors offer them.
    WithJsonSchema({"anyOf": [{"enum": sorted(vocabulary.METRICS)}, {"type": "string", "pattern": r"^[^A-Z\s./-]+$|\$\{"}]}),
]


class Select(Checked):
    """Which readings the flow wants: those of these metrics for whose series `where` holds."""

    metrics: tuple[MetricName, ...] = Field(min_length=1, description="Which metrics.")
    where: str | None = Field(default=None, description="Of which series (CEL over device, metric, channel, unit, labels).")


class Lookup(Checked):
    """The newest value of another series, under a name for expressions: of one `device`, or else of the group's own."""

    device: str | None = Field(default=None, min_length=1, description="Whose; without it the group's own device.")
    metric: MetricName = Field(description="Which of its metrics.")
    channel: str = Field(default="", description="Which of its channels, where the metric has several.")
    max_age: PositiveDuration | None = Field(default=None, description="What is older is missing.")

    def rules(self) -> Iterator[Problem]:
        """Refuse a text with fields: one device is looked up by its name, whatever the group."""
        if self.device is not None and "{" in self.device:
            yield Problem(("device",), "device must be a name, not a text with fields; without it the group's own device is looked up")
