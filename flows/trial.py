"""Run the tests that a flow file carries, on the code path of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from devices.reading import Reading
from flows.backtest import play
from flows.cases import CASE_START, Case, CaseReading, ExpectedAlert, ExpectedCommand, ExpectedWindow
from flows.flow import Flow
from gateway.store.effects import AlertChanged, CommandRequested, Effect, WindowClosed

_SECOND = 1_000_000_000


def effects_of(flow: Flow, case: Case) -> list[Effect]:
    """Give what follows from a test's readings on the test's clock: see `flows.backtest.play`."""
    return list(play([flow], (_reading(said, case.labels.get(said.device, {})) for said in case.readings)))


def _reading(said: CaseReading, labels: dict[str, str]) -> Reading:
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


def failures(flow: Flow, case: Case) -> list[str]:
    """Say what a test expected and did not get; an empty list where it passes.

    Commands and alerts are expected completely and in order; windows among those that close.
    """
    effects = effects_of(flow, case)
    expect, wrong = case.expect, []
    if expect.commands is not None:
        wrong += _in_order("command", expect.commands, [e for e in effects if isinstance(e, CommandRequested)], _is_command, _command_text)
    if expect.alerts is not None:
        wrong += _in_order("alert", expect.alerts, [e for e in effects if isinstance(e, AlertChanged)], _is_alert, _alert_text)
    windows = [e for e in effects if isinstance(e, WindowClosed)]
    for wanted in expect.windows or ():
        if not any(_is_window(wanted, got) for got in windows):
            near = [_window_text(w) for w in windows if wanted.end in (None, w.end) and wanted.start in (None, w.start)]
            wrong.append(f"expected {_expected_window_text(wanted)}, got {', '.join(near) or 'no such window'}")
    return wrong


def _in_order(
    what: str, expected: Sequence[Any], got: Sequence[Any], same: Callable[[Any, Any], bool], text: Callable[[Any], str]
) -> list[str]:
    wrong = [
        f"{what} {number}: expected {text(wanted)}, got {text(found)}"
        for number, (wanted, found) in enumerate(zip(expected, got, strict=False), 1)
        if not same(wanted, found)
    ]
    wrong += [f"{what} {number}: expected {text(wanted)}, got none" for number, wanted in enumerate(expected[len(got) :], len(got) + 1)]
    return wrong + [
        f"{what} {number}: expected none, got {text(found)}" for number, found in enumerate(got[len(expected) :], len(expected) + 1)
    ]


def _is_command(wanted: ExpectedCommand, got: CommandRequested) -> bool:
    return (wanted.device, wanted.set) == (got.device, got.settings) and wanted.at in (None, got.at)


def _is_alert(wanted: ExpectedAlert, got: AlertChanged) -> bool:
    return wanted.state == got.state and wanted.at in (None, got.at) and wanted.message in (None, got.message)


def _is_window(wanted: ExpectedWindow, got: WindowClosed) -> bool:
    values = {**dict(got.group), **got.values, "count": got.count}
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
    return f"{alert.state}{_at(alert.at)}{f' {alert.message!r}' if alert.message is not None else ''}"


def _window_text(window: WindowClosed) -> str:
    return f"window to {clock_text(window.end)} revision {window.revision} { ({**dict(window.group), **window.values}) }"


def _expected_window_text(window: ExpectedWindow) -> str:
    end = f"window to {clock_text(window.end)}" if window.end is not None else f"window from {clock_text(window.start or 0)}"
    return f"{end} {window.values}"


def _at(time: int | None) -> str:
    return "" if time is None else f" at {clock_text(time)}"


def clock_text(time: int) -> str:
    """Write a time on a test's clock.

    >>> clock_text(CASE_START + 130 * 10**9)
    '00:02:10'
    """
    seconds, rest = divmod(time - CASE_START, _SECOND)
    fraction = f"{rest / _SECOND:.9f}".rstrip("0")[1:] if rest else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
