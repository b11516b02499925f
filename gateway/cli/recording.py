"""What a backtest reads: a stretch of a journal, or a file of readings; and the flows that it is read for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from time import time_ns
from typing import Protocol, TypeVar

from rich.progress import Progress

from devices.catalogue import Catalogue
from devices.reading import Reading
from flows.backtest import play, replay
from flows.flow import Flow
from flows.normaliser import Normaliser
from flows.readings_file import InputError, ReadingsFile
from flows.spec import read_flow, read_flows
from gateway.backtest import Sums
from gateway.command_line import WRONG, err, fail, read_profiles, stop_at_findings
from gateway.findings import ConfigError
from gateway.history import moment
from gateway.journal.stretch import Stretch, partition_at
from gateway.settings import Settings
from gateway.settings import load as load_settings
from gateway.store.effects import Effect
from gateway.store.outcomes import Published

_ITEMS_BETWEEN_LOOKS = 512
LAST = 1 << 63
"""Beyond every time, in epoch ns."""
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Measured(Protocol[T_co]):
    """Something to iterate over that knows how much of it is done, from 0 to 1."""

    done: float

    def __iter__(self) -> Iterator[T_co]: ...


class Recording:
    """Something that was recorded, with the config (a folder that need not be there) by which it is read. Whatever is wrong ends the command."""

    def __init__(
        self,
        config: Path,
        *,
        journal: Path | None,
        file: Path | None,
        since: str | None,
        until: str | None,
        device: str | None,
        metric: str | None,
    ) -> None:
        self.sums: dict[str, int] = {}
        self._read = 0
        self._config, self._file, self._device, self._metric = config, file, device, metric
        try:
            self._settings = load_settings(config) if config.exists() else Settings()
            self._partition = None if journal is None else partition_at(journal)
            now = time_ns()
            self._since, self._until = (None if text is None else moment(text, now=now) for text in (since, until))
        except ConfigError as error:
            stop_at_findings(error)
        except (OSError, ValueError) as error:
            fail(str(error), WRONG)
        self._profiles = read_profiles(config) if config.exists() else []

    @property
    def site(self) -> str:
        """The site of the events."""
        return self._settings.site

    def flow(self, name: str) -> Flow:
        """Read a flow by its file, or by its name in the config."""
        path = Path(name)
        if path.suffix == ".yaml":
            root = self._config if path.absolute().is_relative_to(self._config.absolute()) else path.parent
            if not path.is_file():
                fail(f"{path}: there is no such flow file", WRONG)
            flow, findings = read_flow(path, root=root)
        else:
            flows, findings = read_flows(self._config)
            flow = next((one for one in flows if one.name == name), None)
            if flow is None and not findings:
                known = ", ".join(one.name for one in flows) or "none"
                fail(f"{self._config}: there is no flow {name!r}; there are: {known}", WRONG)
        if flow is None:
            stop_at_findings(ConfigError(findings))
        return flow

    def over(self, flow: Flow) -> Iterator[Published]:
        """Give what a flow makes of the recording; afterwards `sums` has what that came to."""
        sums, file = Sums(flow.name), self._readings(flow)
        try:
            yield from sums.of(self._replayed(flow) if file is None else self._played(flow, file))
        except (InputError, LookupError) as error:
            fail(str(error), WRONG)
        except OSError as error:
            fail(f"{error.filename}: {error.strerror}", WRONG)
        self.sums = sums.document(readings=None if file is None else self._read)
        if file is not None and file.unread:
            err.print(
                f"{self._file}: {file.unread:,} messages gave no reading; `sluice decode --jsonl` says why", markup=False, soft_wrap=True
            )

    def _readings(self, flow: Flow) -> ReadingsFile | None:
        if self._file is None:
            return None
        metric = self._metric or flow.spec.select.metrics[0]
        return ReadingsFile(self._file, Catalogue(self._profiles), device=self._device, metric=metric)

    def _played(self, flow: Flow, file: ReadingsFile) -> Iterator[Effect]:
        return play([flow], self._within(_watched(file)), until=self._until)

    def _within(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """Give the readings between `since` and `until`, and count them."""
        since, until = self._since or 0, self._until or LAST
        self._read = 0
        for one in readings:
            if since <= one.received < until:
                self._read += 1
                yield one

    def _replayed(self, flow: Flow) -> Iterator[Effect]:
        assert self._partition is not None
        retained = [(s.topic, s.retained) for s in self._settings.broker.subscribe]
        normaliser = Normaliser([flow], self._profiles, retained=retained, series_limit=self._settings.limits.series)
        return replay([flow], normaliser, _watched(Stretch(self._partition, since=self._since, until=self._until)))


def _watched(recording: Measured[T]) -> Iterable[T]:
    """Show on a terminal how far it is."""
    if not err.is_terminal:
        yield from recording
        return
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("backtest", total=1.0)
        for number, one in enumerate(recording):
            if not number % _ITEMS_BETWEEN_LOOKS:
                progress.update(task, completed=recording.done)
            yield one
