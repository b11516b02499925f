"""The watch over the config folder: what is changed there takes effect while the flows run, if it is sound."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from time import sleep, time_ns
from typing import Any

import structlog

from flows.check import check
from flows.loaded import Changes, Loaded
from gateway.config import CONFIG_STATE, Contents, Folder, LastGood, digest
from gateway.findings import ConfigError, Finding
from gateway.profile_check import check as check_profiles
from gateway.state_file import read_state, write_state

log = structlog.get_logger()

TAKEN, MENDED = "config in effect", "config is sound again"
"""What the log says where a change took effect, and where one mended what was wrong and changed nothing else."""
_LOOK, _SETTLED = 0.5, 0.2
"""Seconds between looks at the folder, and for which it must stay the same before it is read: an editor may be half-way."""


class Watch:
    """Reads the config, at first and whenever it has changed, and hands it over to whoever runs it.

    A sound config that changes something is handed over: `switching` is set, and the watch rests until `take` is called. One with findings
    changes nothing: what runs goes on, and the findings are told. Both are in the state file (`CONFIG_STATE`) and in the log, once.
    """

    def __init__(self, config: Path, data: Path, *, switching: threading.Event) -> None:
        self._config = config
        self._folder = Folder(config)
        self._good = LastGood(data)
        self._state_file = data / CONFIG_STATE
        before = read_state(self._state_file)
        self._state: dict[str, Any] = {"version": before.get("version", 0)}
        self._ran = before.get("read"), before.get("flows")
        self._switching = switching
        self._taken = threading.Event()
        self._read: Contents = {}
        self._runs = Loaded((), ())
        self._next: tuple[Loaded, Changes] | None = None

    def start(self) -> None:
        """Read the config; where it has findings, what ran last. From then on look after it, in a thread.

        Raises:
            ConfigError: it has findings, and nothing ran before.

        """
        self._read = self._folder.contents(afresh=True)
        loaded, findings = self._load()
        if loaded is None:
            loaded = self._last_good(findings)
        elif self._good.path.exists():
            self._good.take(self._config, self._read)
        else:
            self._good.start(self._config)
        self._tell(findings)
        self._next = loaded, Changes()
        threading.Thread(target=self._follow, name="watch", daemon=True).start()

    def take(self) -> Loaded:
        """Give what is to run from now on; the state says so before it runs, so that who reads of it can rely on it."""
        self._switching.clear()
        if self._next is not None:
            self._runs, changes = self._next
            self._next = None
            flows = [{"name": flow.name, "file": flow.file, "fingerprint": flow.fingerprint} for flow in self._runs.flows]
            again, self._ran = self._ran == (self._state["read"], flows), (None, None)  # by a process that was started again
            version = self._state["version"] + (not again)
            self._state |= {"loaded": time_ns(), "version": version, "flows": flows, "changes": changes.document()}
            self._save()
            if changes:
                log.info(TAKEN, version=self._state["version"], **changes.words())
            else:
                log.info("flows run", flows=[flow.name for flow in self._runs.flows])
            self._taken.set()
        return self._runs

    def _save(self) -> None:
        """Keep the state file; on a full disk it says later what it would say now."""
        with suppress(OSError):
            write_state(self._state_file, self._state)

    def _load(self) -> tuple[Loaded | None, list[Finding]]:
        """Read the folder, or give every finding."""
        findings = check(self._config, others=[check_profiles])
        try:
            return (None if findings else Loaded.of(self._config)), findings
        except ConfigError as error:  # it changed since
            return None, list(error.findings)

    def _last_good(self, findings: list[Finding]) -> Loaded:
        try:
            return Loaded.of(self._good.path)
        except ConfigError:
            raise ConfigError(findings) from None

    def _follow(self) -> None:
        """Look for changes for as long as the process lives, once the first config runs."""
        self._taken.wait()
        while True:
            sleep(_LOOK)
            contents = self._folder.contents()
            if contents == self._read:
                continue
            before: Contents = {}
            while contents != before:
                before = contents
                sleep(_SETTLED)
                contents = self._folder.contents(afresh=True)
            self._reload(contents)

    def _reload(self, contents: Contents) -> None:
        try:
            loaded, findings = self._load()
        except Exception as error:  # the flows must not go on unwatched, whatever a file holds
            log.exception("config cannot be read")
            loaded, findings = None, [Finding(self._config.as_posix(), 1, 1, f"cannot be read: {error!r}")]
        changes = Changes.between(self._runs, loaded) if loaded else Changes()
        if changes and not self._good.take(self._config, contents):
            return  # it has changed again: the next look finds that
        self._read = contents
        mended = self._tell(findings)
        if loaded and changes:
            self._next = loaded, changes
            self._taken.clear()
            self._switching.set()
            self._taken.wait()
        else:
            self._save()
            if mended:
                log.info(MENDED)

    def _tell(self, findings: list[Finding]) -> bool:
        """Note what is wrong with the folder and what in it waits for the next start; say so once in the log.

        Tells whether all is well now that was not before.
        """
        told = self._state.get("findings", [])
        waited = self._state.get("pending", [])
        documents, pending = [finding.document() for finding in findings], self._good.waiting(self._read)
        self._state |= {"findings": documents, "pending": pending, "read": digest(self._read)}
        for finding, document in zip(findings, documents, strict=True):
            if document not in told:
                log.warning("config not taken, what ran before runs on", finding=str(finding))
        for name in pending:
            if name not in waited:
                log.warning("config takes effect at the next start", file=name)
        return bool(told) and not findings
