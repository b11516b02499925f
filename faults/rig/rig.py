"""The rig: everything that a fault test starts, what it holds to be true, and the account at its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from faults.account import Account, account, windows_there
from faults.rig.broker import Broker
from faults.rig.front import Front
from faults.rig.history import History
from faults.rig.peak import Peak
from faults.rig.proxy import Proxy
from faults.rig.publishers import Publishers, Sent, told
from faults.rig.sluice import Sluice
from faults.rig.voice import Answer, Voice
from gateway.bench.waiting import StuckError, until
from gateway.journal.reader import newest_row

SITE = "faults"
FLOW = """\
name: summary
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 1s, lateness: 500ms}
aggregate: {warm: mean(temperature), hot: max(temperature), n: count(temperature)}
trigger: {when: hot > 29.0, clear: hot < 28.0}
do:
  - command: {device: valve, set: {state: "ON"}, confirm: {within: 1s, retries: 0}}
    on_clear: {set: {state: "OFF"}}
"""
VALVE = "devices: [valve]\nconvention: plain_json\nbase: plant/valve\n"
NUMBERED = "devices: [d?-*]\nsequence: seq\n"


@dataclass
class Result:
    """What a fault came to: the account, seconds until all was well again, and the most memory (bytes) and files; `missed` are bars not held.

    `commit` is that of the working tree, where it is one of Git's.
    """

    number: str
    about: str
    account: Account | None = None
    recovered: float = 0.0
    memory: int = 0
    files: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    skipped: str = ""
    commit: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


class Rig:
    """One fault's parts in a folder of their own. `full` is the written length, scaled down as the fault says; else the short form of it."""

    def __init__(self, folder: Path, number: str, about: str, *, full: bool, seed: int = 1) -> None:
        self.folder, self.full = folder, full
        self.random = Random(seed)
        self.result = Result(number, about)
        self.config, self.data = folder / "config", folder / "data"
        self.settings: dict[str, Any] = {"site": SITE, "flows": {"snapshot": "2s"}}
        self.stack = ExitStack()
        self.loads: list[Publishers] = []
        self._said: list[Sent] = []
        self._broker: Broker | None = None
        self._history: History | None = None
        self._front: Front | None = None
        self._sluice: Sluice | None = None
        self._peak: Peak | None = None
        self._began = monotonic()
        (self.config / "flows").mkdir(parents=True)
        (self.config / "devices").mkdir()
        (self.config / "flows" / "summary.yaml").write_text(FLOW)
        (self.config / "devices" / "valve.yaml").write_text(VALVE)
        (self.config / "devices" / "numbered.yaml").write_text(NUMBERED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._peak:
                self._peak.stop()
                self.result.memory, self.result.files = self._peak.memory, self._peak.files
            for load in self.loads:
                load.stop()
            if self._sluice:
                self._sluice.stop()
        finally:
            self.stack.close()
            self.result.seconds = monotonic() - self._began

    # The parts, each made when it is first asked for

    def broker(self, **how: Any) -> Broker:
        """Give the broker; `how` (see `Broker`) counts only where it is first asked for."""
        if self._broker is None:
            self._broker = Broker(self.folder / "broker", **how)
            self._broker.start()
            self.stack.callback(self._broker.stop)
        return self._broker

    def history(self) -> History:
        """Give the history."""
        if self._history is None:
            self._history = History(self.folder / "history")
            self._history.start()
            self.stack.callback(self._history.stop)
        return self._history

    def front(self) -> Front:
        """Give what stands before the history."""
        if self._front is None:
            self._front = Front(self.history().port)
            self.stack.callback(self._front.close)
        return self._front

    def proxy(self, port: int) -> Proxy:
        """Give a proxy before a port."""
        proxy = Proxy(port, seed=self.random.randrange(2**31))
        self.stack.callback(proxy.close)
        return proxy

    def sluice(self, *, data: Path | None = None, environment: Mapping[str, str] | None = None, history: bool | None = None) -> Sluice:
        """Give the gateway, not started. Where nothing else was set, it uses the rig's broker, and its history in the full form."""
        if self._sluice is None:
            self.settings.setdefault("broker", {}).setdefault("url", self.broker().url)
            if self.full if history is None else history:
                where = {"url": self.front().url, "org": "rig", "bucket": "rig"}
                self.settings["influxdb"] = {**where, **self.settings.get("influxdb", {})}
            self.write_settings()
            self.data = data or self.data
            self._sluice = Sluice(self.config, self.data, environment=environment)
            self._peak = Peak(self._sluice.processes)
        return self._sluice

    def write_settings(self) -> None:
        (self.config / "gateway.yaml").write_text(json.dumps(self.settings, indent=1))

    def publish(self, *, rate: float, seconds: float, url: str = "", devices: int | None = None, qos: int = 1) -> Publishers:
        """Start publishers."""
        number = len(self.loads) + 1
        devices = devices or (199 if self.full else 19)  # no divisor of the load's 1,000 values: each device has many
        load = Publishers(url or self.broker().url, self.folder, rate=rate, seconds=seconds, devices=devices, qos=qos, seed=number)
        self.loads.append(load)
        return load

    def say(self, messages: Sequence[Sent]) -> None:
        """Say messages as the load would, in the order given, and count them in."""
        with self.voice() as voice:
            voice.say_all(
                [(f"load/{one.device}", json.dumps({"ts": one.ts, "seq": one.seq, "temperature": one.temperature})) for one in messages]
            )
        self._said += messages

    def told(self, truth: Path) -> None:
        """Count in what an earlier version was told: JSON Lines as the load writes them."""
        self._said += told(truth)

    def voice(self, *, hears: Sequence[str] = (), name: str = "", session: bool = False, answer: Answer | None = None) -> Voice:
        """Give a client of the broker's, to say single messages with (see `Voice`)."""
        voice = Voice(self.broker().port, name, hears=hears, session=session, answer=answer)
        self.stack.callback(voice.close)
        return voice

    # Time

    def length(self, full: float, short: float) -> float:
        """Give seconds (or a number of anything) for the form that runs."""
        return full if self.full else short

    def pause(self, seconds: float) -> None:
        """Let the load run on for a while."""
        sleep(seconds)

    # What must be so

    def must(self, held: object, bar: str) -> None:
        """Hold a bar; one that is missed is told, and the test goes on."""
        if not held:
            self.result.missed.append(bar)

    def samples(self) -> list[tuple[int, int]]:
        """Give memory (bytes) and open files of gateway and flows, every half second."""
        return self._peak.samples if self._peak else []

    def note(self, said: str) -> None:
        self.result.notes.append(said)

    def wait(self, condition: Callable[[], object], what: str, deadline: float = 60.0) -> float:
        """Wait for something that must become true; gives the seconds it took."""
        began = monotonic()
        try:
            until(condition, what, deadline)
        except StuckError as error:
            self.result.missed.append(str(error))
        return monotonic() - began

    def recovered(self, within: float) -> float:
        """Wait until the link is up and nothing has waited for 5 seconds, after the fault has gone: the time to recover."""
        seconds = self.wait(self._young, "nothing has waited longer than 5 s", max(within * 2, 60.0))
        self.result.recovered = max(self.result.recovered, seconds)
        self.must(seconds <= within, f"recovered within {within:.0f} s; took {seconds:.1f} s, {self._waiting()}")
        return seconds

    def _waiting(self) -> str:
        """Say what waits where."""
        status = self.status()
        ages = {name: round(one["oldest_age"], 1) for name, one in status.get("delivery", {}).items()}
        return f"link {status.get('link')}, {status['ledger']['pending']} to be read, the oldest to be delivered {ages} s"

    def _young(self) -> bool:
        status = self.status()
        rate = sum(load.rate for load in self.loads if load.running())
        ages = [one["oldest_age"] for one in status.get("delivery", {}).values()]
        return status.get("link") == "connected" and status["ledger"]["pending"] <= rate * 5 and max(ages, default=0.0) < 5.0

    def status(self) -> dict[str, Any]:
        assert self._sluice
        return self._sluice.status()

    def settle(self, deadline: float = 120.0) -> None:
        """Wait until everything that was sent has gone through: read by the flows, windows closed, delivered."""
        for load in self.loads:
            load.wait()
        self.wait(self._drained, "everything sent has been read, and delivered", deadline)
        self.wait(lambda: windows_there(self._sent(), self.data), "every window has closed", 30.0)
        self.wait(self._drained, "everything sent has been read, and delivered", deadline)

    def _drained(self) -> bool:
        status = self.status()
        waiting = [one["pending"] for name, one in status.get("delivery", {}).items()]
        if status.get("link") != "connected" or status["ledger"]["pending"] or any(waiting):
            return False
        newest = newest_row(self.data / "journal" / "0")
        return newest is not None and newest.live  # else what waits in the broker has not come yet

    def _sent(self) -> list[Sent]:
        """Give what must be in the store: what was acknowledged at QoS 1, and what was said by hand."""
        return [one for load in self.loads if load.qos for one in load.sent()] + self._said

    def account(self, *, pure: bool = True, settled: bool = True) -> Account:
        """Make the account, and hold the bars that every fault has."""
        if settled:
            self.settle()
        ledger = self.status()["ledger"]
        unsure = [one for load in self.loads if not load.qos for one in load.sent()]
        found = account(self._sent(), self.data, self._history, at_most_once=unsure, normalised=ledger["normalised"] if pure else None)
        self.result.account = found
        self.must(found.lost == 0, f"LOST 0; got {found.lost}")
        self.must(found.phantom == 0, f"PHANTOM 0; got {found.phantom}")
        self.must(found.doubled == 0, f"nothing stored twice; got {found.doubled}")
        self.must(found.uncounted == 0, f"UNCOUNTED 0; got {found.uncounted}")
        self.must(found.window_diff == 0, f"WINDOW DIFF 0; got {found.window_diff} of {found.windows}")
        self.must(found.command_ids <= 1, f"one command id for each trigger; got {found.command_ids}")
        self.must(not ledger["flaws"], f"the ledger balances; got {ledger['flaws'][:3]}")
        return found
