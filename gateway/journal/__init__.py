"""The durable, ordered record of every message taken in: the only door into the flows."""
