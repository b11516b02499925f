"""Amounts as a person reads them: bytes and times, rounded."""

from __future__ import annotations

_SIZES = ((2**40, "TB"), (2**30, "GB"), (2**20, "MB"), (2**10, "KB"))
_TIMES = ((86_400, "days"), (3_600, "h"), (60, "min"))


def size(count: float) -> str:
    """Give bytes, rounded.

    >>> size(900), size(1536), size(5 * 2**30)
    ('900 bytes', '1.5 KB', '5 GB')
    """
    return next((f"{count / unit:.3g} {name}" for unit, name in _SIZES if count >= unit), f"{count:,.0f} bytes")


def time(seconds: float) -> str:
    """Give a length of time, rounded.

    >>> time(0.25), time(8.2), time(5400), time(90_000)
    ('0.25 s', '8.2 s', '90 min', '25 h')
    """
    return next(
        (f"{seconds / unit:.3g} {name}" for unit, name in _TIMES if seconds >= 2 * unit or unit == 60 <= seconds), f"{seconds:.2g} s"
    )
