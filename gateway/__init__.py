"""The edge: link to the broker, journal, store, delivery, and the command line that starts them."""

import gateway.lean  # noqa: F401
