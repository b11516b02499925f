"""Run the tests that a flow file carries, on the code path of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from devices.catalogue import Catalogue
from devices.reading import Reading
from flows.backtest import play
from flows.cases import CASE_START, Case, CaseReading, ExpectedAlert, ExpectedCommand, ExpectedReading, ExpectedWindow
from flows.flow import Flow
from flows.readings_file import ReadingsFile
from gateway.store.effects import AlertChanged, CommandRequested, Derived, Effect, WindowClosed

_SECOND = 1_000_000_000
_LONGEST = 10_000 * 3600  # s that a clock of four digits for hours reaches


class Compared(NamedTuple):
    """What a test expects at one place, and what it got there; None for nothing."""

    what: str
    expected: str | None
    got: str | None
    same: bool

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected or 'none'}, got {self.got or 'none'}"


def effects_of(flow: Flow, case: Case) -> list[Effect]:
    """Give what follows from a test's readings on the test's clock: see `flows.backtest.play`."""
    return list(play([flow], _readings(flow, case), until=case.until))


def _readings(flow: Flow, case: Case) -> Iterator[Reading]:
    if case.readings_file is None:
        yield from (_reading(said, case.labels.get(said.device, {})) for said in case.readings or ())
        return
    metric = flow.spec.select.metrics[0]
    for reading in ReadingsFile(case.readings_file, Catalogue(), metric=metric):
        labels = case.labels.get(reading.device)
        yield reading if labels is None else msgspec.structs.replace(reading, labels={**reading.labels, **labels})


def _reading(said: CaseReading, labels: Mapping[str, str]) -> Reading:
    return Reading(
        device=said.device,
        metric=said.metric,
        channel=said.channel,
        key=said.metric,
        value=said.value,
        raw_value=said.value,
        ts=said.time,
        received=said.time,
        time_source="device",
        convention="test",
        labels=labels,
    )


def compare(flow: Flow, case: Case) -> list[Compared]:
    """Run a test, and hold what it expects against what it got.

    Commands, alerts and republished readings are expected completely and in order; windows among those that close.
    """
    effects = effects_of(flow, case)
    expect, found = case.expect, list[Compared]()
    for what, wanted, kind, same, text in (
        ("command", expect.commands, CommandRequested, _is_command, _command_text),
        ("alert", expect.alerts, AlertChanged, _is_alert, _alert_text),
        ("republished", expect.republished, Derived, _is_derived, _derived_text),
    ):
        if wanted is not None:
            found += _in_order(what, wanted, [effect for effect in effects if isinstance(effect, kind)], same, text)
    windows = [effect for effect in effects if isinstance(effect, WindowClosed)]
    return found + [_among(number, wanted, windows) for number, wanted in enumerate(expect.windows or (), 1)]


def failures(flow: Flow, case: Case) -> list[str]:
    """Say what a test expected and did not get; an empty list where it passes."""
    return [str(one) for one in compare(flow, case) if not one.same]


def _in_order(
    what: str, expected: Sequence[Any], got: Sequence[Any], same: Callable[[Any, Any], bool], text: Callable[[Any], str]
) -> Iterator[Compared]:
    for place in range(max(len(expected), len(got))):
        wanted = expected[place] if place < len(expected) else None
        found = got[place] if place < len(got) else None
        yield Compared(
            f"{what} {place + 1}",
            None if wanted is None else text(wanted),
            None if found is None else text(found),
            wanted is not None and found is not None and same(wanted, found),
        )


def _among(number: int, wanted: ExpectedWindow, windows: Sequence[WindowClosed]) -> Compared:
    same = [window for window in windows if _is_window(wanted, window)]
    near = same or [window for window in windows if wanted.end in (None, window.end) and wanted.start in (None, window.start)]
    got = ", ".join(_window_text(window) for window in near) or None
    return Compared(f"window {number}", _expected_window_text(wanted), got, same=bool(same))


def _is_command(wanted: ExpectedCommand, got: CommandRequested) -> bool:
    return (wanted.device, wanted.set) == (got.device, got.settings) and wanted.at in (None, got.at)


def _is_alert(wanted: ExpectedAlert, got: AlertChanged) -> bool:
    group = dict(got.group)
    return (
        wanted.state == got.state
        and wanted.at in (None, got.at)
        and wanted.message in (None, got.message)
        and wanted.severity in (None, got.severity)
        and all(group.get(name) == value for name, value in (wanted.group or {}).items())
    )


def _is_derived(wanted: ExpectedReading, got: Derived) -> bool:
    return (
        wanted.metric == got.metric
        and _equal(got.value, wanted.value)
        and wanted.device in (None, got.device)
        and wanted.channel in (None, got.channel)
        and wanted.unit in (None, got.unit)
        and wanted.at in (None, got.at)
    )


def _is_window(wanted: ExpectedWindow, got: WindowClosed) -> bool:
    values = {"count": got.count, **dict(got.group), **got.values}
    return (
        wanted.start in (None, got.start)
        and wanted.end in (None, got.end)
        and wanted.revision in (None, got.revision)
        and all(_equal(values.get(name), value) for name, value in wanted.values.items())
    )


def _equal(got: Any, wanted: Any) -> bool:
    if isinstance(got, float | int) and isinstance(wanted, float | int):
        return abs(got - wanted) <= 1e-9 * max(1.0, abs(wanted))
    return bool(got == wanted)


def _command_text(command: ExpectedCommand | CommandRequested) -> str:
    settings = command.set if isinstance(command, ExpectedCommand) else command.settings
    return f"{command.device} {settings}{_at(command.at)}"


def _alert_text(alert: ExpectedAlert | AlertChanged) -> str:
    group = f" {dict(alert.group)}" if alert.group else ""
    said = "" if alert.message is None else f" {alert.message!r}"
    severity = "" if alert.severity is None else f" ({alert.severity})"
    return f"{alert.state}{_at(alert.at)}{group}{said}{severity}"


def _derived_text(derived: ExpectedReading | Derived) -> str:
    unit = "" if derived.unit is None else f" {derived.unit}"
    device = "" if derived.device is None else f"{derived.device} "
    channel = f"/{derived.channel}" if derived.channel else ""
    return f"{device}{derived.metric}{channel} {derived.value!r}{unit}{_at(derived.at)}"


def _window_text(window: WindowClosed) -> str:
    return f"window to {clock_text(window.end)} revision {window.revision} { ({**dict(window.group), **window.values}) }"


def _expected_window_text(window: ExpectedWindow) -> str:
    end = f"window to {clock_text(window.end)}" if window.end is not None else f"window from {clock_text(window.start or 0)}"
    return f"{end} {window.values}"


def _at(time: int | None) -> str:
    return "" if time is None else f" at {clock_text(time)}"


def clock_text(time: int) -> str:
    """Write a time on a test's clock, or, where that does not reach so far, as ISO 8601.

    >>> clock_text(CASE_START + 130 * 10**9), clock_text(CASE_START - 10**9)
    ('00:02:10', '2025-12-31T23:59:59Z')
    """
    seconds, rest = divmod(time - CASE_START, _SECOND)
    if not 0 <= seconds < _LONGEST:
        return f"{datetime.fromtimestamp(time // _SECOND, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"
    fraction = f"{rest / _SECOND:.9f}".rstrip("0")[1:] if rest else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
