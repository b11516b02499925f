"""What happens to InfluxDB, and on the way there."""

from __future__ import annotations

from itertools import pairwise
from time import monotonic

from faults.fault import fault
from faults.rig.front import Wrong
from faults.rig.rig import Rig
from gateway.status import deliveries, memory


@fault("F06", "InfluxDB away for an hour", scaled="an hour's messages at 150/s, in 90 s at 6,000/s")
def away(rig: Rig) -> None:
    rate, seconds = rig.length(6000, 1000), rig.length(90, 2)
    history, sluice = rig.history(), rig.sluice(history=True)
    sluice.start()
    rig.publish(rate=rate, seconds=rig.length(20, 2)).wait()  # what this rate takes with a history is not the outage's
    rig.wait(lambda: _delivered(rig) > 100 and _pending(rig) < 5_000, "points are delivered", 60)
    history.stop()
    before = _memory(rig)
    load = rig.publish(rate=rate, seconds=seconds)
    load.wait()
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything sent has been read", 120)
    commands = rig.status()["commands"]
    rig.must(commands["requested"] > 0, "commands do not hang on the history")
    grown = _memory(rig) - before
    backlog = _pending(rig)
    live = rig.publish(rate=rig.length(500, 200), seconds=rig.length(40, 1))
    history.start()
    began = monotonic()
    rig.wait(lambda: _pending(rig) < 5_000 or not live.running(), "the backlog is drained", 300)
    took = monotonic() - began
    drained = backlog / took
    rig.note(
        f"{backlog:,} rows waited; memory grew by {grown / 1e6:.0f} MB; drained at {drained:,.0f} rows/s beside {live.rate:,.0f} messages/s"
    )
    rig.must(grown < 50e6, f"memory grows by less than 50 MB; grew by {grown / 1e6:.0f} MB")
    rig.must(not rig.full or drained >= 5 * 2 * live.rate, f"drains at five times the live rate; at {drained:,.0f} rows/s")
    rig.recovered(60)
    rig.account()


def _delivered(rig: Rig) -> int:
    return int(deliveries(rig.data).get("influxdb", {}).get("delivered", 0))


def _pending(rig: Rig) -> int:
    return int(deliveries(rig.data).get("influxdb", {}).get("pending", 0))


def _memory(rig: Rig) -> int:
    return sum(memory(pid) for name, pid in rig.sluice().processes().items() if name in {"gateway", "flows"})


@fault("F07", "InfluxDB answers wrongly", scaled="each kind of answer for 6 s")
def wrong_answers(rig: Rig) -> None:
    sluice, front = rig.sluice(history=True), rig.front()
    sluice.start()
    long = rig.length(6, 0.5)
    load = rig.publish(rate=rig.length(500, 400), seconds=rig.length(60, 3.5))
    rig.wait(lambda: front.lines > 0, "points are delivered", 30)
    _too_many_requests(rig, seconds=2 if rig.full else 1)
    for status in (503, 500):
        front.wrong = Wrong(status)
        rig.pause(long)
        front.wrong = None
        rig.wait(lambda: _pending(rig) < 2_000, f"delivered again after {status}", 60)
    front.wrong = Wrong(413, longest=20_000)
    rig.pause(long)
    front.wrong = Wrong(lost=True)
    rig.pause(rig.length(2, 0.3))
    front.wrong = None
    if rig.full:
        front.wrong = Wrong(status=200, silent=35)
        rig.pause(5)
        front.wrong = None
    _poison(rig)
    _wrong_token(rig)
    load.wait()
    rig.recovered(90)
    rig.account(pure=False)


def _too_many_requests(rig: Rig, *, seconds: float) -> None:
    """Retry-After is honoured, to within a tenth."""
    front = rig.front()
    front.requests.clear()
    front.wrong = Wrong(429, {"Retry-After": str(round(seconds))})
    rig.wait(lambda: len(front.requests) >= 3, "it is asked again", 30)
    front.wrong = None
    times = [at for at, _ in front.requests[:3]]
    gaps = [second - first for first, second in pairwise(times)]
    rig.must(
        all(seconds * 0.9 <= gap <= seconds * 1.1 + 0.2 for gap in gaps), f"Retry-After {seconds:.0f} s is honoured; came back after {gaps}"
    )
    rig.note(f"Retry-After {seconds:.0f} s: came back after {', '.join(f'{gap:.2f}' for gap in gaps)} s")


