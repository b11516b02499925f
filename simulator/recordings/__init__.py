"""Recordings: what devices said once, in a CSV file, JSON Lines or a journal, said again or followed by a signal."""
