"""The examination: every check, side by side, each with an answer whatever state the folder is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from gateway.doctor.books import check_books
from gateway.doctor.broker import check_broker
from gateway.doctor.check import Check
from gateway.doctor.clock import check_clock
from gateway.doctor.config import check_config
from gateway.doctor.delivery import check_delivery, check_history
from gateway.doctor.disk import check_disk
from gateway.doctor.flows import check_flows
from gateway.doctor.journal import check_journal
from gateway.doctor.ledger import check_ledger
from gateway.doctor.parts import check_parts
from gateway.doctor.recovery import check_recovery
from gateway.doctor.series import check_series
from gateway.doctor.set_aside import check_set_aside
from gateway.doctor.store import check_store
from gateway.doctor.subject import Subject

_CHECKS: dict[str, Callable[[Subject], Iterable[Check]]] = {
    "config": check_config,
    "ledger": check_ledger,
    "flows": check_flows,
    "series": check_series,
    "journal": check_journal,
    "store": check_store,
    "recovery": check_recovery,
    "books": check_books,
    "set_aside": check_set_aside,
    "disk": check_disk,
    "clock": check_clock,
    "broker": check_broker,
    "history": check_history,
    "delivery": check_delivery,
    "parts": check_parts,
}


def examine(subject: Subject) -> list[Check]:
    """Give what every check came to, in their order.

    Nothing of what is kept in the data folder is changed: at most, SQLite brings the log that a crash has left into the file that it belongs to.
    """
    if not subject.data.is_dir():
        said = f"{subject.data}: there is no such data folder: nothing has run here"
        return [*check_config(subject), Check.complaint("data", said, "start `sluice up`, or name the folder with --data")]
    with ThreadPoolExecutor(len(_CHECKS)) as pool:
        found = pool.map(lambda name: _made(name, subject), _CHECKS)
        return [check for checks in found for check in checks]


def _made(name: str, subject: Subject) -> list[Check]:
    try:
        return list(_CHECKS[name](subject))
    except Exception as error:  # noqa: BLE001  whatever is damaged, and however, it is a complaint
        said = f"{name}: cannot be looked at: {type(error).__name__}: {error}"
        return [Check.complaint(name, said, "a file that it reads is damaged: see the other checks; if none tells of one, report this")]
