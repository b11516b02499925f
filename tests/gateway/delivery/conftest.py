"""A store to deliver from, the strict server to deliver to, and a way to run a delivery until something is so."""

from __future__ import annotations

import asyncio
import importlib.util
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest

from devices.reading import Reading
from gateway.delivery.backoff import Backoff
from gateway.delivery.delivery import Delivery
from gateway.delivery.influx import Influx, InfluxTarget
from gateway.delivery.label_tags import LabelTags
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, Derived, DeviceLearned, ReadingKept, WindowClosed
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
DEADLINE = 20.0
GROUP = (("device", "t1"),)


def _load(name):
    spec = importlib.util.spec_from_file_location(f"delivery_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def line_protocol():
    """Give the strict parser."""
    return _load("influx_server").parse


@pytest.fixture
def influx(free_port):
    """Give a running strict server."""
    server = _load("influx_server").InfluxServer(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(tmp_path):
    """Give an open store."""
    with Store(tmp_path / "store.db") as opened:
        yield opened


def _reading(number, device="t1", metric="temperature", value=20.5, **further):
    at = T0 + number * 1_000_000_001
    settings = {"key": metric, "unit": "°C", "raw_value": value, "raw_unit": "°C", "ts": at, "received": at, "convention": "plain-json"}
    return ReadingKept(number << 20, Reading(device=device, metric=metric, value=value, **settings | further))


def _window(number, revision=1, flow="climate", group=GROUP, **values):
    end = T0 + number * 60_000_000_000
    return WindowClosed(
        f"{flow}/{group}/{number}/{revision}", flow, group, end - 60_000_000_000, end, revision, 6, values or {"warm": 20.5}, end
    )


def _alert(number, state="raised", message="t1 at 29 °C", group=GROUP):
    at = T0 + number
    why = {"rule": "warm > 28", "values": {"warm": 29}, "since": T0, "raised": at, "held": 2, "last_clear": None}
    return AlertChanged(f"a{number}/{state}", f"a{number}", "climate", group, state, "warning", message, why, at, at)


def _command(number):
    at = T0 + number
    return CommandRequested(f"c{number}", "climate", GROUP, f"a{number}", "fan", {"state": "ON"}, 10**10, 3, at + 10**11, at, at)


def _fact(number, state, attempt=1):
    return CommandFact(f"c{number}/{state}/{attempt}", f"c{number}", "fan", "climate", state, attempt, {"state": "ON"}, "", T0 + number + 5)


def _derived(number):
    at = T0 + number
    return Derived(f"d{number}", "climate", GROUP, "t1", "comfort", "", 21.5, "°C", {}, at, at)


@pytest.fixture(scope="session")
def make():
    """Give the makers of effects."""
    return SimpleNamespace(
        reading=_reading,
        window=_window,
        alert=_alert,
        command=_command,
        fact=_fact,
        derived=_derived,
        learned=DeviceLearned,
        t0=T0,
        group=GROUP,
    )


@pytest.fixture
def to_influx(influx, tmp_path):
    """Make the destination for the strict server."""
    right = influx.token

    def destination(*, labels=(), most=10_000, **further):
        target = {"token": lambda: right, "timeout": 5.0}
        target |= {key: further.pop(key) for key in ("token", "timeout", "gzip", "connect_timeout") if key in further}
        return Influx(
            InfluxTarget(influx.url, influx.org, influx.bucket, **target),
            site="greenhouse",
            tags=LabelTags(labels, most),
            cursor=tmp_path / "delivery" / "influxdb.db",
            **{"linger": 0.0} | further,
        )

    return destination


@pytest.fixture
def running(tmp_path):
    """Run a delivery for the length of a block."""

    @asynccontextmanager
    async def run(destination, **further):
        settings = {"backoff": Backoff(first=0.01, cap=0.1, slow=0.05), "poll": 0.02} | further
        delivery = Delivery(destination, store=tmp_path / "store.db", cursor=tmp_path / "delivery" / f"{destination.name}.db", **settings)
        task = asyncio.create_task(delivery.run())
        try:
            yield delivery
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return run


@pytest.fixture
def so():
    """Wait in a coroutine until something is so; the deadline only ends a test that fails."""

    async def wait(condition, deadline=DEADLINE):
        give_up = monotonic() + deadline
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            assert monotonic() < give_up, f"still not so after {deadline} s"
            await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def drained(so):
    """Wait until a delivery has nothing pending; gives its state."""

    async def wait(delivery):
        async def state():
            now = await delivery.state()
            return now if now and now.pending == 0 else None

        return await so(state)

    return wait
