"""All aggregates by name: what each is about, how it is called, and which accumulator it is a reading of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from flows.aggregates import decay, distinct, ends, extremes, holding, line, mode, moments, pairs, sketch, totals
from flows.aggregates.accumulator import Accumulator, Result
from flows.aggregates.trace import NumberTrace, StateTrace, Trace

Argument = Literal["metric", "value", "duration", "duration?"]
"""What a call takes at a place; the last kind may be left out."""


class Aggregate(NamedTuple):
    """A named reading of an accumulator's state, or of what a trace's state comes to over a span; None where nothing was seen.

    Parameters shape the accumulator, so that calls with other parameters have another one. Of a `gathered` one they do not: one accumulator
    is made for all that is asked of the metric, and the reading takes the place of its own parameter among them.
    """

    accumulator: str
    result: Callable[..., Result]
    about: str
    usage: str = ""
    takes: tuple[Argument, ...] = ("metric",)
    gathered: bool = False
    gives_values: bool = False
    """Whether it gives a value as it came, which may be text or a truth value; the others give numbers."""


ACCUMULATORS: dict[str, Accumulator] = {
    "tally": totals.TALLY,
    "total": totals.TOTAL,
    "moments": moments.MOMENTS,
    "extremes": extremes.EXTREMES,
    "ends": ends.ENDS,
    "number_ends": ends.NUMBER_ENDS,
    "sketch": sketch.SKETCH,
    "votes": mode.VOTES,
    "registers": distinct.REGISTERS,
    "line": line.LINE,
}
"""Those without parameters."""

SHAPED: dict[str, Callable[..., Accumulator | Trace]] = {
    "decay": decay.decay,
    "pairs": pairs.pairs,
    "trace": NumberTrace,
    "states": StateTrace,
}
"""Those made anew for every flow: by the parameters of the call, or since they keep order."""

_SIMPLE = {
    "count": Aggregate("tally", totals.count, "how many readings, texts too"),
    "sum": Aggregate("total", totals.total, "their sum"),
    "mean": Aggregate("total", totals.mean, "their arithmetic mean"),
    "min": Aggregate("extremes", extremes.smallest, "the smallest"),
    "max": Aggregate("extremes", extremes.largest, "the largest"),
    "range": Aggregate("extremes", extremes.spread, "the largest less the smallest"),
    "first": Aggregate("ends", ends.first, "the one with the earliest event time, as it is", gives_values=True),
    "last": Aggregate("ends", ends.last, "the one with the latest event time, as it is", gives_values=True),
    "delta": Aggregate("number_ends", ends.delta, "the last number less the first"),
    "rate": Aggregate("number_ends", ends.rate, "the last number less the first, per second; none where both are of one time"),
    "stddev": Aggregate("moments", moments.stddev, "sample standard deviation; none for one reading"),
    "variance": Aggregate("moments", moments.variance, "sample variance; none for one reading"),
    "slope": Aggregate("line", line.slope, "the slope of the least-squares line, per second; none where all are of one time"),
    "median": Aggregate("sketch", sketch.quantile(0.5), "the median, within 2 % of the value"),
    "mode": Aggregate(
        "votes", mode.mode, "the most frequent, of several the smallest; none beyond 1,000 different ones", gives_values=True
    ),
    "distinct": Aggregate("registers", distinct.distinct, "how many different ones: exact or nearly so for few, then within some 2 %"),
}

_OVER_TIME = {
    "time_weighted_mean": Aggregate("trace", holding.time_weighted_mean, "the mean over time: each value weighs as long as it held"),
    "integral": Aggregate("trace", holding.integral, "value times hours: W become Wh", "integral(power)"),
    "duty_cycle": Aggregate("trace", holding.duty_cycle, "the share of the time in which it was true, or not zero", "duty_cycle(state)"),
    "increase": Aggregate("trace", holding.increase, "by how much a counter rose; after a reset it counts on", "increase(energy)"),
    "time_in_state": Aggregate(
        "states",
        holding.time_in_state,
        "the seconds for which it was this text, truth value or number",
        'time_in_state(mode, "heating")',
        takes=("metric", "value"),
        gathered=True,
    ),
}

_SHAPED_CALLS = {
    "ewma": Aggregate(
        "decay",
        decay.ewma,
        "the mean weighted by exp(-age / time constant), the newest reading being of age 0",
        "ewma(temperature, 5m)",
        takes=("metric", "duration"),
    ),
    "correlation": Aggregate(
        "pairs",
        pairs.correlation,
        "Pearson's correlation of two metrics, of readings of the same time, or of their means in each stretch of a duration",
        "correlation(temperature, humidity) or correlation(temperature, humidity, 10s)",
        takes=("metric", "metric", "duration?"),
    ),
}

_PERCENTILES = {
    f"p{percent:02}": Aggregate("sketch", sketch.quantile(percent / 100), f"{percent} % lie beneath it; within 2 % of the value")
    for percent in range(1, 100)
}

AGGREGATES: dict[str, Aggregate] = {
    name: wanted if wanted.usage else wanted._replace(usage=f"{name}(temperature)")
    for name, wanted in (_SIMPLE | _OVER_TIME | _SHAPED_CALLS | _PERCENTILES).items()
}
