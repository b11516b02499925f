"""The subject of an examination: a data folder with its config, and what runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import Any, Self

from gateway.config import LastGood
from gateway.findings import ConfigError
from gateway.settings import Settings, load
from gateway.status import gateway_state, read_up


@dataclass(frozen=True)
class Subject:
    """What every check is given.

    `findings` is what is wrong with the config folder, `settings` those that run, or would; `up` says what runs (None: nothing), `gateway`
    how the gateway process stands. `now` is epoch ns; `full`: read every file to its end, however long that takes.
    """

    data: Path
    config: Path
    findings: Sequence[str]
    settings: Settings
    up: dict[str, Any] | None
    gateway: dict[str, Any]
    now: int
    full: bool = False

    @classmethod
    def of(cls, data: Path, config: Path, *, findings: Sequence[str] = (), full: bool = False) -> Self:
        """Look at what runs, and with which settings; never raises for what it finds."""
        up = read_up(data)
        settings = _settings(data, config, running=up is not None)
        return cls(data, config, findings, settings, up, gateway_state(data, up), time_ns(), full)

    @property
    def running(self) -> bool:
        """Whether a `sluice up` holds the folder."""
        return self.up is not None

    @property
    def connected(self) -> bool:
        """Whether the link is up."""
        return self.gateway.get("link") == "connected"

    @property
    def journal(self) -> Path:
        """The folder of the journal's segments."""
        return self.data / "journal" / "0"


def _settings(data: Path, config: Path, *, running: bool) -> Settings:
    """Read the settings that run, else those that would; the defaults where neither can be read."""
    good = LastGood(data).path
    for folder in (good, config) if running else (config, good):
        with suppress(ConfigError):
            return load(folder, root=config)
    return Settings()
