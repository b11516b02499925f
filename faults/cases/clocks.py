"""What happens to clocks: the gateway's, and the devices'."""

from __future__ import annotations

import json
from time import time

from faults.account import opened
from faults.fault import fault
from faults.rig.clock import Clock
from faults.rig.publishers import Sent
from faults.rig.rig import Rig


@fault("F11", "the gateway's clock set forth and back by an hour, and begun in 1970", scaled="10 s each, then 20 times within 2 s")
def stepped(rig: Rig) -> None:
    clock = Clock(rig.folder)
    clock.set(-time() + 100)
    sluice = rig.sluice(environment=clock.environment)
    sluice.start()
    rig.publish(rate=rig.length(500, 600), seconds=rig.length(60, 5))
    for ahead in (0, 3600, 0, -3600, 0):
        rig.pause(rig.length(10, 0.5))
        clock.set(ahead)
    for number in range(20):  # at whatever the flows are about in that moment
        rig.pause(0.1)
        clock.set(3600 * (number % 2))
    clock.set(0)
    rig.recovered(30)
    found = rig.account()
    rig.note(f"{found.windows} windows, all by the devices' own time")


@fault("F12", "poisonous times: 2099, 1970, without a zone, the year 10000", scaled="25 s")
def poisonous(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(200, 1000), seconds=rig.length(25, 2.2))
    device = "d1-0001"
    times = [4_070_908_800_000, 0, -1, 253_402_300_800_000, "2099-01-01T00:00:00", "0001-01-01T00:00:00", "10000-01-01T00:00:00Z", 1e300]
    with rig.voice() as voice:
        for _ in range(3):
            voice.say_all([(f"load/{device}", json.dumps({"ts": ts, "note": 1.5})) for ts in times])
            rig.pause(rig.length(5, 0.3))
    load.wait()
    rig.recovered(30)
    rig.account(pure=False)
    rig.must(not rig.status().get("restarts", {}).get("flows", {}).get("count"), "the flows are not started again")


@fault("F14", "out of order, late, and a backlog after an outage", scaled="shuffled within 400 ms; devices 5 min late; 20 s away")
def out_of_order(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    _shuffled(rig)
    _belated(rig)
    load = rig.publish(rate=rig.length(500, 500), seconds=rig.length(40, 3))
    rig.pause(rig.length(5, 0.5))
    sluice.kill_everything()
    rig.pause(rig.length(20, 1))
    sluice.start()
    load.wait()
    rig.recovered(30)
    rig.account()
    stale = [one for one in _commands(rig) if one["asked_late"] > 60]
    rig.must(not stale, f"no command of what was late; got {len(stale)}")


def _shuffled(rig: Rig) -> None:
    """Say messages in another order than that of their times, each at most 400 ms out of its place."""
    seconds, count = rig.length(10, 1.5), round(rig.length(6000, 2000))
    begin = time() - seconds
    messages = [_message(f"d9-{n % 20:04}", n, begin + n * seconds / count) for n in range(count)]
    rig.say(sorted(messages, key=lambda one: one.ts + rig.random.uniform(0, 400)))


def _belated(rig: Rig) -> None:
    """Let devices say something of now, then what they kept for five minutes."""
    now, count = time(), round(rig.length(3000, 300))
    fresh = [_message(f"d8-{n:04}", 99_998 + n, now) for n in range(2)]
    rig.say([*fresh, *(_message(f"d8-{n % 2:04}", n, now - 300 + n * 0.01) for n in range(count))])


def _message(device: str, seq: int, at: float) -> Sent:
    """Give a message of the time `at`, in epoch seconds."""
    return Sent(device, seq, round(at * 1000), 20 + seq % 100 / 10)


def _commands(rig: Rig) -> list[dict[str, float]]:
    """Give how long after what they are about commands were sent, in seconds."""
    query = """SELECT min(fact.time) - command.time FROM effects AS fact JOIN effects AS command
      ON command.id = json_extract(fact.body, '$.command') WHERE fact.kind = 'fact' AND fact.state = 'sent' GROUP BY command.id"""
    with opened(rig.data / "store.db") as db:
        return [{"asked_late": late / 1e9} for (late,) in db.execute(query)]
