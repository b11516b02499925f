"""What fails in a worker, as it failed: where there are several, Bytewax tells only that something did."""

from __future__ import annotations

from types import TracebackType


class Witness:
    """Remembers the first error that leaves a `with` block of it; the end of the input is none."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and self.error is None and not isinstance(error, StopIteration):
            self.error = error
