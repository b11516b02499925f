"""An aggregate as a flow file calls it: `mean(temperature)`, `time_in_state(mode, "heating")`, `correlation(temperature, humidity, 10s)`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

from flows.aggregates.registry import AGGREGATES, Argument
from gateway.findings import duration_text, hint, parse_duration

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", re.DOTALL)
_ARGUMENT = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s(),"']+)\s*(?:(,)|$)""", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_FORM = "must be a call such as mean(temperature)"
_QUOTES = "; within { } a call with a comma in it stands in quotes"
_ELSEWHERE = {
    "avg": "mean",
    "average": "mean",
    "percentile": "p95",
    "quantile": "p95",
    "std": "stddev",
    "stdev": "stddev",
    "var": "variance",
    "uniq": "distinct",
    "unique": "distinct",
    "latest": "last",
    "corr": "correlation",
}
"""What other systems call an aggregate."""
_NUMBERS, _VALUES = (1.5,), (1.5, "1", True)


@dataclass(frozen=True)
class AggregateCall:
    """One aggregate of a metric, or of two. Parameters: a duration is whole ns, a number is a float, a text and a truth value are themselves."""

    function: str
    metrics: tuple[str, ...]
    params: tuple[Any, ...] = ()

    @property
    def samples(self) -> tuple[float | str | bool, ...]:
        """One of each kind that it may give: what comes as it is may be text (one that `double()` can read) or a truth value."""
        return _VALUES if AGGREGATES[self.function].gives_values else _NUMBERS

    @classmethod
    def parse(cls, text: Any) -> AggregateCall:
        """Read a call; ValueError with the rule where it is none.

        >>> AggregateCall.parse("p95(temperature)")
        AggregateCall(function='p95', metrics=('temperature',), params=())
        >>> AggregateCall.parse("ewma(temperature, 5m)").params
        (300000000000,)
        >>> AggregateCall.parse("time_in_state(mode, heating)")
        Traceback (most recent call last):
        ValueError: must call time_in_state as time_in_state(mode, "heating"): heating is no quoted text, truth value or number
        """
        match = _CALL.fullmatch(text) if isinstance(text, str) else None
        arguments = _arguments(match[2]) if match else None
        if match is None or arguments is None:
            raise ValueError(_FORM + (_QUOTES if isinstance(text, str) and text.count("(") > text.count(")") else ""))
        function = match[1]
        if function not in AGGREGATES:
            here = _ELSEWHERE.get(function.lower())
            near = hint(function, AGGREGATES) if here is None else f"; did you mean {here!r}?"
            raise ValueError(f"calls an unknown function {function!r}{near}")
        takes = AGGREGATES[function].takes
        rule = f"must call {function} as {AGGREGATES[function].usage}"
        if not len([kind for kind in takes if kind[-1] != "?"]) <= len(arguments) <= len(takes):
            raise ValueError(rule)
        try:
            read = [_read(kind, argument) for kind, argument in zip(takes, arguments, strict=False)]
        except ValueError as error:
            raise ValueError(f"{rule}: {error}") from None
        metrics = tuple(read[: takes.count("metric")])
        if len(set(metrics)) < len(metrics):
            raise ValueError(f"{rule}: of two different metrics")
        return cls(function, metrics, tuple(read[len(metrics) :]))

    def __str__(self) -> str:
        """Write the call so that it reads back as the same."""
        return f"{self.function}({', '.join([*self.metrics, *map(_written, self.params)])})"


def _arguments(text: str) -> list[str] | None:
    """Split at the commas outside quotes; None where that is no list of arguments."""
    arguments: list[str] = []
    if not text.strip():
        return arguments
    start, more = 0, True
    while more:
        match = _ARGUMENT.match(text, start)
        if match is None:
            return None
        arguments.append(match[1])
        start, more = match.end(), match[2] is not None
    return arguments


def _read(kind: Argument, argument: str) -> Any:
    if kind == "metric":
        if argument[0] in "\"'":
            raise ValueError(f"{argument} is no metric: a metric stands without quotes")
        return argument
    return _value(argument) if kind == "value" else _duration(argument)


def _value(argument: str) -> float | str | bool:
    if argument[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", argument[1:-1], flags=re.DOTALL)
    if argument in {"true", "false"}:
        return argument == "true"
    if not _NUMBER.fullmatch(argument) or not isfinite(float(argument)):
        raise ValueError(f"{argument} is no quoted text, truth value or number")
    return float(argument)


def _duration(argument: str) -> int:
    try:
        duration = parse_duration(argument)
    except ValueError:
        duration = 0
    if duration <= 0:
        raise ValueError(f"{argument} is no duration such as 10s, 5m, 2h")
    return duration


def _written(param: Any) -> str:
    if isinstance(param, bool):
        return "true" if param else "false"
    if isinstance(param, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", param) + '"'
    return duration_text(param) if isinstance(param, int) else repr(param)
