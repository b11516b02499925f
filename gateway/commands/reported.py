"""What the dispatcher asks the store: where a device listens, what it last said, and what the flows want."""

from __future__ import annotations

from typing import Protocol

from devices.interlocks import SWITCHES
from devices.reading import Address, Value
from gateway.store.effects import CommandRequested
from gateway.store.reader import StoreReader

_AT_ONCE = 1000
"""Commands taken over at once."""


class Devices(Protocol):
    """What the store knows of devices."""

    def address(self, device: str) -> Address | None: ...
    def reported(self, device: str, metric: str, channel: str) -> tuple[Value, int] | None: ...
    def switch_values(self, device: str) -> list[tuple[str, Value]]: ...


class Reported:
    """The store as the dispatcher sees it."""

    def __init__(self, reader: StoreReader) -> None:
        self._reader = reader

    def address(self, device: str) -> Address | None:
        """Give where a device takes commands; None where it has not been seen, or takes none."""
        return self._reader.address(device)

    def reported(self, device: str, metric: str, channel: str) -> tuple[Value, int] | None:
        """Give the newest value that a device reported live, and the id of that reading."""
        return self._reader.reported(device, metric, channel)

    def switch_values(self, device: str) -> list[tuple[str, Value]]:
        """Give the last known value of each of a device's series that may say that it is on, with its metric."""
        return [(metric, value) for metric, value in self._reader.last_values(device) if metric in SWITCHES]

    def requests_after(self, seq: int) -> tuple[list[CommandRequested], int]:
        """Give what flows ask for behind a place in the store's effects, and the place looked at."""
        return self._reader.requests_after(seq, _AT_ONCE)

    def read_to(self) -> int:
        """Tell up to which row of the journal the flows have read."""
        progress = self._reader.progress()
        return progress.offset if progress else 0
