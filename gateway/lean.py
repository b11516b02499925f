"""A library without what it only takes along: no process holds what it does not use."""

from __future__ import annotations

import sys

if "structlog" not in sys.modules and "rich" not in sys.modules:
    # For tracebacks in colour it takes rich along, where that is installed: 8 MB, and 0.1 s of each start.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
