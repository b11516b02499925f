"""`sluice bench`: what this machine does."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.command_line import JsonOption, fail, out, print_json

if TYPE_CHECKING:
    from gateway.bench.workers import Shared

_RATES = (100, 1_000, 10_000)
_TRICKLES = (1, 10, 1_000)
_DEVICES = (100, 1_000, 10_000, 100_000)
_FLOWS = (1, 10, 100)
_WORKERS, _HOSTS, _TURNS = (1, 2), (1, 2), 3


def bench(
    sections: Annotated[
        list[str] | None,
        typer.Argument(metavar="[throughput|latency|devices|flows|workers|hosts|flash|restart|backtest]...", help="Only these."),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=5, help="For how long each figure is measured.")] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Measure this machine: a private mosquitto, a load of 1,000 devices, and all of Sluice, beside what mosquitto_sub merely receives."""
    from tempfile import TemporaryDirectory

    from gateway.bench.table import lines
    from gateway.bench.waiting import StuckError

    chosen = sections or list(_SECTIONS)
    if unknown := [name for name in chosen if name not in _SECTIONS]:
        fail(f"bench: sections must be of {', '.join(_SECTIONS)}; got {', '.join(unknown)}", 2)
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="sluice-bench-") as folder:
        try:
            for name, section in _SECTIONS.items():
                if name in chosen:
                    found[name] = section(Path(folder), seconds)
        except (StuckError, FileNotFoundError) as error:
            fail(f"bench: {error}")
    if as_json:
        print_json(found)
    else:
        for line in lines(found):
            out.print(line, markup=False)


def _throughputs(folder: Path, seconds: float) -> list[dict[str, Any]]:
    return [_throughput(folder, qos, seconds) for qos in (0, 1)]


def _throughput(folder: Path, qos: int, seconds: float) -> dict[str, Any]:
    from gateway.bench.throughput import generator_alone, received_by_c, sustained

    generator = generator_alone(folder / f"alone-{qos}", qos=qos, seconds=seconds)
    by_c = received_by_c(folder / f"c-{qos}", qos=qos, seconds=seconds)
    ours = sustained(folder / f"sluice-{qos}", qos=qos, seconds=seconds)
    return {
        **ours.document(),
        "seconds": seconds,
        "received_by_c": round(by_c),
        "ratio": round(ours.rate / by_c, 3),
        "generator": round(generator),
        "headroom": round(generator / max(by_c, ours.rate), 2),
    }


def _latencies(folder: Path, seconds: float) -> list[dict[str, Any]]:
    from gateway.bench.latency import latency

    return [latency(folder / f"latency-{rate}", rate=rate, seconds=seconds).document() for rate in _RATES]


def _devices(folder: Path, seconds: float) -> list[dict[str, Any]]:
    from gateway.bench.cost import with_devices

    return [with_devices(folder / f"devices-{devices}", devices=devices, seconds=seconds).document() for devices in _DEVICES]


def _flows(folder: Path, seconds: float) -> list[dict[str, Any]]:
    from gateway.bench.cost import with_flows

    return [with_flows(folder / f"flows-{flows}", flows=flows, seconds=seconds).document() for flows in _FLOWS]


def _workers(folder: Path, _seconds: float) -> list[dict[str, Any]]:
    from gateway.bench.waiting import StuckError
    from gateway.bench.workers import shared

    # In turn, and the middle of each: what else a machine does, and how fast its processor is, changes from one minute to the next.
    found = [shared(folder / f"workers-{workers}-{turn}", workers=workers) for turn in range(_TURNS) for workers in _WORKERS]
    if len({one.windows for one in found}) > 1:
        raise StuckError(f"all must give the same windows; got {[one.windows for one in found]}")
    middle = [_middle([one for one in found if one.workers == workers], "rate") for workers in _WORKERS]
    return [{**one.document(), "times": round(one.rate / middle[0].rate, 2)} for one in middle]


def _hosts(folder: Path, _seconds: float) -> list[dict[str, Any]]:
    from gateway.bench.workers import shared

    found = [shared(folder / f"hosts-{hosts}-{turn}", hosts=hosts) for turn in range(_TURNS) for hosts in _HOSTS]
    return [_middle([one for one in found if one.hosts == hosts], "cpu").document() for hosts in _HOSTS]


def _middle(turns: list[Shared], figure: str) -> Shared:
    return sorted(turns, key=attrgetter(figure))[len(turns) // 2]


def _flash(folder: Path, seconds: float) -> list[dict[str, Any]]:
    from gateway.bench.flash import flash

    return [flash(folder / f"flash-{rate}", rate=rate, seconds=seconds).document() for rate in _TRICKLES]


def _restart(folder: Path, _seconds: float) -> dict[str, Any]:
    from gateway.bench.restart import restart

    return restart(folder / "restart").document()


def _backtest(folder: Path, _seconds: float) -> dict[str, Any]:
    from gateway.bench.replay import backtest

    return backtest(folder / "backtest").document()


_SECTIONS: dict[str, Callable[[Path, float], Any]] = {
    "throughput": _throughputs,
    "latency": _latencies,
    "devices": _devices,
    "flows": _flows,
    "workers": _workers,
    "hosts": _hosts,
    "flash": _flash,
    "restart": _restart,
    "backtest": _backtest,
}
