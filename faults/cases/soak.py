"""A long time of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from statistics import linear_regression
from time import monotonic

from faults.fault import fault
from faults.rig.rig import FLOW, Rig


@fault("F30", "a soak with a fault every minute", scaled="24 h → 4 min, a fault every 20 s; SOAK is 30 min")
def short_soak(rig: Rig) -> None:
    _soak(rig, seconds=rig.length(240, 2.5), every=rig.length(20, 0.8))


@fault("SOAK", "30 minutes at 2,000 messages/s with a fault every minute")
def soak(rig: Rig) -> None:
    _soak(rig, seconds=1800, every=60)


def _soak(rig: Rig, *, seconds: float, every: float) -> None:
    # A closed window is kept for as long as it may be corrected, an hour by default: a minute, so that a leak would show beside it.
    (rig.config / "flows" / "summary.yaml").write_text(FLOW.replace("lateness: 500ms", "lateness: 500ms, corrections: 1m"))
    sluice, broker, front = rig.sluice(), rig.broker(), rig.full and rig.front()
    sluice.start()
    load = rig.publish(rate=rig.length(2000, 800), seconds=seconds)
    ends = monotonic() + seconds

    def away() -> None:
        broker.stop()
        rig.pause(min(3.0, every / 4))
        broker.start()

    def frozen() -> None:
        broker.send(signal.SIGSTOP)
        rig.pause(min(3.0, every / 4))
        broker.send(signal.SIGCONT)

    def history_away() -> None:
        if front:
            rig.history().stop()  # asked to end: killed, victoria-metrics would lose what it has acknowledged within the last seconds
            rig.pause(min(5.0, every / 4))
            rig.history().start()

    faults: list[Callable[[], None]] = [
        lambda: sluice.kill("gateway"),
        history_away,
        lambda: sluice.kill("flows"),
        away,
        frozen,
        lambda: _everything(rig),
    ]
    number = 0
    while monotonic() < ends - every:
        rig.pause(every)
        if not load.running():
            break
        faults[number % len(faults)]()
        number += 1
    rig.note(f"{number} faults")
    rig.recovered(60)
    rig.account()
    _slopes(rig)


def _everything(rig: Rig) -> None:
    rig.sluice().kill_everything()
    rig.sluice().start()


def _slopes(rig: Rig) -> None:
    """Tell how memory and files grow, over the second half of the time."""
    samples = rig.samples()
    half = samples[len(samples) // 2 :]
    if len(half) < 20:
        return
    hours = [number * 0.5 / 3600 for number in range(len(half))]
    memory = linear_regression(hours, [used / 1e6 for used, _ in half]).slope
    files = linear_regression(hours, [count for _, count in half]).slope
    minutes = len(half) / 120
    rig.note(
        f"over the last {minutes:.0f} min memory goes {memory * minutes / 60:+.1f} MB ({memory:+.1f} MB/h), open files {files * minutes / 60:+.1f}"
    )
