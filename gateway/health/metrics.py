"""The status document as metrics, in Prometheus' text format. What is counted here never grows with the number of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from time import time_ns
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.health.server import Answer

_OUTCOMES = ("normalised", "ignored", "dead_letters", "duplicates", "shed", "set_aside")
_NO_OUTCOMES = frozenset(("selected", "pending"))
"""What a flow's terms have beside outcomes: the sum of them, and what is under way."""


class StatusCollector(Collector):
    """Makes metrics of the status document whenever they are asked for."""

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Give every metric of the document as it is now."""
        document = self._read()
        yield InfoMetricFamily("sluice_build", "The version of Sluice.", value={"version": version("sluice-gateway")})
        yield _gauge("sluice_link_up", "Whether the link to the broker is connected.", document["link"] == "connected")
        yield from _messages(document["ledger"])
        yield from _results(document)
        yield from _deliveries(document["delivery"])
        yield from _storage(document)
        yield from _processes(document)


class Metrics:
    """The page /metrics."""

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(StatusCollector(read))

    def __call__(self, accept: str) -> Answer:
        """Give the metrics in the format that the client accepts."""
        encode, kind = choose_encoder(accept)
        return Answer(HTTPStatus.OK, kind, encode(self._registry))


def _messages(ledger: Mapping[str, Any]) -> Iterator[Metric]:
    yield _counter("sluice_received_messages", "Messages taken in, ever.", ledger["received"])
    outcomes = {outcome: ledger[outcome] for outcome in _OUTCOMES if outcome in ledger}
    yield _counters("sluice_messages", "Messages by what became of them.", ("outcome",), outcomes)
    yield _gauge("sluice_pending", "Messages that nothing has become of yet.", ledger["pending"])
    yield _gauge("sluice_ledger_balanced", "Whether every message and reading is accounted for.", ledger["balanced"])
    flows = {(flow, term): value for flow, terms in ledger["flows"].items() for term, value in terms.items() if term not in _NO_OUTCOMES}
    yield _counters("sluice_flow_readings", "Readings that a flow selected, by what became of them.", ("flow", "outcome"), flows)


def _results(document: Mapping[str, Any]) -> Iterator[Metric]:
    yield _counter("sluice_readings", "Readings that the store took, ever.", document.get("readings", {}).get("taken", 0))
    for what, label in (("windows", "kind"), ("alerts", "change"), ("commands", "state")):
        yield _counters(f"sluice_{what}", f"{what.capitalize()}, ever, by {label}.", (label,), _but(document.get(what, {}), "waiting"))
    waiting = document.get("commands", {}).get("waiting", 0)
    yield _gauge("sluice_commands_waiting", "Commands that have not ended.", waiting)


def _deliveries(deliveries: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    for term, of in (("delivered", "taken by the destination"), ("dead", "refused by the destination for good")):
        values = {name: one[term] for name, one in deliveries.items()}
        yield _counters(f"sluice_delivery_{term}", f"Rows {of}, ever.", ("destination",), values)
    pending = {name: one["pending"] for name, one in deliveries.items()}
    yield _gauges("sluice_delivery_pending", "Rows that wait to be delivered.", ("destination",), pending)
    ages = {name: one["oldest_age"] for name, one in deliveries.items()}
    yield _gauges("sluice_delivery_oldest_seconds", "How long the oldest row has waited to be delivered.", ("destination",), ages)
    up = {name: not one["error"] for name, one in deliveries.items()}
    yield _gauges("sluice_delivery_up", "Whether the last delivery worked.", ("destination",), up)


def _storage(document: Mapping[str, Any]) -> Iterator[Metric]:
    journal, store, disk = document["journal"], document["store"], document["disk"]
    yield _gauge("sluice_journal_bytes", "Bytes of the journal.", journal["bytes"])
    if journal["oldest"] is not None:
        age = max(0.0, (time_ns() - journal["oldest"]) / 1e9)
        yield _gauge("sluice_journal_oldest_seconds", "How far back the journal reaches.", age)
    yield _gauge("sluice_blocked", "Whether nothing can be acknowledged now: the disk or the journal is full.", bool(document["blocked"]))
    yield _gauge("sluice_store_bytes", "Bytes of the store.", store["bytes"])
    yield _gauge("sluice_store_rows", "Rows that the store holds.", store["points"])
    yield _counters("sluice_store_shed", "Rows that the store gave up for lack of room, ever.", ("kind",), store.get("shed", {}))
    yield _gauge("sluice_disk_free_bytes", "Bytes that are free on the disk of the data folder.", disk.get("free", 0))
    yield _gauge("sluice_set_aside_files", "Damaged files that were set aside and are still there.", len(document["set_aside"]))


def _processes(document: Mapping[str, Any]) -> Iterator[Metric]:
    restarts = dict.fromkeys(document["memory"], 0) | {part: one["count"] for part, one in document["restarts"].items()}
    yield _counters("sluice_restarts", "How often the supervisor started a process again.", ("process",), restarts)
    yield _gauges("sluice_process_memory_bytes", "Proportional set size of each process.", ("process",), document["memory"])
    yield _gauges("sluice_process_open_files", "Files that each process has open.", ("process",), document["open_files"])


def _but(values: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != left_out}


def _labels(key: str | Sequence[str]) -> Sequence[str]:
    return [key] if isinstance(key, str) else list(key)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=float(value))


def _gauges(name: str, text: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    return _filled(family, values.items())


def _counters(name: str, text: str, labels: Sequence[str], values: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    return _filled(family, values.items())


def _filled(family: Any, values: Iterable[tuple[Any, float]]) -> Metric:
    for key, value in values:
        family.add_metric(_labels(key), float(value))
    metric: Metric = family
    return metric
