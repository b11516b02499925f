"""`sluice up`: plan the processes, run them, show what happens, and end with a status document."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any

import structlog
from rich.console import Console

from gateway.broker.embedded import EmbeddedBroker, answers, choosing_ports, plan, speaks_mqtt
from gateway.config import LastGood
from gateway.settings import Settings
from gateway.state_file import read_state, write_state
from gateway.status import GATEWAY_STATE, UP_STATE, hold_lock, memories, read_ledger, status
from gateway.store.schema import StoreError, open_writer
from gateway.supervisor import Part, Supervisor
from gateway.terminal import Terminal, ledger_line

log = structlog.get_logger()

_LOOK = 0.25
"""Seconds between looks at the processes and the store."""


class StartError(Exception):
    """Something that stops start-up, said in one sentence."""


@dataclass(frozen=True)
class Run:
    """What was asked for: folders, a scenario to simulate, and how long (seconds; None: until stopped)."""

    config: Path
    data: Path
    scenario: Path | None
    seconds: float | None


def up(run: Run, settings: Settings, console: Console) -> dict[str, Any]:
    """Run everything until it is over; give the status document as it then is.

    Raises:
        StartError: it could not start, or one of the processes cannot run.

    """
    try:
        lock = hold_lock(run.data)
    except BlockingIOError:
        raise StartError(f"{run.data}: another `sluice up` runs on this data folder") from None
    except OSError as error:
        raise StartError(f"{run.data}: cannot be used as data folder: {error.strerror}") from None
    with lock, ExitStack() as ports:
        _check_store(run.data)
        LastGood(run.data).start(run.config)
        ports.enter_context(choosing_ports())
        broker = _embedded(run, settings)
        url = broker.url if broker else settings.broker.url
        title = f"sluice · {settings.site} · {broker.engine if broker else 'broker'} {url.removeprefix('mqtt://')}"
        stop = _Stop(run.seconds)
        with Terminal(run.data, console, title=title) as terminal:
            supervisor = Supervisor(_parts(run, settings, broker, url), hear=terminal.hear)
            _greet(terminal, run, broker, settings)
            try:
                supervisor.start()
                ports.close()
                _watch(supervisor, terminal, stop, run, lambda: _up(settings, url, supervisor))
            except ChildProcessError as error:
                raise StartError(f"{error}; what it said stands above") from None
            finally:
                terminal.link = "stopping"
                used = memories(supervisor.pids())
                supervisor.stop()
                terminal.poll()
    document = {**status(run.data), "memory": used}
    _say_goodbye(console, run)
    return document


def _check_store(data: Path) -> None:
    """Bring an older store up to date, and refuse to start on one that cannot be read: no process could go on with it."""
    store = data / "store.db"
    if not store.exists():
        return
    try:
        open_writer(store).close()
    except StoreError as error:
        raise StartError(f"{error}; move it away to start with an empty one (the journal is kept apart)") from None


class _Stop:
    """Tells when it is over: by a signal, or when the time asked for has passed."""

    def __init__(self, seconds: float | None) -> None:
        self.asked = False
        self._until = None if seconds is None else monotonic() + seconds
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait, at most so long; tell whether it is over."""
        give_up = monotonic() + seconds
        if self._until is not None:
            give_up = min(give_up, self._until)
        while not self.asked and (left := give_up - monotonic()) > 0:
            sleep(min(left, 0.05))
        return self.asked or (self._until is not None and monotonic() >= self._until)


def _watch(supervisor: Supervisor, terminal: Terminal, stop: _Stop, run: Run, note: Callable[[], dict[str, Any]]) -> None:
    """Look after the processes and show what happens, until it is over."""
    noted: dict[str, Any] = {}
    while True:
        if noted.get("processes") != (now := note())["processes"]:
            noted = now
            write_state(run.data / UP_STATE, noted)
        if stop.wait(_LOOK):
            return
        supervisor.look()
        terminal.link = read_state(run.data / GATEWAY_STATE).get("link", "connecting")
        terminal.poll()


def _embedded(run: Run, settings: Settings) -> EmbeddedBroker | None:
    broker = settings.broker
    if not broker.embedded:
        return None
    try:
        return plan(
            run.data / "broker", engine=broker.engine, listen=str(broker.listen), username=broker.username, password=broker.password
        )
    except OSError as error:
        raise StartError(str(error)) from None


def _parts(run: Run, settings: Settings, broker: EmbeddedBroker | None, url: str) -> list[Part]:
    python = [sys.executable, "-m"]
    folders = ["--config", str(run.config), "--data", str(run.data)]
    parts = []
    if broker:
        host, port = broker.host, broker.port
        parts.append(Part("broker", broker.command, broker.environment, ready=lambda: answers(host, port)))
    parts.append(Part("flows", [*python, "flows.run", *folders], grace=3.0))
    parts.append(Part("gateway", [*python, "gateway.run", *folders, "--broker-url", url]))
    if run.scenario:
        parts.append(Part("simulator", [*python, "simulator.run", "--scenario", str(run.scenario), *_simulator_access(run, settings, url)]))
    return parts


def _simulator_access(run: Run, settings: Settings, url: str) -> Sequence[str]:
    broker = settings.broker
    words = ["--broker-url", url, "--state", str(run.data / "simulator.json"), "--truth", str(run.data / "truth.jsonl")]
    if broker.username and broker.password_file:
        words += ["--username", broker.username, "--password-file", str(broker.password_file)]
    return [*words, "--ca-file", str(broker.ca_file)] if broker.ca_file else words


def _up(settings: Settings, url: str, supervisor: Supervisor) -> dict[str, Any]:
    return {"site": settings.site, "broker": url, "started": time_ns(), "processes": supervisor.pids()}


def _greet(terminal: Terminal, run: Run, broker: EmbeddedBroker | None, settings: Settings) -> None:
    if broker is None:
        terminal.say(f"broker    {settings.broker.url}")
    else:
        _greet_embedded(terminal, broker, settings)
    terminal.say(f"data      {run.data}   config  {run.config}")
    if run.scenario:
        terminal.say(f"demo      {run.scenario.stem}: simulated devices on that broker; Ctrl-C ends everything")


def _greet_embedded(terminal: Terminal, broker: EmbeddedBroker, settings: Settings) -> None:
    listen = settings.broker.listen
    terminal.say(f"broker    embedded {broker.engine} on {broker.url}")
    if broker.taken:
        use = (
            f"; a broker answers there: to use it, SLUICE_BROKER__URL=mqtt://{listen} sluice up"
            if speaks_mqtt(listen.host, listen.port)
            else ""
        )
        terminal.say(f"          port {listen.port} is taken{use}")
    if broker.engine == "amqtt":
        terminal.say("          amqtt keeps nothing while Sluice is away; with mosquitto installed, Sluice uses that")


def _say_goodbye(console: Console, run: Run) -> None:
    console.print(ledger_line(read_ledger(run.data, at_rest=True)), highlight=False, soft_wrap=True)
    console.print(f"stopped; `sluice up` on {run.data} goes on from here", highlight=False, soft_wrap=True)
