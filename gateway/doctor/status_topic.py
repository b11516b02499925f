"""What the broker tells others of the gateway: a broker may drop without a word what an account may not publish (MQTT 3.1.1, 3.3.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.doctor.check import Check
from gateway.doctor.subject import Subject
from gateway.events import status
from gateway.events.event import Event
from gateway.events.reader import EventError, read

NAME = "status"
_RIGHTS = "let the gateway's account publish and read below sluice/ (the broker's access list)"
_FOREIGN = "find out who else publishes there: only the gateway may"
_TWICE = "see whether another gateway has this broker.client_id or site, and give it its own"


def status_topic(subject: Subject) -> str:
    """Name the topic of the gateway's retained status."""
    return status.status_topic((subject.up or {}).get("site", subject.settings.site), subject.settings.member)


def check_status(subject: Subject, retained: Mapping[str, bytes]) -> Iterator[Check]:
    """Complain, while the link is up, of a retained status that is not what others should read."""
    if not subject.connected:
        return
    topic = status_topic(subject)
    try:
        said = read(retained[topic]) if topic in retained else None
    except EventError as error:
        yield Check.complaint(NAME, f"status: {topic}: {error}", _FOREIGN)
        return
    yield _check(topic, said)


def _check(topic: str, said: Event | None) -> Check:
    if said is None:
        return Check.complaint(NAME, f"status: the broker retains nothing at {topic}", _RIGHTS)
    if not isinstance(said, status.StatusEvent):
        return Check.complaint(NAME, f"status: {topic} must hold a {status.StatusEvent.__name__}; got a {said.type}", _FOREIGN)
    if not said.data.running:
        return Check.complaint(NAME, f"status: the link is up, and {topic} says that the gateway is not running", _TWICE)
    return Check.fine(NAME, f"the broker tells at {topic} that the gateway runs")
