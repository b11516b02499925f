"""The parts of docs/flows.md that are made of the code: `python -m flows.guide docs/flows.md` writes them anew, between their marks."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from flows.aggregates import AGGREGATES
from flows.detectors import DETECTORS, Detector
from gateway.findings import guide

_PERCENTILE: Final = re.compile(r"p\d\d")
_SHOWN_PERCENTILE: Final = "p95"
"""It stands for all of them."""


def renewed(page: str) -> str:
    """Return the page with its made parts as they are now."""
    return guide.renewed(page, PARTS)


def _aggregates() -> Iterator[str]:
    yield "| call | gives |"
    yield "|---|---|"
    for name, aggregate in AGGREGATES.items():
        if not _PERCENTILE.fullmatch(name):
            yield f"| {_code(aggregate.usage)} | {aggregate.about} |"
    shown = AGGREGATES[_SHOWN_PERCENTILE]
    percentiles = [name for name in AGGREGATES if _PERCENTILE.fullmatch(name)]
    yield f"| {_code(shown.usage)}, any of `{percentiles[0]}` to `{percentiles[-1]}` | {shown.about} |"


def _detectors() -> Iterator[str]:
    yield "| `by` | key | default | meaning |"
    yield "|---|---|---|---|"
    for name, detector in DETECTORS.items():
        yield from _parameters(name, detector)


def _parameters(name: str, detector: type[Detector]) -> Iterator[str]:
    for key, field in detector.model_fields.items():
        if key != "by":
            default = "–" if field.is_required() else f"{field.default:g}"
            yield f"| `{name}` | `{key}` | {default} | {field.description} |"


def _code(text: str) -> str:
    """Return each call in a text as code.

    >>> _code("f(x) or f(x, 10s)")
    '`f(x)` or `f(x, 10s)`'
    """
    return " or ".join(f"`{call}`" for call in text.split(" or "))


PARTS: Final[Mapping[str, Callable[[], Iterator[str]]]] = {"aggregates": _aggregates, "detectors": _detectors}
"""What makes each part of the page, by its mark."""

if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
