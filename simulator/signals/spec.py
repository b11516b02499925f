"""A signal as a scenario describes it: the parts that it is the sum of, or the one part that it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, model_validator

from gateway.findings import Checked, Problem
from simulator.signals.counter import Counter
from simulator.signals.cycles import Daily, Weekly
from simulator.signals.duty import Duty
from simulator.signals.follows import Follows
from simulator.signals.recorded import RecordedSpec
from simulator.signals.steps import Steps
from simulator.signals.track import Track
from simulator.signals.walk import Walk
from simulator.signals.weather import Weather

_SWITCHES = {"steps": "steps of true and false", "recording": "a recording of true and false"}
"""Parts that are a signal by themselves only if they hold true and false."""


class SignalSpec(Checked):
    """One signal: the sum of the parts that are named. `measures` is a quantity of the scenario's physics that it follows.

    A duty, a counter, a track, and steps or a recording of true and false are signals by themselves: nothing can be added to them.
    """

    measures: str | None = Field(default=None, description="A quantity of the physics that it follows.")
    base: float = Field(default=0.0, description="A constant.")
    spread: float = Field(default=0.0, ge=0, description="The standard deviation of the constants between the devices of a group.")
    daily: Daily | None = Field(default=None, description="A curve that repeats every day.")
    weekly: Weekly | None = Field(default=None, description="How high the daily curve rises on each day of the week.")
    weather: Weather | None = Field(default=None, description="A slow drift that comes and goes, as weather does.")
    drift: float = Field(default=0.0, description="How much it moves in an hour.")
    walk: Walk | None = Field(default=None, description="A random walk.")
    steps: Steps | None = Field(default=None, description="Values that come one after the other.")
    follows: Follows | None = Field(default=None, description="Another metric of the device that it follows.")
    recording: RecordedSpec | None = Field(default=None, description="A recording that it follows.")
    duty: Duty | None = Field(default=None, description="On and off in turns.")
    counter: Counter | None = Field(default=None, description="A count that only rises.")
    track: Track | None = Field(default=None, description="A route, which gives the metrics of a position.")
    noise: float = Field(default=0.0, ge=0, description="The standard deviation of what is added at random.")
    low: float | None = Field(default=None, description="It is never below.")
    high: float | None = Field(default=None, description="It is never above.")
    decimals: int | None = Field(
        default=None, ge=0, le=9, description="Digits after the point: 2 unless given, a recording's own, none for a counter."
    )

    @model_validator(mode="before")
    @classmethod
    def _is_parts(cls, written: Any) -> Any:
        if isinstance(written, int | float) and not isinstance(written, bool):
            raise ValueError(f"must be the parts of a signal, such as {{base: {written}}}")  # noqa: TRY004  pydantic takes it for a finding
        return written

    @property
    def alone(self) -> str | None:
        """Name the part that is the whole signal, if there is one."""
        if self.steps is not None and self.steps.on_off:
            return "steps"
        if self.recording is not None and self.recording.recorded().on_off:
            return "recording"
        return next((part for part in ("duty", "counter", "track") if getattr(self, part) is not None), None)

    @property
    def on_off(self) -> bool:
        """Whether its values are true and false."""
        return self.alone in {"duty", "steps", "recording"}

    @property
    def digits(self) -> int:
        """Give the digits after the point."""
        if self.decimals is not None:
            return self.decimals
        if self.recording is not None:
            return self.recording.recorded().digits
        return 0 if self.counter is not None else 2

    @property
    def leader(self) -> str | None:
        """Name the metric that this one follows or adds up, if it does."""
        if self.follows is not None:
            return self.follows.metric
        return None if self.counter is None else self.counter.of

    def gives(self, metric: str) -> tuple[str, ...]:
        """Name the metrics that come of it under the name that it has in the scenario."""
        return (metric,) if self.track is None else self.track.gives

    def rules(self) -> Iterator[Problem]:
        if self.weekly is not None and self.daily is None:
            yield Problem(("weekly",), "weekly needs daily: it says how high the daily curve rises", show=False)
        if self.low is not None and self.high is not None and self.low > self.high:
            yield Problem(("high",), f"high must not be below low, {self.low:g}")
        whole = self.alone
        if whole is not None:
            others = sorted(self.model_fields_set - {whole, "decimals" if whole == "counter" else whole})
            if others:
                name = _SWITCHES.get(whole, f"a {whole}")
                yield Problem((whole,), f"{name} cannot be added to {', '.join(others)}", show=False)