def _poison(rig: Rig) -> None:
    """One point that the server never takes goes aside alone."""
    front = rig.front()
    front.wrong = Wrong(400, poison=lambda line: line.startswith("temperature") and "device=poison" in line)
    with rig.voice() as voice:
        voice.say_all(
            [("plant/poison", '{"temperature": 21.5}'), *((f"plant/good-{n}", '{"temperature": 21.5}') for n in range(_good(rig)))]
        )
    rig.wait(lambda: deliveries(rig.data)["influxdb"]["dead"] >= 1 and _pending(rig) < 2_000, "the point is set aside", 60)
    dead = deliveries(rig.data)["influxdb"]["dead"]
    rig.must(dead == 1, f"the poisonous point alone is a dead letter; got {dead}")
    rig.wait(lambda: _found(rig) == _good(rig), "the other points are there", 30)  # the server shows what it took a while later
    front.wrong = None


def _found(rig: Rig) -> int:
    return sum(1 for metric, _ in rig.history().series("temperature_value") if metric.get("device", "").startswith("good-"))


def _good(rig: Rig) -> int:
    return round(rig.length(999, 50))


def _wrong_token(rig: Rig) -> None:
    front = rig.front()
    front.wrong = Wrong(401, body='{"code": "unauthorized", "message": "unauthorized access"}')
    rig.publish(rate=200, seconds=rig.length(8, 1))
    rig.wait(lambda: deliveries(rig.data)["influxdb"]["alarm"], "401 is an alarm", 30)
    dead = deliveries(rig.data)["influxdb"]["dead"]
    rig.pause(rig.length(5, 0.5))
    rig.must(deliveries(rig.data)["influxdb"]["dead"] == dead, "401 drops nothing")
    front.wrong = None


@fault("F08", "slow and half-open links to InfluxDB and to the broker", scaled="30 min → 20 s for each kind")
def slow_links(rig: Rig) -> None:
    history = rig.history()
    to_history, to_broker = rig.proxy(history.port), rig.proxy(rig.broker().port)
    rig.settings["broker"] = {"url": f"mqtt://127.0.0.1:{to_broker.port}", "keepalive": "5s"}
    rig.settings["influxdb"] = {"url": f"http://127.0.0.1:{to_history.port}", "org": "rig", "bucket": "rig"}
    sluice = rig.sluice(history=False)
    sluice.start()
    rig.publish(rate=rig.length(200, 400), seconds=rig.length(120, 3))
    long = rig.length(20, 0.8)
    to_history.toxics.latency, to_history.toxics.jitter = 2.0, 1.0
    rig.pause(long)
    to_history.toxics.latency, to_history.toxics.bandwidth, to_history.toxics.slice = 0.0, 10_000, 100
    rig.pause(long)
    rig.must(rig.status()["ledger"]["pending"] < 1_000, "a slow history holds up neither journal nor flows")
    to_history.toxics.bandwidth, to_history.toxics.slice, to_history.toxics.hole = 0, 65_536, True
    rig.pause(long)
    to_history.toxics.hole = False
    to_history.cut()
    to_broker.toxics.latency, to_broker.toxics.jitter = rig.length(1.0, 0.2), rig.length(0.5, 0.1)
    rig.pause(long)
    to_broker.toxics.latency = to_broker.toxics.jitter = 0.0
    to_broker.toxics.hole = True
    took = rig.wait(lambda: rig.status().get("link") != "connected", "a dead link to the broker is noticed", 70) if rig.full else 0.0
    rig.note(f"a half-open link to the broker was noticed after {took:.1f} s, with a keep-alive of 5 s")
    to_broker.toxics.hole = False
    to_broker.cut()
    rig.recovered(60)
    rig.account()
