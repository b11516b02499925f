"""What a fault test is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.rig.rig import Rig


class SkipError(Exception):
    """A fault that cannot be made to happen here; says why."""


Break = Callable[["Rig"], None]


@dataclass(frozen=True)
class Fault:
    """One fault: its number, what happens, how the time is scaled down from the written one, and what makes it happen."""

    number: str
    about: str
    scaled: str
    run: Break


_FAULTS: dict[str, Fault] = {}


def fault(number: str, about: str, *, scaled: str = "") -> Callable[[Break], Break]:
    """Enter a function into the list."""

    def enter(run: Break) -> Break:
        if number in _FAULTS:
            raise ValueError(f"{number} is there twice")
        _FAULTS[number] = Fault(number, about, scaled, run)
        return run

    return enter


def faults() -> dict[str, Fault]:
    """Give all faults by number, in order."""
    cases = import_module("faults.cases")
    for module in iter_modules(cases.__path__):
        import_module(f"faults.cases.{module.name}")
    return dict(sorted(_FAULTS.items()))
