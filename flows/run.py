"""The flows process: `python -m flows.run`. Reads the journal, runs every flow in one Bytewax dataflow, writes the store."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from flows.graph import build
from flows.journal_source import JournalSource
from flows.loaded import Loaded
from flows.normaliser import Normaliser
from flows.shard import Shard
from flows.store_sink import StoreSink
from flows.watch import Watch
from gateway import logs
from gateway.config import LastGood
from gateway.findings import ConfigError
from gateway.journal.bell import Bell
from gateway.settings import load as load_settings
from gateway.store.retention import Retention
from gateway.store.store import Store

log = structlog.get_logger()

_SWITCH = 0.0005
"""Seconds that the watch, which reads a changed config beside the flows, may keep them waiting at a time."""


def run(config: Path, data: Path) -> None:
    """Run the flows until SIGTERM or SIGINT; then snapshot at the last row and return. What is changed in the config meanwhile is taken.

    Raises:
        ConfigError: the config has findings, and there is no good one from before.

    """
    stopping, switching = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    watch = Watch(config, data, switching=switching)
    watch.start()
    settings = load_settings(LastGood(data).path, root=config)
    journal, recovery = data / "journal" / "0", data / "recovery"
    if not recovery.exists():
        recovery.mkdir(parents=True)
        init_db_dir(recovery, 1)
    retained = [(s.topic, s.retained) for s in settings.broker.subscribe]
    bell, store_bell = Bell(journal / "bell"), Bell(data / "store.bell")
    destinations = ["mqtt", *(["influxdb"] if settings.influxdb else [])]

    def graph(loaded: Loaded) -> Dataflow:
        def normaliser(snapshot: bytes | None) -> Normaliser:
            flows, profiles, limit = loaded.flows, loaded.profiles, settings.limits.series
            return Normaliser(flows, profiles, retained=retained, series_limit=limit, snapshot=snapshot)

        store = Store(data / "store.db", raw=settings.history.raw)
        return build(
            JournalSource(journal, bell, normaliser, stopping=stopping, switching=switching),
            partial(Shard, loaded.flows),
            StoreSink(store, store_bell, Retention(settings.history.keep, data / "delivery", destinations)),
        )

    every, kept = timedelta(microseconds=settings.flows.snapshot / 1000), RecoveryConfig(recovery)
    while True:
        run_main(graph(watch.take()), epoch_interval=every, recovery_config=kept)
        if stopping.is_set() and not switching.is_set():  # with both, it may have ended before it had caught up
            break
    log.info("flows stopped")


def main() -> int:
    """Run the flows process; a finding or a journal that no longer holds what is needed ends it with a sentence."""
    logs.configure()
    sys.setswitchinterval(_SWITCH)
    parser = argparse.ArgumentParser(prog="python -m flows.run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    try:
        run(options.config, options.data)
    except (ConfigError, LookupError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
