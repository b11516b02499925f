"""The flows process: `python -m flows.run`. Reads the journal, runs every flow in one Bytewax dataflow, writes the store."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

import structlog
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from devices.profile import Profile
from flows.graph import build
from flows.journal_source import JournalSource
from flows.normaliser import Normaliser
from flows.shard import Shard
from flows.spec import load_flows
from flows.store_sink import StoreSink
from gateway import logs
from gateway.findings import ConfigError, load_folder
from gateway.journal.bell import Bell
from gateway.settings import load as load_settings
from gateway.store.retention import Retention
from gateway.store.store import Store

log = structlog.get_logger()


def run(config: Path, data: Path) -> None:
    """Run the flows until SIGTERM or SIGINT; then snapshot at the last row and return.

    Raises:
        ConfigError: the config has findings.

    """
    settings, flows, profiles = load_settings(config), load_flows(config), load_folder(config / "devices", Profile, root=config)
    journal, recovery = data / "journal" / "0", data / "recovery"
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if not recovery.exists():
        recovery.mkdir(parents=True)
        init_db_dir(recovery, 1)
    retained = [(s.topic, s.retained) for s in settings.broker.subscribe]

    def normaliser(snapshot: bytes | None) -> Normaliser:
        return Normaliser(flows, profiles, retained=retained, series_limit=settings.limits.series, snapshot=snapshot)

    destinations = ["mqtt", *(["influxdb"] if settings.influxdb else [])]
    store = Store(data / "store.db", raw=settings.history.raw)
    graph = build(
        JournalSource(journal, Bell(journal / "bell"), normaliser, stopping),
        lambda snapshot: Shard(flows, snapshot),
        StoreSink(store, Bell(data / "store.bell"), Retention(settings.history.keep, data / "delivery", destinations)),
    )
    log.info("flows run", flows=[f.name for f in flows])
    run_main(graph, epoch_interval=timedelta(microseconds=settings.flows.snapshot / 1000), recovery_config=RecoveryConfig(recovery))
    log.info("flows stopped")


def main() -> int:
    """Run the flows process; a finding or a journal that no longer holds what is needed ends it with a sentence."""
    logs.configure()
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
