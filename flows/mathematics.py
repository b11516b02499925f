"""The functions of expressions beyond CEL's own. None of them raises: without a result they give null, which cannot be told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def _numeric(function: Callable[..., float]) -> Callable[..., float | None]:
    """Let a function take what is a number, and give None where it has no finite result (the CEL library would print an exception)."""

    def call(*values: Any) -> float | None:
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
            return None
        try:
            result = float(function(*values))
        except (ArithmeticError, ValueError, TypeError):
            return None
        return result if math.isfinite(result) else None

    return call


def _rounded(value: float, digits: float = 0.0) -> float:
    return round(value, int(digits))


MATH: dict[str, Callable[..., float | None]] = {
    "abs": _numeric(abs),
    "ceil": _numeric(math.ceil),
    "exp": _numeric(math.exp),
    "floor": _numeric(math.floor),
    "greatest": _numeric(lambda *values: max(values)),
    "least": _numeric(lambda *values: min(values)),
    "ln": _numeric(math.log),
    "log10": _numeric(math.log10),
    "pow": _numeric(math.pow),
    "round": _numeric(_rounded),
    "sqrt": _numeric(math.sqrt),
}
"""By name.

>>> MATH["sqrt"](2.25), MATH["sqrt"](-1.0), MATH["greatest"](1.0, 3.0), MATH["round"](2.345, 1.0)
(1.5, None, 3.0, 2.3)
"""
