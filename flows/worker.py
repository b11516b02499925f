"""A worker beside the one that reads the journal, which starts it: `python -m flows.worker`. Runs some of the shards; number 0 also has the store."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import sleep

import structlog
from bytewax.recovery import RecoveryConfig
from bytewax.testing import cluster_main

from flows.beginning import from_snapshot
from flows.exchange.elsewhere import SinkElsewhere, SourceElsewhere
from flows.exchange.shard_logic import OpeningLogic
from flows.exchange.sink import OpeningSink
from flows.exchange.witness import Witness
from flows.graph import build
from flows.loaded import Loaded
from flows.newer_state import newer_state
from flows.pace import Pace
from flows.shard import Shard
from flows.store_sink import ROOM_EVERY, StoreSink, Upkeep, open_store
from flows.workers import ENDED, FULL, LOADED, RUN, misses_another, wait_for
from gateway import logs
from gateway.config import LastGood
from gateway.damage import is_damage, mark, named
from gateway.disk import is_full
from gateway.exit_status import ALONE, CONFIG_ERROR, DAMAGED
from gateway.garbage import Garbage
from gateway.heartbeat import FLOWS, Heartbeat
from gateway.journal.bell import Bell
from gateway.settings import load as load_settings
from gateway.store.store import Store
from gateway.with_parent import end_with_parent

log = structlog.get_logger()

_TIDY = 1.0
"""Seconds between two looks whether it is time to pass over what there is."""


class Worker:
    """One worker of a data folder's dataflow, from one run to the next."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._number = options.number
        self._data: Path = options.data
        self._good = LastGood(self._data).path
        self._settings = load_settings(self._good, root=options.config)
        self._pace = Pace.shared(options.pace)
        self._heartbeat = Heartbeat(self._data / FLOWS)
        self._bell = Bell(self._data / "store.bell")
        self._loaded = Loaded((), ())
        self._store: Store | None = None
        self.witness = Witness()

    def obey(self) -> None:
        """Do what the one that started this one says, until it says nothing more."""
        for line in sys.stdin:
            word, *addresses = line.split()
            if word == RUN:
                self._run(addresses)
                sys.stdout.write(f"{ENDED}\n")
            else:
                self._loaded = Loaded.of(self._good)
                sys.stdout.write(f"{LOADED}\n")
            sys.stdout.flush()

    def _run(self, addresses: list[str]) -> None:
        recovery = self._data / "recovery"
        store = StoreSink(self._open_store, self._bell, Upkeep.of(self._data, self._settings, self._wait), self._pace)
        shard, sink = from_snapshot(partial(Shard, self._loaded.flows)), store if self._number == 0 else SinkElsewhere()
        graph = build(SourceElsewhere(), OpeningLogic.of(shard, self.witness), OpeningSink(sink, self.witness))
        wait_for(addresses[: self._number])
        every = timedelta(microseconds=self._settings.flows.snapshot / 1000)
        try:
            cluster_main(graph, addresses, self._number, epoch_interval=every, recovery_config=RecoveryConfig(recovery))
        finally:
            if self._store:
                self._store.abandon()

    def _open_store(self) -> Store:
        self._store = open_store(self._data, self._settings, self._heartbeat.beat)
        return self._store

    def _wait(self) -> bool:
        """Wait a moment; tell whether to go on."""
        self._heartbeat.beat()
        sleep(ROOM_EVERY)
        return not self._pace.stopping


def main() -> int:
    """Run a worker; what ends it is in its exit status, with a sentence."""
    logs.configure()
    end_with_parent(signal.SIGKILL)
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)  # who started us is told, and tells us
    parser = argparse.ArgumentParser(prog="python -m flows.worker", description=__doc__)
    for folder in ("--config", "--data"):
        parser.add_argument(folder, type=Path, required=True)
    for number in ("--number", "--pace"):
        parser.add_argument(number, type=int, required=True)
    options = parser.parse_args()
    worker: Worker | None = None
    threading.Thread(target=_tidy, name="garbage", daemon=True).start()
    try:
        worker = Worker(options)
        worker.obey()
    except BaseException as error:  # noqa: BLE001  Bytewax's panics are no Exceptions
        return _status((worker and worker.witness.error) or error, options.data)
    return 0


def _tidy() -> None:
    """Keep Python's search for cycles short."""
    garbage = Garbage()
    while True:
        garbage.step()
        sleep(_TIDY)


def _status(error: BaseException, data: Path) -> int:
    if newer := newer_state(error):
        sys.stderr.write(f"{newer}\n")
        return CONFIG_ERROR
    if is_damage(error):
        mark(data, named(error))
        return DAMAGED
    if is_full(error):
        log.warning("a worker ends: the disk takes nothing more", error=str(error))
        return FULL
    if misses_another(error):
        return ALONE
    raise error


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # Bytewax's threads, whose neighbours are gone, would hold it up
