"""The dataflow of a data folder as one host's share of a cluster (`flows.cluster`)."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import structlog
from bytewax.dataflow import Dataflow

from flows.cluster.kept_state import KeptState
from flows.cluster.peers import Peers
from flows.cluster.shard_logic import MergingLogic
from flows.cluster.sink import MemberSink
from flows.cluster.source import MemberSource
from flows.exchange.witness import Witness
from flows.flow import Flow
from flows.graph import build
from flows.journal_source import JournalSource
from flows.loaded import Loaded, effect_of
from flows.shard import Shard
from flows.spec import compile_flow
from flows.store_sink import StoreSink
from gateway.config import CLUSTER_STATE
from gateway.exit_status import ALONE
from gateway.member import MemberError
from gateway.settings import Settings
from gateway.state_file import write_state

log = structlog.get_logger()

_LATENESS = 1_000_000_000
"""ns that a window waits at least."""
_SLACK = 250_000_000
"""ns from the receipt of a message until it is in the journal, beside the journal's `linger`, that a host allows for before it says that nothing
earlier comes."""


class Cluster:
    """The hosts that share the work, seen from one of them.

    All run or none does. When one is gone, the process ends, and begins again at the last snapshot when all are back; meanwhile each gateway
    goes on to journal what it receives.
    """

    def __init__(self, settings: Settings, data: Path, *, stopping: threading.Event, switching: threading.Event, witness: Witness) -> None:
        """Find which of the hosts this one is. Raises MemberError where none is, or where its address cannot be listened at."""
        hosts = settings.flows.cluster
        self.addresses = [str(host) for host in hosts]
        self.member = settings.flows.member_number
        self.slack = _SLACK + settings.journal.linger
        self._witness = witness
        self._file = data / CLUSTER_STATE
        self._state = KeptState(data / "recovery", self.member, len(hosts))
        try:
            self._peers = Peers(hosts, self.member, stopping=stopping, ending=switching, gone=_end)
        except OSError as error:
            raise MemberError(f"flows.cluster: {self.addresses[self.member]}: {error.strerror}") from error
        self._peers.start()

    def gather(self, loaded: Loaded, beat: Callable[[], bool]) -> bool:
        """Wait until all hosts are ready to run this together, for as long as `beat` says; tell whether they are. Keep our share of their state."""
        name = self._peers.gather(_fingerprint(loaded), self._state.name, beat, self._tell)
        if name is not None:
            self._state.take(name)
        return name is not None

    def _tell(self, waits: str) -> None:
        """Say for whom we wait, and when for nobody any more."""
        with suppress(OSError):  # a full disk says nothing
            write_state(self._file, {"member": self.member, "hosts": self.addresses, "waits": waits})
        if waits:
            log.warning("the flows wait for other hosts of the cluster", waits=waits)
        else:
            log.info("the hosts of the cluster run together", hosts=self.addresses)

    def is_ahead(self) -> bool:
        """Tell whether this host's partition has been read so far that the others must catch up first."""
        return self._peers.is_ahead()

    def graph(self, journal: JournalSource, shard: Callable[[bytes | None], Shard], store: StoreSink) -> Dataflow:
        """Make this host's share of the dataflow."""
        return build(
            MemberSource(journal, self.member, self._peers, self._witness),
            MergingLogic.of(len(self.addresses), shard, self._witness),
            MemberSink(store, self.member, self._witness),
        )


def patient(loaded: Loaded) -> Loaded:
    """Have each window wait a second at least for what comes late: what two hosts receive in one moment has no order that devices know of."""
    return replace(loaded, flows=tuple(map(_patient, loaded.flows)))


def _patient(flow: Flow) -> Flow:
    window = flow.spec.window
    if flow.windows is None or window.lateness >= _LATENESS:
        return flow
    spec = flow.spec.model_copy(update={"window": window.model_copy(update={"lateness": _LATENESS})})
    return compile_flow(spec, file=flow.file)


def _fingerprint(loaded: Loaded) -> str:
    """Give what hosts have in common that run the same flows with the same profiles, on one version of Sluice."""
    said = [
        version("sluice-gateway"),
        *(repr(effect_of(flow)) for flow in loaded.flows),
        *(one.model_dump_json() for one in loaded.profiles),
    ]
    return sha256("\n".join(said).encode()).hexdigest()[:16]


def _end(why: str) -> None:
    """End the process: Bytewax waits for a host that is gone for ever."""
    log.warning("the flows end, to begin again when all hosts of the cluster are there", why=why)
    sys.stderr.flush()
    os._exit(ALONE)
