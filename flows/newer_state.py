"""The state of flows that a newer Sluice has kept: sound, and not ours to read."""

from __future__ import annotations


class NewerStateError(ValueError):
    """The text says which version was found, and which is read."""
