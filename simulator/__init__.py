"""A fleet: simulated devices that speak real dialects over a real broker."""

import gateway.lean  # noqa: F401
