"""The accumulator: the small mergeable state behind aggregates, and which values it can take.

States are lists of builtins, so that a snapshot needs no class to be read. They are O(1) in memory but where an accumulator says otherwise,
and do not hang on the order in which readings come; of readings at the very same time the one that came later counts as the later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

State = list[Any]
Result = float | str | bool | None

Add = Callable[[State, Any, int], None]
"""Takes the state, a value, and its event time (ns). Works in place."""


@dataclass(frozen=True)
class Accumulator:
    """How to make a state, add a reading to it, and add a second state to it, which stays as it is.

    `text`: takes text too. `add_second` takes the readings of a second metric, where the accumulator is of two.
    """

    new: Callable[[], State]
    add: Add
    merge: Callable[[State, State], None]
    text: bool = False
    add_second: Add | None = None


def is_number(value: object) -> bool:
    """Tell whether a value can be computed with: a finite number, or a truth value, which is 0 or 1.

    >>> is_number(21.5), is_number(True), is_number("ON"), is_number(float("nan")), is_number(None)
    (True, True, False, False, False)
    """
    return isinstance(value, int) or (isinstance(value, float) and isfinite(value))
