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
from bytewax.testing import cluster_main, run_main

from flows.attempts import Attempts
from flows.beginning import Beginning, from_snapshot
from flows.cluster import kept_state
from flows.cluster.cluster import Cluster, patient
from flows.exchange.elsewhere import SinkElsewhere
from flows.exchange.shard_logic import OpeningLogic
from flows.exchange.sink import OpeningSink
from flows.exchange.source import SendingSource
from flows.graph import ShardLogic, build
from flows.journal_source import JournalSource
from flows.loaded import Loaded
from flows.newer_state import newer_state
from flows.normaliser import Normaliser
from flows.poison import Poison
from flows.repeats_log import RepeatsLog
from flows.shard import Shard
from flows.store_sink import ROOM_EVERY, StoreSink, Upkeep, open_store
from flows.watch import Watch
from flows.workers import FULL, WorkerError, Workers, misses_another
from gateway import logs
from gateway.config import LastGood
from gateway.damage import RECOVERY, DamageError, is_damage, mark, named
from gateway.disk import causes, is_full, sync
from gateway.exit_status import ALONE, CONFIG_ERROR, DAMAGED
from gateway.findings import ConfigError
from gateway.heartbeat import Heartbeat
from gateway.journal.bell import Bell
from gateway.member import MemberError
from gateway.settings import load as load_settings
from gateway.store.store import Store

log = structlog.get_logger()

_SWITCH = 0.0005
"""Seconds that the watch, which reads a changed config beside the flows, may keep them waiting at a time."""


