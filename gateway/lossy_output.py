"""An output that loses what it cannot write, so that a full disk or a closed pipe under a log ends nothing."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TextIO


class LossyOutput(io.TextIOBase):
    """Hands a text on to another output; what that refuses is lost, and whoever wrote it goes on."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a text stream's own is no property
        return self._out.encoding

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._out.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._out.flush()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()
