"""A recording of any kind, by its path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from simulator.recordings.csv_file import CsvRecording
from simulator.recordings.journal import JournalRecording
from simulator.recordings.json_lines import JsonLinesRecording
from simulator.recordings.row import RecordingError, Row, Unsaid

_JSON_LINES: Final = (".jsonl", ".ndjson", ".json")


class Recording(Protocol):
    """Rows that can be read again and again, never all of them in memory. `unread` counts what gave none when it was last read."""

    unread: int

    def rows(self) -> Iterator[Row]:
        """Read it from its beginning; RecordingError where it cannot be read, OSError where it is not there."""


def open_recording(path: Path, *, device: str | None = None, metric: str | None = None, unit: str | None = None) -> Recording:
    """Open a folder as a journal, a file as JSON Lines by its suffix (`.jsonl`, `.ndjson`, `.json`) or else as CSV.

    `device` (default: the file's stem), `metric` and `unit` are for rows that name none; a journal has no such rows, and RecordingError says so.
    """
    if path.is_dir():
        given = {"--device": device, "--metric": metric, "--unit": unit}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise RecordingError(f"{path}: a journal names its devices, metrics and units itself; got {', '.join(wrong)}")
        return JournalRecording(path)
    unsaid = Unsaid(device or path.stem, metric, unit)
    return JsonLinesRecording(path, unsaid) if path.suffix.lower() in _JSON_LINES else CsvRecording(path, unsaid)
