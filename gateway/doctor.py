"""The doctor: what is wrong with a data folder, or with what runs on it, in sentences that name the stage and the device."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

from gateway.events import status
from gateway.events.event import Event
from gateway.events.reader import EventError, read
from gateway.findings import ConfigError, Finding
from gateway.ledger import Ledger, balance, stuck
from gateway.link.endpoint import Endpoint
from gateway.link.retained import retained
from gateway.settings import Broker, load
from gateway.state_file import read_state
from gateway.status import GATEWAY_STATE, config_document, deliveries, read_books, read_ledger, read_up
from gateway.store.schema import StoreError

_PATIENCE = 10.0
"""Seconds that a reading may take from one stage to the next before it is missed: ticks come at least that often while anything is open."""

_ANSWER = 3.0
"""Seconds that a broker may take to say what it retains."""


def examine(data: Path) -> list[str]:
    """Give every complaint; an empty list where all is well."""
    if not data.is_dir():
        return [f"{data}: there is no such data folder: nothing has run here"]
    up = read_up(data)
    try:
        ledger = read_ledger(data, at_rest=up is None)
    except StoreError as error:
        return [str(error)]
    complaints = list(ledger.flaws)
    if up is None:
        return complaints
    state = read_state(data / GATEWAY_STATE)
    if state.get("link") != "connected":
        complaints.append(f"link: {state.get('link', 'not started')}")
    for name, delivery in deliveries(data).items():
        if delivery.get("error"):
            complaints.append(f"delivery to {name}: {delivery['error']}")
    return [*complaints, *_config(data), *_stuck(data, ledger)]


def _config(data: Path) -> list[str]:
    """Complain of a config folder that is not what runs."""
    state = config_document(data)
    findings = [str(Finding(**finding)) for finding in state.get("findings", [])]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    refused = [f"config: the one from before runs on: {findings[0]}{more}"] if findings else []
    return refused + [f"config: {name} takes effect at the next start" for name in state.get("pending", [])]


def examine_status(data: Path, config: Path) -> list[str]:
    """Ask the broker for the status that it retains of the site; complain where that is not what others should read while the link is up.

    A broker may drop without a word what an account may not publish (MQTT 3.1.1, 3.3.5): this is where that shows.
    """
    up = read_up(data)
    if not up or read_state(data / GATEWAY_STATE).get("link") != "connected":
        return []
    topic = status.CHANNEL.topic(site=up["site"])
    try:
        broker = load(config).broker if config.exists() else Broker()
        payload = retained(Endpoint.of(broker, up["broker"]), topic, within=_ANSWER)
        said = None if payload is None else read(payload)
    except ConfigError:
        return []  # its findings are complaints of their own
    except OSError as error:
        return [f"status: the broker cannot be asked: {error}"]
    except EventError as error:
        return [f"status: {topic}: {error}"]
    return _contradiction(topic, said)


def _contradiction(topic: str, said: Event | None) -> list[str]:
    if said is None:
        return [f"status: the broker retains nothing at {topic}: may the gateway's account publish below sluice/, and read it?"]
    if not isinstance(said, status.StatusEvent):
        return [f"status: {topic} must hold a {status.StatusEvent.__name__}; got a {said.type}"]
    if not said.data.running:
        return [f"status: the link is up, and {topic} says that the gateway is not running: another one may use its client id"]
    return []


def _stuck(data: Path, before: Ledger) -> list[str]:
    """Look again until everything passed on at the first look has been taken, or patience ends."""
    give_up = monotonic() + _PATIENCE
    while True:
        missing = stuck(before, balance(read_books(data, at_rest=False)))
        if not missing or monotonic() > give_up:
            return missing
        sleep(0.2)
