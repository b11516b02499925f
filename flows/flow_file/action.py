"""What follows: alerts, commands, and values republished as metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from flows.cases import Scalar
from flows.flow_file.select import MetricName
from gateway.findings import Checked, PositiveDuration, Problem, duration_text

_SECOND = 10**9


def _retries(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic takes ValueError for a finding
    return value


class Confirm(Checked):
    """How long a device may take to report what it was told (ns), and how often it is told again."""

    within: PositiveDuration = Field(default=10 * _SECOND, description="How long the device may take to report it.")
    retries: Annotated[int, Field(ge=0, le=100), BeforeValidator(_retries)] = Field(default=3, description="How often it is told again.")


class CommandSpec(Checked):
    """A command; `expires` (ns) is how long after what gave rise to it it may still be sent."""

    device: str = Field(min_length=1, description="Who is told: a name, or a template of the group such as fan-{device}.")
    set: dict[str, Scalar] = Field(min_length=1, description='What to set: {state: "ON"}.')
    confirm: Confirm = Field(default=Confirm(), description="How long to wait for the device's report, and how often to try again.")
    expires: PositiveDuration | None = Field(
        default=None, description="How long after what gave rise to it the command may still be sent; a minute at least."
    )

    @property
    def life(self) -> int:
        """`expires`, or by default a minute, and never less than its tries take."""
        return self.expires or max(60 * _SECOND, self.confirm.within * (self.confirm.retries + 1))

    def rules(self) -> Iterator[Problem]:
        """Let a command live long enough to be confirmed once."""
        if self.expires is not None and self.expires < self.confirm.within:
            yield Problem(("expires",), f"expires must not be shorter than confirm.within, {duration_text(self.confirm.within)}")


class OnClear(Checked):
    """What the same device is told when the episode ends."""

    set: dict[str, Scalar] = Field(min_length=1, description='What to set: {state: "OFF"}.')


class Republish(Checked):
    """A value that becomes a reading of its own, so that other flows can select it."""

    metric: MetricName = Field(description="The metric it becomes.")
    value: str = Field(min_length=1, description="The value (CEL): a name, or more.")
    device: str | None = Field(
        default=None, min_length=1, description="Whose it becomes; without it the group's device, else the flow's name."
    )
    unit: str | None = Field(default=None, min_length=1, description="Its unit.")


class Action(Checked):
    """One item of `do:`: a command, with what undoes it; the text of the alert; or a value republished as a metric."""

    command: CommandSpec | None = Field(default=None, description="What a device is told when the episode begins.")
    on_clear: OnClear | None = Field(default=None, description="What the command's device is told when the episode ends.")
    alert: str | None = Field(default=None, description="The alert's text, with values: {device} at {warm:.1f} °C.")
    republish: Republish | None = Field(default=None, description="A value that becomes a reading of its own.")

    def rules(self) -> Iterator[Problem]:
        """Let an item be one thing."""
        if sum(one is not None for one in (self.command, self.alert, self.republish)) != 1:
            yield Problem((), "an item of do is one of alert, command, republish", key=True, show=False)
        elif self.on_clear is not None and self.command is None:
            yield Problem(("on_clear",), "on_clear belongs to a command", key=True, show=False)
