"""Spans of time in ns, as all times inside are."""

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
