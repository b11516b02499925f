"""Windows: which readings belong together, by event time, with watermark, lateness and corrections."""

from flows.windows.count import CountWindows
from flows.windows.grid import Grid
from flows.windows.session import SessionWindows
from flows.windows.state import StateWindows
from flows.windows.timed import TimedWindows
from flows.windows.watermark import BASE, BASE_CLOCK, CLOSED
from flows.windows.window import CORRECTED, LATE, WINDOWED, Closed, Place, Windows

__all__ = [
    "BASE",
    "BASE_CLOCK",
    "CLOSED",
    "CORRECTED",
    "LATE",
    "WINDOWED",
    "Closed",
    "CountWindows",
    "Grid",
    "Place",
    "SessionWindows",
    "StateWindows",
    "TimedWindows",
    "Windows",
]
