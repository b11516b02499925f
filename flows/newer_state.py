"""The state of flows that a newer Sluice has kept: sound, and not ours to read."""

from __future__ import annotations

from gateway.disk import causes


class NewerStateError(ValueError):
    """The text says which version was found, and which is read."""


def newer_state(error: BaseException) -> NewerStateError | None:
    """Give what of an error, and all that led to it, says so; None where nothing does."""
    return next((one for one in causes(error) if isinstance(one, NewerStateError)), None)
