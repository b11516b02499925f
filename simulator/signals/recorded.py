"""A signal that follows a recording: what was measured once, held from each row to the next."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from gateway.findings import Checked, Problem, hint
from simulator.recordings.pace import Pace
from simulator.recordings.recording import open_recording
from simulator.recordings.row import RecordingError
from simulator.signals.part import Moment


def _path(value: Any, info: ValidationInfo) -> Path:
    """Find a recording by a path that starts from the scenario file's folder, and hold that it is there."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("must be the path of a recording")
    path: Path = (info.context or {}).get("folder", Path()) / value
    if not path.exists():
        raise ValueError("must be a file that can be read: no such file or directory")
    return path


class RecordedSpec(Checked):
    """A part that follows a recording, from its first row on. One of true and false makes an on/off signal."""

    file: Annotated[Path, BeforeValidator(_path), WithJsonSchema({"type": "string", "minLength": 1})] = Field(
        description="A CSV or JSON Lines file, or the folder of a journal. The path starts from the scenario file's folder."
    )
    column: str = Field(default="value", description="The metric in it that is followed; metric/channel where there are several.")
    device: str | None = Field(default=None, description="Whose, in a recording of several devices.")
    loop: bool = Field(default=True, description="After the last row: true begins again, false holds its value.")

    def recorded(self) -> Recorded:
        """Read it, once for all devices of a fleet; RecordingError and OSError where it can no longer be read."""
        return _read(self.file, self.file.stat().st_mtime_ns, column=self.column, device=self.device).curve(loop=self.loop)

    def rules(self) -> Iterator[Problem]:
        try:
            found = _read(self.file, self.file.stat().st_mtime_ns, column=self.column, device=self.device)
        except OSError as error:
            yield Problem(("file",), f"file must be a file that can be read: {str(error.strerror).lower()}")
            return
        except RecordingError as error:
            yield Problem(("file",), f"file must be a recording: {error}")
            return
        if self.device is not None and self.device not in found.devices:
            yield Problem(("device",), f"the recording has no such device{hint(self.device, found.devices)}")
        elif not found.values:
            yield Problem(("column",), f"the recording has no such column{hint(self.column, found.columns)}")
        elif self.device is None and len(found.owners) > 1:
            yield Problem(
                ("device",), f"device must be one of {', '.join(sorted(found.owners)[:_NAMED])}: each has this column", show=False
            )
        elif not found.alike:
            yield Problem(("column",), "column must hold numbers alone, or true and false alone")


_NAMED = 5
"""How many devices a finding names at most."""


class Recorded:
    """A column of a recording as a signal; times count from its first row.

    >>> curve = Recorded(array("q", (0, 10, 30)), [1.5, 2.5, 2.0], loop=True)
    >>> [curve.value(at) for at in (0, 9, 10, 31, 49, 50)]
    [1.5, 1.5, 2.5, 2.0, 2.0, 1.5]
    """

    def __init__(self, times: array[int], values: list[float | bool], *, loop: bool, digits: int = 9) -> None:
        """Take rising `times` in ns. The last row holds for as long as the one before it did. `digits` are those after the point."""
        self.digits = digits
        self._times, self._values, self._loop = times, values, loop
        self._period = 2 * times[-1] - times[-2] if len(times) > 1 and times[-1] else 1

    @property
    def on_off(self) -> bool:
        return isinstance(self._values[0], bool)

    def value(self, elapsed: int) -> float | bool:
        """Give the value of the row at `elapsed` ns, or of the last one before."""
        at = elapsed % self._period if self._loop else elapsed
        return self._values[max(0, bisect_right(self._times, at) - 1)]

    def at(self, moment: Moment) -> float:
        """Give what it adds at a moment."""
        return self.value(moment.elapsed)


class _Column(NamedTuple):
    """What was found in a recording: a column's values and their times, whose they are, and what else there is."""

    times: array[int]
    values: list[float | bool]
    digits: int
    alike: bool
    owners: frozenset[str]
    devices: frozenset[str]
    columns: frozenset[str]

    def curve(self, *, loop: bool) -> Recorded:
        return Recorded(self.times, self.values, loop=loop, digits=self.digits)


@lru_cache(maxsize=64)
def _read(path: Path, _changed: int, *, column: str, device: str | None) -> _Column:
    """Read a column; `_changed` is when the file was, so that one that changes is read again."""
    pace, times, values = Pace(), array("q"), list[float | bool]()
    kinds, owners, devices, columns = set[type](), set[str](), set[str](), set[str]()
    for row in open_recording(path).rows():
        devices.add(row.device)
        if device is not None and row.device != device:
            continue
        columns.update(one.column for one in row.measures)
        value = next((one.value for one in row.measures if one.column == column), None)
        if value is not None:
            owners.add(row.device)
            kinds.add(type(value) if isinstance(value, bool | str) else float)
            times.append(pace.due(row))
            values.append(float("nan") if isinstance(value, str) else value)
    return _Column(
        times=times,
        values=values,
        digits=max(map(_digits, values), default=0),
        alike=len(kinds) == 1 and str not in kinds,
        owners=frozenset(owners),
        devices=frozenset(devices),
        columns=frozenset(columns),
    )


def _digits(value: float) -> int:
    """Tell how many digits after the point a value is written with, up to 9."""
    if not isinstance(value, float):
        return 0
    head, _, fraction = repr(value).partition(".")
    return 9 if "e-" in head + fraction else min(len(fraction.rstrip("0")), 9)
