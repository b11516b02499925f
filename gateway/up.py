"""`sluice up`: plan the processes, run them, show what happens, and end with a status document."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic, sleep, time_ns
from typing import Any

import structlog
from rich.console import Console
from rich.markup import escape

from gateway.ballast import Ballast
from gateway.broker.embedded import EmbeddedBroker, answers, choosing_ports, plan, speaks_mqtt
from gateway.broker.pulse import Pulse
from gateway.config import LastGood
from gateway.disk import free
from gateway.heartbeat import BROKER, FLOWS, GATEWAY
from gateway.member import MemberError, member_at
from gateway.mend import mend
from gateway.notify import Notifier
from gateway.part import Part
from gateway.settings import Settings
from gateway.state_file import write_state
from gateway.status import CONNECTING, UNREADABLE, UP_STATE, hold_lock, memories, read_ledger, status
from gateway.supervisor import Supervisor
from gateway.terminal import STOPPING, Terminal, ledger_line

log = structlog.get_logger()

_LOOK, _LOOK_AT_START = 0.25, 0.02
"""Seconds between looks at the processes and the store; while they start, each waits for the one before."""
_MENDING = 60.0
"""Seconds more that systemd is asked for, again and again, while a damaged data folder is mended."""


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
        service = Notifier()
        _ease(run.data, settings)
        mended = _mend_first(run.data, service)
        _start_config(run)
        _check_member(settings)
        _check_health(settings)
        ports.enter_context(choosing_ports())
        broker = _embedded(run, settings)
        url = broker.url if broker else settings.broker.url
        title = f"sluice · {settings.site} · {broker.engine if broker else 'broker'} {url.removeprefix('mqtt://')}"
        stop = _Stop(run.seconds)
        with Terminal(run.data, console, title=title) as terminal:
            supervisor = Supervisor(
                _parts(run, settings, broker, url), hear=terminal.hear, mend=partial(_mend_beside, run.data, terminal, service)
            )
            _greet(terminal, run, broker, settings, mended)
            try:
                noted = _Noted(run.data, {"site": settings.site, "broker": url, "started": time_ns(), "reserve": settings.disk.reserve})
                _watch(supervisor, terminal, stop=stop, service=service, noted=noted, ports=ports)
            except ChildProcessError as error:
                raise StartError(f"{error}; what it said stands above") from None
            finally:
                terminal.link = STOPPING
                service.stopping()
                used = memories(supervisor.pids())
                _ease(run.data, settings)
                supervisor.stop()
                terminal.poll()
    document = {**status(run.data), "memory": used}
    _say_goodbye(console, run)
    return document


def _ease(data: Path, settings: Settings) -> None:
    """Give up the ballast on a full disk: a start, and the end of a broker that writes down what it holds, need some room."""
    with suppress(OSError):
        if free(data) < settings.disk.reserve // 4:
            Ballast(data, settings.disk.reserve).give_up()


def _mend(data: Path, service: Notifier) -> list[str]:
    """Set aside what is damaged in the data folder; give a sentence for each. It is done in a thread, so that systemd hears meanwhile that we turn."""
    said: list[str] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            said.extend(mend(data))
        except Exception as error:  # noqa: BLE001  raised again below, in the thread that waits
            failed.append(error)

    worker = Thread(target=work, name="mend", daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(_LOOK)
        service.turn()
        service.busy(_MENDING)
    for error in failed:
        raise error
    return said


def _mend_first(data: Path, service: Notifier) -> list[str]:
    try:
        return _mend(data, service)
    except UNREADABLE as error:
        raise StartError(str(error)) from error


def _mend_beside(data: Path, terminal: Terminal, service: Notifier) -> None:
    """Mend the data folder while the processes that work on it are stopped. Where that fails, they are started all the same, and tell."""
    terminal.let_go()
    try:
        said = _mend(data, service)
    except Exception as error:  # noqa: BLE001  whatever it is, the other processes are looked after
        said = [f"the data folder could not be mended: {error}"]
    for sentence in said:
        terminal.say(escape(sentence))


def _start_config(run: Run) -> None:
    try:
        LastGood(run.data).start(run.config)
    except OSError as error:
        raise StartError(f"{run.data}: the config cannot be copied there: {error.strerror}") from None


def _check_member(settings: Settings) -> None:
    """Say now that this host is not the one of the cluster that it is to be, or none."""
    try:
        if settings.flows.cluster:
            member_at(settings.flows.cluster, settings.flows.member)
    except MemberError as error:
        raise StartError(str(error)) from None


def _check_health(settings: Settings) -> None:
    """Say now that another program listens where the gateway is to be asked whether all is well."""
    if settings.health is None:
        return
    listen = settings.health.listen
    if answers(listen.host.strip("[]"), listen.port):
        raise StartError(f"health.listen: port {listen.port} is taken: another program answers at {listen}")


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


class _Noted:
    """What `up.json` says: what runs, and how often it was started again."""

    def __init__(self, data: Path, constant: dict[str, Any]) -> None:
        self._path = data / UP_STATE
        self._constant = constant
        self._written: dict[str, Any] = {}

    def note(self, supervisor: Supervisor) -> None:
        """Write it where it has changed; on a full disk, the next time."""
        now = {**self._constant, "processes": supervisor.pids(), "restarts": supervisor.restarts()}
        if now != self._written:
            with suppress(OSError):
                write_state(self._path, now)
                self._written = now


def _watch(supervisor: Supervisor, terminal: Terminal, *, stop: _Stop, service: Notifier, noted: _Noted, ports: ExitStack) -> None:
    """Look after the processes and show what happens, until it is over. Ports are chosen when the first process listens."""
    started, looked = False, 0.0
    while not stop.wait(_LOOK if started else _LOOK_AT_START):
        supervisor.look()
        noted.note(supervisor)
        service.turn()
        if supervisor.parts[0].been_up:
            ports.close()
        started = started or supervisor.all_up()
        if started and monotonic() - looked >= _LOOK:
            looked = monotonic()
            terminal.restarts = supervisor.restarts()
            terminal.poll()
            service.status(terminal.link)
            if supervisor.all_up() and terminal.link != CONNECTING:
                service.ready()


def _embedded(run: Run, settings: Settings) -> EmbeddedBroker | None:
    broker = settings.broker
    if not broker.embedded:
        return None
    try:
        return plan(
            run.data / "broker",
            engine=broker.engine,
            listen=str(broker.listen),
            username=broker.username,
            password=broker.password,
            longest_packet=settings.limits.longest_packet,
        )
    except OSError as error:
        raise StartError(str(error)) from None


def _parts(run: Run, settings: Settings, broker: EmbeddedBroker | None, url: str) -> list[Part]:
    python = [sys.executable, "-m"]
    folders = ["--config", str(run.config), "--data", str(run.data)]
    parts = []
    if broker:
        host, port = broker.host, broker.port
        alive = run.data / BROKER
        parts.append(Part("broker", broker.command, broker.environment, ready=lambda: answers(host, port), alive=alive))
        Pulse(broker, alive).start()
    flows, gateway = [*python, "flows.run", *folders], [*python, "gateway.run", *folders, "--broker-url", url]
    parts.append(Part("flows", flows, grace=3.0, alive=run.data / FLOWS, keeps_data=True))
    parts.append(Part("gateway", gateway, alive=run.data / GATEWAY, keeps_data=True))
    if run.scenario:
        parts.append(Part("simulator", [*python, "simulator.run", "--scenario", str(run.scenario), *_simulator_access(run, settings, url)]))
    return parts


def _simulator_access(run: Run, settings: Settings, url: str) -> Sequence[str]:
    broker = settings.broker
    words = ["--broker-url", url, "--state", str(run.data / "simulator.json"), "--truth", str(run.data / "truth.jsonl")]
    if broker.username and broker.password_file:
        words += ["--username", broker.username, "--password-file", str(broker.password_file)]
    return [*words, "--ca-file", str(broker.ca_file)] if broker.ca_file else words


def _greet(terminal: Terminal, run: Run, broker: EmbeddedBroker | None, settings: Settings, mended: Sequence[str]) -> None:
    for sentence in mended:
        terminal.say(escape(sentence))
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
    try:
        console.print(ledger_line(read_ledger(run.data, at_rest=True)), highlight=False, soft_wrap=True)
    except UNREADABLE as error:
        console.print(f"the ledger cannot be read: {error}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"stopped; `sluice up` on {run.data} goes on from here", highlight=False, soft_wrap=True)
