"""A link on a journal of its own, against whatever listens at an address."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from gateway.journal.bell import Bell
from gateway.journal.journal import Journal, JournalFullError
from gateway.journal.reader import JournalReader
from gateway.journal.row import Kind
from gateway.link.endpoint import Endpoint
from gateway.link.link import Link
from gateway.link.paho_connection import PahoConnection
from gateway.link.subscriptions import Subscription
from gateway.settings import Broker


class Disk(Journal):
    """A journal whose disk is full as long as it is told so."""

    full_now = ""

    def _append(self, *row, **how):
        if self.full_now:
            raise JournalFullError(self.full_now)
        return super()._append(*row, **how)


class Gateway:
    """A link on a journal, and what the journal then holds."""

    def __init__(self, directory, endpoint, *, client_id="sluice-here", subscribe=("#",), **settings):
        directory.mkdir(exist_ok=True)
        self.directory, self.states = directory, []
        self.bell = Bell(directory / "bell")
        self.journal = Disk(directory / "0", self.bell, keep=1 << 60, max_size=1 << 60)
        self.link = Link(
            endpoint,
            self.journal,
            site="here",
            client_id=client_id,
            subscriptions=[Subscription(one) for one in subscribe],
            state_file=directory / "subscriptions",
            on_state=self.states.append,
            **settings,
        )
        self.link.start()

    def rows(self):
        reader = JournalReader(self.directory / "0")
        rows = []
        while found := reader.read(100):
            rows.extend(found)
        reader.close()
        return rows

    def entries(self):
        return [e for r in self.rows() if r.kind == Kind.MESSAGES for e in r.entries()]

    def payloads(self):
        return [e.payload.decode() for e in self.entries()]

    def sheds(self):
        return [s for r in self.rows() if r.kind == Kind.SHED for s in r.sheds()]

    def stop(self):
        if self.link.is_alive():
            self.link.stop()
            self.journal.close()
            self.bell.close()


@pytest.fixture(params=["codec", "paho"])
def start(tmp_path, request, monkeypatch):
    """Start a link to an address, or by an endpoint; one of the same `name` goes on with the journal of the one before.

    Where the broker speaks MQTT 5, it is spoken to by the codec, and by paho: what must be so holds for both.
    """
    if request.param == "paho":
        monkeypatch.setattr("gateway.link.mqtt5_connection.Mqtt5Connection", partial(PahoConnection, mqtt5=True))
    running = []

    def start_(url, *, name="one", endpoint=None, keepalive=30, **settings):
        endpoint = endpoint or replace(Endpoint.of(Broker(), url), keepalive=keepalive)
        running.append(Gateway(tmp_path / name, endpoint, **settings))
        return running[-1]

    yield start_
    for gateway in running:
        gateway.stop()
