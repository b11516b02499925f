"""How deliveries stand, by destination, and whether InfluxDB can be reached and lets us write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import urllib3

from gateway.delivery.answers import BriefAnswers
from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.deadline import within
from gateway.doctor.subject import Subject
from gateway.settings import InfluxDB
from gateway.status import deliveries

NAME, HISTORY = "delivery", "history"
_ANSWER = 3.0
"""Seconds that a server may take to answer."""

_BEHIND = 300.0
"""Seconds that a row may wait, without an error, before it is a complaint."""

_REFUSED = {
    HTTPStatus.UNAUTHORIZED: "the token is not accepted: put one that may write to the bucket into influxdb.token_file; it is read again by itself",
    HTTPStatus.FORBIDDEN: "the token may not write there: give it write access to influxdb.bucket, or put another into influxdb.token_file",
    HTTPStatus.NOT_FOUND: "there is no such place: look at influxdb.url, influxdb.org and influxdb.bucket",
}
_TRUST = (
    "look at influxdb.url, and whether the server runs and can be reached from here; rows wait in the store for as long as history.keep"
)


def check_delivery(subject: Subject) -> Iterator[Check]:
    """Complain of settings that do not suit what is delivered and, while things run, of a destination that takes nothing or is far behind."""
    complaints, told = [], []
    for name, state in deliveries(subject.data).items():
        found = list(_complaints(name, state, running=subject.running))
        complaints += found
        if not found:
            told.append(f"{name}: {state['delivered']:,} rows delivered, {state['pending']:,} wait, {state['dead']:,} were refused")
    yield from complaints
    if told or not complaints:
        yield Check.fine(NAME, "; ".join(told) or "nothing was delivered yet")


def _complaints(name: str, state: Mapping[str, Any], *, running: bool) -> Iterator[Check]:
    for finding in state["findings"]:
        said, _, remedy = finding.partition("; ")
        yield Check.complaint(NAME, said, remedy)
    wait = f"{state['pending']:,} rows wait, the oldest for {amounts.time(state['oldest_age'])}"
    if running and state["error"]:
        advice = (
            "only a person can help: look at the settings that it names, and at `history` or `broker`"
            if state["alarm"]
            else "it goes on by itself"
        )
        yield Check.complaint(NAME, f"delivery to {name}: {state['error']}; {wait}", advice)
    elif running and state["oldest_age"] > _BEHIND:
        yield Check.complaint(
            NAME, f"delivery to {name}: {wait}", "it is slower than what comes in, or catches up after an outage: look again in a while"
        )


def check_history(subject: Subject) -> Iterator[Check]:
    """Ask InfluxDB to write nothing: that shows whether it is there, and whether it takes the token."""
    influx = subject.settings.influxdb
    if influx is None:
        yield Check.fine(HISTORY, "the store alone: no influxdb in gateway.yaml")
        return
    try:
        status = within(_ANSWER + 1, lambda: _write_nothing(influx))
    except (OSError, urllib3.exceptions.HTTPError) as error:
        yield Check.complaint(HISTORY, f"history: {influx.url}: {_short(error)}", _TRUST)
        return
    if status in _REFUSED:
        yield Check.complaint(HISTORY, f"history: {influx.url} answers {status} {HTTPStatus(status).phrase}", _REFUSED[HTTPStatus(status)])
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        yield Check.complaint(
            HISTORY, f"history: {influx.url} answers {status}", "the server is in trouble: look at its own log; rows wait meanwhile"
        )
    else:
        yield Check.fine(HISTORY, f"{influx.url} answers, and lets us write to {influx.bucket}")


def _write_nothing(influx: InfluxDB) -> int:
    """Give the answer to a write of no points: 204, or 400 from an InfluxDB that wants some; what is wrong with the way there comes first.

    Raises OSError where the token's file cannot be read.
    """
    headers = {"Authorization": f"Token {influx.token}"} if influx.token else {}
    fields = {"org": influx.org, "bucket": influx.bucket}
    with urllib3.PoolManager(timeout=_ANSWER, retries=False, headers=headers) as pool:
        url = f"{influx.url.rstrip('/')}/api/v2/write?{urlencode(fields)}"
        return BriefAnswers(pool, _ANSWER).request("POST", url, body=b"").status


def _short(error: Exception) -> str:
    """Give what happened, without the repr of the connection that urllib3 puts before it."""
    reason = str(error)
    return reason.partition(">: ")[2] or reason.rpartition("object at ")[2].partition("): ")[2] or reason
