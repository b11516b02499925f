"""The gateway process: `python -m gateway.run`. The link into the journal, and commands and deliveries out of the store."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import structlog

from gateway import logs
from gateway.broker.embedded import speaks_mqtt5
from gateway.config import CONFIG_STATE, LastGood
from gateway.damage import is_damage, mark, named
from gateway.errands import Errands, open_store
from gateway.exit_status import CONFIG_ERROR, DAMAGED
from gateway.findings import ConfigError
from gateway.garbage import Garbage
from gateway.heartbeat import GATEWAY as HEART
from gateway.heartbeat import Heartbeat
from gateway.journal import urgent
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import newest_row
from gateway.keeper import ROOM_EVERY, keep_going, no_room, told
from gateway.leavings import Leavings
from gateway.link.endpoint import Endpoint
from gateway.link.link import Link
from gateway.link.subscriptions import Subscription
from gateway.settings import Settings
from gateway.settings import load as load_settings
from gateway.state_file import read_state, write_state
from gateway.status import CONNECTING, GATEWAY_STATE, status
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader
from gateway.vitals import Vitals

log = structlog.get_logger()

_STATE_EVERY, _STATE_ANYWAY, _BEAT_EVERY = 1.0, 30.0, 0.25
"""Seconds between two looks whether the state is another, unless the link's changes, after which it is written though it is not, and between looks
at the threads and at the flows."""
_TICK_OPEN, _TICK_QUIET = 1_000_000_000, 10_000_000_000
"""ns between ticks while a window waits for time to pass, and while none does (DESIGN D2)."""


_HURRY = 4
"""Looks (`_STATE_EVERY`) for which ticks come every second after the config has changed."""

_SWITCH = 0.0005
"""Seconds that one thread may keep the other waiting: the link and the commands share this process, and each has milliseconds."""


class Gateway:
    """The parts of the gateway process, and what they share."""

    def __init__(self, settings: Settings, data: Path, broker_url: str) -> None:
        self._settings = settings
        self._data = data
        self.endpoint = Endpoint.of(settings.broker, broker_url)
        journal = settings.journal
        directory = data / "journal" / "0"
        if not settings.broker.urgent:
            urgent.forget(directory)
        offset, messages = _known_to_store(data)
        self._journal = Journal(
            directory,
            Bell(directory / "bell"),
            durability=journal.durability,
            keep=journal.keep,
            max_size=journal.max_size,
            first=offset + 1,
            total=messages,
        )
        newest = newest_row(directory)
        # The broker notices that a machine is gone after one and a half times the keep-alive.
        away_since = newest.received + settings.broker.keepalive * 3 // 2 if newest else 0
        self._link_state = CONNECTING
        self._saved: tuple[dict[str, Any], float] = {}, 0.0
        subscriptions = [Subscription(s.topic, s.qos) for s in settings.subscriptions()]
        self._link = self._made_link(settings.member, data / "subscriptions.json", settings.broker.session, subscriptions)
        self._errands = Errands(settings, data, replace(self.endpoint, mqtt5=self._link.speaks_mqtt5), self._journal, away_since=away_since)
        self._heartbeat = Heartbeat(data / HEART)
        self._vitals = Vitals()
        self._link_failure: BaseException | None = None
        self._started = False

    def _made_link(self, member: int, state_file: Path, expiry: int, subscriptions: Sequence[Subscription] = ()) -> Link:
        settings = self._settings
        return Link(
            self.endpoint,
            self._journal,
            site=settings.site,
            client_id=settings.client_id_of(member),
            member=member,
            subscriptions=subscriptions,
            urgent=settings.broker.urgent,
            state_file=state_file,
            linger=settings.journal.linger,
            payload_limit=settings.limits.payload,
            longest_packet=settings.limits.longest_packet,
            expiry=expiry,
            rate=settings.limits.rate,
            lag=settings.limits.lag,
            mqtt5=not settings.broker.embedded or speaks_mqtt5(settings.broker.engine),
            on_state=self._note_link,
        )

    def _note_link(self, state: str) -> None:
        if state != self._link_state:
            self._link_state = state
            (log.info if state in {"connected", "disconnected"} else log.warning)("link", state=state)

    async def serve(self) -> None:
        """Run until SIGTERM or SIGINT, or until a part cannot go on."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.set_exception_handler(_say_once)
        self._errands.listen()
        threading.excepthook = self._note_thread
        await self._take_in_leavings(stop)
        self._link.start()
        health = self._health()
        try:
            async with asyncio.TaskGroup() as group:
                parts = {**self._errands.parts(), "watch": self._watch}
                tasks = [group.create_task(keep_going(name, run)) for name, run in parts.items()]
                tasks.append(group.create_task(self._beat()))
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            health.close()
            self._link.stop()
            self._journal.close()
            self._link_state, self._started = "stopped", True
            self._save_state()

    async def _take_in_leavings(self, stop: asyncio.Event) -> None:
        """Of a cluster the first host, and a host that is alone again, takes in what waits for those that are gone."""
        settings = self._settings
        if settings.member > 0:
            return
        leavings = Leavings(self._data, max(1, len(settings.flows.cluster)))
        if not leavings.members:
            leavings.note()
            return

        def beat() -> bool:
            self._heartbeat.beat()
            self._save_state()
            return not stop.is_set()

        shared = [settings.shared(one).topic for one in settings.broker.subscribe]
        await asyncio.to_thread(leavings.take_in, self._made_link, self._journal, shared, settings.broker.session, beat)

    def _health(self) -> ExitStack:
        """Answer who asks how the gateway does, where that is wanted."""
        stack = ExitStack()
        if self._settings.health:
            # Costs memory, so only who wants it pays.
            from gateway.health.metrics import Metrics  # noqa: PLC0415
            from gateway.health.server import HealthServer, Once  # noqa: PLC0415

            metrics = Metrics(Once(partial(status, self._data), _STATE_EVERY))
            stack.callback(HealthServer(self._settings.health.listen, self._vitals, metrics).close)
        return stack

    def _note_thread(self, failed: threading.ExceptHookArgs) -> None:
        if failed.thread is self._link:
            self._link_failure = failed.exc_value
        threading.__excepthook__(failed)

    async def _beat(self) -> None:
        """Keep the heartbeat and the state file; end the process when the link's thread is gone."""
        saved, said, garbage = 0.0, ("", ""), Garbage()
        while True:
            if not self._link.is_alive():
                raise self._link_failure or RuntimeError("the link's thread ended")
            self._vitals.turn(link=self._link_state, link_turned=self._link.turned, blocked=self._link.blocked)
            if not self._vitals.stuck():
                self._heartbeat.beat()
            if monotonic() - saved >= _STATE_EVERY or said != (self._said(), self._link.blocked):
                saved, said = monotonic(), (self._said(), self._link.blocked)
                self._save_state()
            garbage.step()
            await asyncio.sleep(_BEAT_EVERY)

    async def _watch(self) -> None:
        """Tell the link how far the flows have come, and keep the journal's ticks as slow as they allow."""
        config, hurry, looked = None, 0, 0.0
        with closing(await open_store(self._data)) as reader:
            self._started = True
            while True:
                if progress := reader.progress():
                    self._vitals.flows_at(progress.offset, self._journal.offset)
                    self._link.note_progress(progress.messages, progress.at)
                if monotonic() - looked >= _STATE_EVERY:
                    looked, hurry = monotonic(), hurry - 1
                    if config != (config := read_state(self._data / CONFIG_STATE).get("loaded")):
                        hurry = _HURRY  # flows that are new or gone have something to say with the next tick
                    self._link.tick_every = _TICK_OPEN if hurry > 0 or reader.time_matters() else _TICK_QUIET
                await asyncio.sleep(_BEAT_EVERY)

    def _said(self) -> str:
        """Say how the link stands: who waits for a connection wants to see what comes by it, which is in the store."""
        return self._link_state if self._started else CONNECTING

    def _save_state(self) -> None:
        link = self._link
        state = {"pid": os.getpid(), "link": self._said(), "blocked": link.blocked, "shed": link.shed, "session": link.session_document()}
        if state != self._saved[0] or monotonic() - self._saved[1] >= _STATE_ANYWAY:
            with suppress(OSError):  # a full disk: the next time
                write_state(self._data / GATEWAY_STATE, state)
                self._saved = state, monotonic()


