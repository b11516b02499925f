"""A value as something that can be a key in a snapshot, and that tells a text from a number that looks like it."""

from __future__ import annotations

from flows.aggregates.accumulator import Result

Key = float | str


def to_key(value: float | str) -> Key:
    """Make the key: numbers are decimals, as everywhere in expressions, and no zero is negative.

    >>> to_key(21), to_key("21"), to_key(True), to_key(-0.0)
    (21.0, '"21', 'true', 0.0)
    """
    if isinstance(value, str):
        return f'"{value}'
    if isinstance(value, bool):
        return "true" if value else "false"
    return float(value) + 0.0


def from_key(key: Key) -> Result:
    """Give the value back.

    >>> from_key(to_key("21")), from_key(to_key(True)), from_key(to_key(21))
    ('21', True, 21.0)
    """
    if isinstance(key, float):
        return key
    return key[1:] if key[0] == '"' else key == "true"
