"""Whether the broker can be reached and lets us in, how long its queue holds what comes while we are away, and what it tells others of us."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

from gateway.doctor import amounts
from gateway.doctor.check import Check
from gateway.doctor.deadline import within
from gateway.doctor.session_queue import ENOUGH, MOSQUITTO, SessionQueue
from gateway.doctor.status_topic import check_status, status_topic
from gateway.doctor.subject import Subject
from gateway.doctor.traffic import Traffic, traffic
from gateway.link.endpoint import Endpoint
from gateway.link.inquiry import Answer, certificate_days, inquire

NAME, QUEUE = "broker", "session_queue"
_ANSWER = 3.0
"""Seconds that the broker may take for each of two answers."""

_BRIEFLY = 0.5
"""Seconds to wait for what a broker need not tell: mosquitto's own numbers."""

_EXPIRING = 14
"""Days before the end of a certificate that it is a complaint."""

_VERSION, _DROPPED, _QUEUED = "$SYS/broker/version", "$SYS/broker/publish/messages/dropped", "$SYS/broker/store/messages/count"
_REACH = "see whether it runs and can be reached from here, and whether broker.url is right; the link tries again by itself"
_ACCESS = (
    "look at broker.username and broker.password_file, and at what the broker logs; another client id than the gateway's must be let in"
)
_TRUST = "renew the broker's certificate, or let broker.ca_file hold who signed it; the name in broker.url must be one of the certificate's"
_RAISE = "raise max_queued_messages (mosquitto.conf) or what the broker calls it"


def check_broker(subject: Subject) -> Iterator[Check]:
    """Reach it, come in under another client id, and ask; each step only where the one before went well."""
    url = (subject.up or {}).get("broker") or (None if subject.settings.broker.embedded else subject.settings.broker.url)
    rate = traffic(subject.journal)
    if url is None:
        yield Check.fine(NAME, "the embedded one: it starts and ends with `sluice up`")
        yield from _check_queue(subject, rate, {})
        return
    try:
        endpoint = Endpoint.of(subject.settings.broker, url)
        days = within(_ANSWER, lambda: certificate_days(endpoint, within=_ANSWER))
    except (OSError, ValueError) as error:
        yield Check.complaint(NAME, f"broker: {url}: {error}", _TRUST if isinstance(error, ssl.SSLError) else _REACH)
        return
    wait = _ANSWER if subject.connected else _BRIEFLY
    name = f"{subject.settings.client_id}-doctor-{os.getpid()}"
    topics = [_VERSION, _DROPPED, _QUEUED, status_topic(subject)]
    try:
        answer = within(_ANSWER + wait, lambda: inquire(endpoint, name, topics, within=wait))
    except OSError as error:
        yield Check.complaint(NAME, f"broker: {error}", _ACCESS)
        return
    yield _reached(endpoint, days, answer)
    yield from _check_queue(subject, rate, answer.retained)
    yield from check_status(subject, answer.retained)


def _reached(endpoint: Endpoint, days: float | None, answer: Answer) -> Check:
    if days is not None and days < _EXPIRING:
        said = f"broker: {endpoint}: its certificate ends in {days:.1f} days"
        return Check.complaint(NAME, said, "renew it: once it has ended, nobody who checks it comes in")
    certificate = "" if days is None else f", its certificate is good for {days:.0f} days"
    return Check.fine(NAME, f"{endpoint} answers in {answer.round_trip * 1000:.1f} ms{certificate}")


def _check_queue(subject: Subject, rate: Traffic | None, told: dict[str, bytes]) -> Iterator[Check]:
    """Hold what the broker keeps while we are away against ten minutes of what came lately: (queued + in flight) / messages a second."""
    expiry = subject.gateway.get("session", {}).get("expiry")
    if isinstance(expiry, int) and expiry < ENOUGH:
        said = f"broker: it keeps our session for {amounts.time(expiry)} after a connection has ended; what comes later than that is lost"
        yield Check.complaint(
            QUEUE, said, "let the broker keep sessions for longer (what it calls the session expiry), and look at broker.session"
        )
        return
    configuration = subject.data / "broker" / "mosquitto.conf"
    if subject.settings.broker.embedded and configuration.exists():
        yield _embedded(SessionQueue.of(configuration.read_text()), rate)
    elif subject.settings.broker.embedded:
        yield Check.fine(QUEUE, "amqtt keeps nothing while Sluice is away; with mosquitto installed, Sluice uses that")
    else:
        yield Check.fine(QUEUE, _foreign(rate, told))


def _embedded(queue: SessionQueue, rate: Traffic | None) -> Check:
    if rate is None:
        return Check.fine(QUEUE, "nothing came in lately that would fill it")
    seconds, formula = queue.holds(rate)
    if seconds < ENOUGH:
        said = f"broker: its queue holds what comes in {amounts.time(seconds)}: {formula}; what comes in a longer outage is lost"
        return Check.complaint(QUEUE, said, f"{_RAISE}, with a broker of your own: the embedded one is made for less")
    return Check.fine(QUEUE, "no limit" if seconds == float("inf") else f"holds what comes in {amounts.time(seconds)}: {formula}")


def _foreign(rate: Traffic | None, told: dict[str, bytes]) -> str:
    """Say what is known of a broker whose limits it does not tell."""
    numbers = [
        f"{told[topic].decode(errors='replace')[:20]} {word}"
        for topic, word in ((_QUEUED, "stored"), (_DROPPED, "dropped"))
        if topic in told
    ]
    known = f"; since its start: messages {', '.join(numbers)} (of all clients)" if numbers else ""
    if rate is None:
        return f"its limits cannot be asked for{known}"
    need = f"ten minutes of what came lately are {rate.rate * ENOUGH:,.0f} messages"
    seconds, formula = MOSQUITTO.holds(rate)
    least = f"; a mosquitto as it is delivered holds {amounts.time(seconds)}: {formula}" if _VERSION in told else ""
    return f"its limits cannot be asked for: {need}{least}{known}"