def _say_once(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out what aiomqtt says when it drops a lost connection: whoever used it has said so already."""
    if not type(context.get("exception")).__module__.startswith("aiomqtt"):
        loop.default_exception_handler(context)


def _known_to_store(data: Path) -> tuple[int, int]:
    """Give the newest offset, and how many messages there were up to it, that the store knows of.

    A journal that has lost its end, or begins anew, must use no offset again, since readings' ids begin with it, and goes on counting. After a
    rewind the readings are ahead of the progress.
    """
    try:
        with StoreReader(data / "store.db") as reader:
            progress, newest = reader.progress(), reader.newest().readings >> 20
    except StoreError:
        return 0, 0
    return (max(progress.offset, newest), progress.messages) if progress else (newest, 0)


def main() -> int:
    """Run the gateway process; a finding ends it with a sentence, and so does what cannot be helped from within."""
    logs.configure()
    sys.setswitchinterval(_SWITCH)
    parser = argparse.ArgumentParser(prog="python -m gateway.run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--broker-url", required=True)
    options = parser.parse_args()
    try:
        good = LastGood(options.data).path
        settings = load_settings(good if good.exists() else options.config, root=options.config)
        asyncio.run(_gateway(settings, options.data, options.broker_url).serve())
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return CONFIG_ERROR
    except Exception as error:  # noqa: BLE001  the supervisor begins with the process afresh
        log.critical("the gateway cannot go on", error=told(error))
        if not is_damage(error):
            return 1
        mark(options.data, named(error))
        return DAMAGED
    return 0


def _gateway(settings: Settings, data: Path, broker_url: str) -> Gateway:
    """Make the gateway; on a full disk, as soon as there is room."""
    heartbeat, said = Heartbeat(data / HEART), False
    while True:
        try:
            return Gateway(settings, data, broker_url)
        except (OSError, sqlite3.Error) as error:
            if not no_room(error):
                raise
            if not said:
                log.warning("the gateway waits for room", error=told(error))
                said = True
            heartbeat.beat()
            sleep(ROOM_EVERY)


if __name__ == "__main__":
    sys.exit(main())
