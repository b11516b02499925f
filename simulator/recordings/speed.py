"""How fast a recording is replayed, as it is typed."""

from __future__ import annotations


def parse_speed(written: str) -> float | None:
    """Read how many times faster than recorded, None for `max`; ValueError for anything else.

    >>> parse_speed("max"), parse_speed("60")
    (None, 60.0)
    """
    if written == "max":
        return None
    try:
        speed = float(written)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ValueError(f"speed: must be a number greater than 0, or max; got {written}")
    return speed