class Flows:
    """The flows of a data folder: what they share from one dataflow to the next."""

    def __init__(self, config: Path, data: Path) -> None:
        """Read the config. Raises ConfigError where it has findings, and there is no good one from before."""
        self._data = data
        self._stopping, self._switching = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        self._watch = Watch(config, data, switching=self._switching)
        self._watch.start()
        self._settings = load_settings(LastGood(data).path, root=config)
        self._journal, self._recovery = data / "journal" / "0", data / "recovery"
        self._heartbeat = Heartbeat(data / "flows.alive")
        self._bells = Bell(self._journal / "bell"), Bell(data / "store.bell")
        self._poison = Poison(data)
        # Elsewhere a process may end for want of a neighbour, and no message is to blame.
        self._attempts = Attempts(None if self._settings.flows.cluster else data, self._poison)
        self._beginning: Beginning | None = None
        count = self._settings.flows.workers
        if count > 1 and self._attempts.dies_again:
            log.warning("the flows process dies again and again; until it is started anew it runs as one worker")
            count = 1
        self._workers = Workers(count, config, data)
        self._cluster: Cluster | None = None
        if self._settings.flows.cluster:
            witness = self._workers.witness
            self._cluster = Cluster(self._settings, data, stopping=self._stopping, switching=self._switching, witness=witness)

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; then snapshot at the last row and return. What is changed in the config meanwhile is taken.

        A full disk ends nothing: it begins again from the last snapshot when there is room.
        """
        while True:
            try:
                self._workers.load()
                loaded = self._watch.take()
                if self._cluster is None:
                    self._run(loaded)
                elif self._gathered(self._cluster, loaded):
                    self._run(patient(loaded))
            except BaseException as failure:
                error = self._workers.cause(failure)
                full = error.status == FULL if isinstance(error, WorkerError) else is_full(error)
                if full or is_damage(error):
                    self._attempts.end()  # no message is to blame
                if not full and error is failure:
                    raise
                if not full:
                    raise error from failure
                log.warning("the flows wait: the disk takes nothing more", error=str(error))
                if not self._wait():
                    break
                continue
            if self._stopping.is_set() and not self._switching.is_set():  # with both, it may have ended before it had caught up
                break
        self._workers.end()
        log.info("flows stopped")

    def _gathered(self, cluster: Cluster, loaded: Loaded) -> bool:
        """Wait for the other hosts; tell whether they are there. Meanwhile there is a store, for the gateway to work on."""
        if not (self._data / "store.db").exists():
            open_store(self._data, self._settings, self._heartbeat.beat).close()
        return cluster.gather(loaded, self._beat)

    def misses_host(self, error: BaseException) -> bool:
        """Tell whether a failure is that another host of the cluster is gone."""
        return self._cluster is not None and misses_another(error)

    def blames_recovery(self, error: BaseException) -> bool:
        """Tell whether a failure is one of the recovery data."""
        return self._beginning is not None and self._beginning.blames_recovery(error)

    def _run(self, loaded: Loaded) -> None:
        """Run one dataflow, up to a stop or a change of the config."""
        every = timedelta(microseconds=self._settings.flows.snapshot / 1000)
        self._make_recovery()
        store = open_store(self._data, self._settings, self._heartbeat.beat)
        try:
            upkeep = Upkeep.of(self._data, self._settings, self._wait)
            self._find_room(store, upkeep)
            self._beginning = Beginning(self._journal, self._recovery, store)
            graph, recovery = self._graph(loaded, store, upkeep, self._beginning), RecoveryConfig(self._recovery)
            if self._cluster:
                cluster_main(graph, self._cluster.addresses, self._cluster.member, epoch_interval=every, recovery_config=recovery)
            elif self._workers.count > 1:
                cluster_main(graph, self._workers.run(), self._workers.count - 1, epoch_interval=every, recovery_config=recovery)
                self._workers.ended()
            else:
                run_main(graph, epoch_interval=every, recovery_config=recovery)
        finally:
            store.abandon()

    def _find_room(self, store: Store, upkeep: Upkeep) -> None:
        """Have room to begin with, though the store must give something up for it. Raises OSError (ENOSPC) where there is none."""
        try:
            upkeep.room.check_beginning()
        except OSError:
            upkeep.shedding.relieve(store)
            upkeep.room.check_beginning()

    def _graph(self, loaded: Loaded, store: Store, upkeep: Upkeep, beginning: Beginning) -> Dataflow:
        settings, apart = self._settings, self._workers.count > 1
        retained = [(s.topic, s.retained) for s in settings.broker.subscribe]

        def normaliser(snapshot: bytes | None) -> Normaliser:
            return Normaliser(
                loaded.flows,
                loaded.profiles,
                retained=retained,
                series_limit=settings.limits.series,
                snapshot=snapshot,
                poison=self._poison,
                repeats=RepeatsLog(self._recovery),
            )

        def source(snapshot: bytes | None) -> Normaliser:
            begun = beginning.at(from_snapshot(normaliser)(snapshot), anew=snapshot is None)
            if apart:
                store.close()  # worker 0 opens it when the first row is there
            return begun

        journal = JournalSource(
            self._journal,
            self._bells[0],
            source,
            stopping=self._stopping,
            switching=self._switching,
            attempts=self._attempts,
            pace=self._workers.pace,
            heartbeat=self._heartbeat,
            look=self._workers.look,
            others=self._cluster,
        )
        shard = from_snapshot(partial(Shard, loaded.flows))
        if apart:
            witness = self._workers.witness
            return build(SendingSource(journal, witness), OpeningLogic.of(shard, witness), OpeningSink(SinkElsewhere(), witness))
        sink = StoreSink(lambda: store, self._bells[1], upkeep, self._workers.pace)
        return self._cluster.graph(journal, shard, sink) if self._cluster else build(journal, ShardLogic.of(shard), sink)

    def _make_recovery(self) -> None:
        """Make the folder of the recovery data, where there is none, so that a power cut leaves it."""
        if self._cluster:
            return
        if (self._recovery / kept_state.NAME).exists():  # a share of what a cluster kept
            kept_state.forget(self._recovery)
        if not any(self._recovery.glob("part-*.sqlite3")):
            self._recovery.mkdir(parents=True, exist_ok=True)
            init_db_dir(self._recovery, 1)
            for folder in (self._recovery, self._data):
                sync(folder)

    def _beat(self) -> bool:
        """Tell that we live, and whether to go on with this config."""
        self._heartbeat.beat()
        return not (self._stopping.is_set() or self._switching.is_set())

    def _wait(self) -> bool:
        """Wait a moment; tell whether to go on."""
        self._heartbeat.beat()
        return not self._stopping.wait(ROOM_EVERY)


def main() -> int:
    """Run the flows process; a finding, or state of a newer Sluice, ends it with a sentence, and a damaged file with a note for `mend`."""
    logs.configure()
    sys.setswitchinterval(_SWITCH)
    parser = argparse.ArgumentParser(prog="python -m flows.run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    flows: Flows | None = None
    try:
        flows = Flows(options.config, options.data)
        flows.run()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return CONFIG_ERROR
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # Bytewax's panics are no Exceptions
        if known := _known(error, flows):
            sys.stderr.write(f"{known[1]}\n")
            return known[0]
        blamed = flows is not None and flows.blames_recovery(error)
        if not blamed and not is_damage(error):
            raise
        mark(options.data, named(error) or (RECOVERY if blamed else ""))
        sys.stderr.write(f"a file of the data folder is damaged: {_innermost(error)}\n")
        return DAMAGED
    return 0


def _known(error: BaseException, flows: Flows | None) -> tuple[int, str] | None:
    """Give the exit status and the sentence for what is no bug, and no damage to a file of ours."""
    if newer := newer_state(error):
        return CONFIG_ERROR, str(newer)
    if isinstance(error, MemberError):
        return 1, str(error)
    if isinstance(error, WorkerError):
        return error.status if error.status in {CONFIG_ERROR, DAMAGED} else 1, str(error)
    return (ALONE, "another host of the cluster is gone") if flows is not None and flows.misses_host(error) else None


def _innermost(error: BaseException) -> BaseException:
    """Give what led to an error: Bytewax's own words say only where."""
    return next((one for one in causes(error) if isinstance(one, DamageError)), [*causes(error)][-1])


if __name__ == "__main__":
    sys.exit(main())
