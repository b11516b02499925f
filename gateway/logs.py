"""Logs: one line a fact, on stderr, never on stdout."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, warnings_only: bool = False) -> None:
    """Send logs to stderr, for people on a terminal and as JSON Lines otherwise."""
    tty = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not tty),
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer() if tty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if warnings_only else logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever stderr is by then
    )
