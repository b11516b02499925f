"""The embedded SQLite history: readings, windows, alerts and commands, each under a deterministic id."""
