"""`sluice bench`: what this machine does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.command_line import JsonOption, fail, out, print_json

_SECTIONS = ("throughput", "latency", "flash", "restart")
_RATES = (100, 1_000, 10_000)
_TRICKLES = (1, 10, 1_000)


def bench(
    sections: Annotated[list[str] | None, typer.Argument(metavar="[throughput|latency|flash|restart]...", help="Only these.")] = None,
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
            if "throughput" in chosen:
                found["throughput"] = [_throughput(Path(folder), qos, seconds) for qos in (0, 1)]
            if "latency" in chosen:
                from gateway.bench.latency import latency

                found["latency"] = [latency(Path(folder) / f"latency-{rate}", rate=rate, seconds=seconds).document() for rate in _RATES]
            if "flash" in chosen:
                from gateway.bench.flash import flash

                found["flash"] = [flash(Path(folder) / f"flash-{rate}", rate=rate, seconds=seconds).document() for rate in _TRICKLES]
            if "restart" in chosen:
                from gateway.bench.restart import restart

                found["restart"] = restart(Path(folder) / "restart").document()
        except (StuckError, FileNotFoundError) as error:
            fail(f"bench: {error}")
    if as_json:
        print_json(found)
    else:
        for line in lines(found):
            out.print(line, markup=False)


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
