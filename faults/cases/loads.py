"""Too much: bursts, a load that never ends, and devices without number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from math import inf
from time import monotonic
from typing import NamedTuple

from faults.account import opened
from faults.fault import fault
from faults.rig.rig import FLOW, Rig
from faults.rig.voice import Voice
from gateway.bench.waiting import until
from gateway.status import memory

ALARM = """\
name: smoke-alarm
select: {metrics: [smoke]}
group: [device]
window: none
trigger: {when: value > 0.5, clear: value < 0.5}
do:
  - command: {device: "siren-{device}", set: {state: "ON"}, confirm: {within: 1s, retries: 0}}
"""
SIREN = "devices: [siren-*]\nconvention: plain_json\nbase: plant/siren\n"


@fault("F15", "ten times what flows can keep up with, at QoS 1", scaled="10 min → 20 s, with flows that keep up with little")
def burst(rig: Rig) -> None:
    """What the flows can keep up with is measured first; alarms at QoS 1 are said beside the burst, on the same broker."""
    _slow(rig)
    sustained = _sustained(rig)
    idle = _memory(rig)
    load = rig.publish(rate=10 * sustained, seconds=rig.length(20, 1), devices=200)
    delays = _alarms(rig, seconds=rig.length(20, 1))
    load.wait()
    took = rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything has been read", 600)
    grown = _memory(rig) - idle
    rig.note(f"flows keep up with {sustained:,.0f} messages/s; {10 * sustained:,.0f}/s came, all read {took:.1f} s after the burst")
    rig.note(f"memory grew by {grown / 1e6:.0f} MB; alarm to command in the burst {delays}, after it {_alarms(rig, seconds=1)}")
    rig.must(grown < 100e6, f"memory is bounded; grew by {grown / 1e6:.0f} MB")
    rig.recovered(60)
    rig.account(pure=False)
    _within_a_second(rig, delays)


@fault("F16", "overload that does not end, at QoS 0: the loudest are shed", scaled="1 h → 30 s at three times what flows keep up with")
def overload(rig: Rig) -> None:
    rig.settings["limits"] = {"lag": "1s"}
    _slow(rig)
    sustained = _sustained(rig)
    quiet = rig.publish(rate=20, seconds=rig.length(30, 2.5), devices=20)
    loud = rig.publish(rate=3 * sustained, seconds=rig.length(30, 2.5), devices=5, qos=0)
    delays = _alarms(rig, seconds=rig.length(30, 2))
    loud.wait()
    quiet.wait()
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything has been read", 300)
    ledger = rig.status()["ledger"]
    rig.note(f"flows keep up with {sustained:,.0f} messages/s; of {ledger['received']:,} received {ledger.get('shed', 0):,} were shed")
    rig.note(f"alarm to command while it lasts: {delays}")
    rig.must(not rig.full or ledger.get("shed", 0), "what is too much is shed, and counted")
    rig.recovered(60)
    found = rig.account(pure=False)
    rig.must(found.dropped == ledger.get("shed", 0), f"the journal says what was shed, by topic; got {found.dropped:,}")
    _within_a_second(rig, delays)


@fault("F23", "a million device names", scaled="200,000 names, limits.series 20,000")
def names_without_number(rig: Rig) -> None:
    names, limit = round(rig.length(200_000, 4_000)), round(rig.length(20_000, 1_000))
    rig.settings["limits"] = {"series": limit}
    sluice = rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(200, 400), seconds=rig.length(60, 3))
    rig.wait(lambda: rig.status()["ledger"]["normalised"] > 100, "the known devices are known", 30)
    at_limit = 0
    with rig.voice() as voice:
        for first in range(0, names, 1000):
            voice.say_all([(f"bomb/x{n}", '{"temperature": 21.5}') for n in range(first, first + 1000)])
            if not at_limit and first > limit:
                rig.wait(lambda: rig.status()["ledger"]["dead_letters"] > 0, "there is no room for further names", 120)
                at_limit = _memory(rig)
    rig.wait(lambda: rig.status()["ledger"]["received"] >= names, "all names came", 120)
    rig.wait(lambda: rig.status()["ledger"]["pending"] < 2_000, "they have been read", 120)
    grown = _memory(rig) - at_limit
    rig.recovered(60)
    rig.account(pure=False)
    ledger = rig.status()["ledger"]
    rig.note(f"{ledger['dead_letters']:,} of {names:,} names refused; beyond the limit memory grew by {grown / 1e6:.0f} MB")
    rig.must(ledger["dead_letters"] >= names - limit, "what is beyond the limit is refused, and counted")
    rig.must(grown < 40e6, f"memory is bounded; grew by {grown / 1e6:.0f} MB")


@fault(
    "F33",
    "flows killed in a backlog, with urgent alarms whose sirens answer; in the end the gateway",
    scaled="4 kills, 16 s apart, beside a backlog of ten times what flows keep up with",
)
def killed_behind(rig: Rig) -> None:
    """Alarms go on all the while; what the sirens answer waits in the backlog, so that it is none for long.

    A kill may last as long as the supervisor waits, so that time counts from when the flows run again. The gateway is killed when all are told,
    and their rows wait for their turn: what is said on its next connection may not go before what lies between.
    """
    sirens = [f"siren-smoke-{n}" for n in range(round(rig.length(640, 60)))]
    _slow(rig, alarm=ALARM.replace("retries: 0", "retries: 2"), siren="")
    sustained = _sustained(rig)
    voice = rig.voice(hears=["plant/+/set"], answer=lambda heard: (heard.topic.removesuffix("/set"), heard.payload))
    voice.say_all([(f"plant/{name}", '{"state": "OFF"}') for name in sirens])
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "the sirens are known", 60)
    # In a short run the devices are new when it is measured, so that the flows are faster than that afterwards.
    load = rig.publish(rate=max(10 * sustained, rig.length(0, 15_000)), seconds=rig.length(9, 1.5), devices=200)
    rig.wait(lambda: rig.status()["ledger"]["pending"] > sustained, "flows are behind", 60)
    said: dict[str, float] = {}
    back: list[float] = []
    kills, starts = round(rig.length(4, 2)), []
    for _ in range(kills):
        for name in sirens[len(said) : len(said) + len(sirens) // kills]:
            voice.say(f"hall/{name.removeprefix('siren-')}", '{"smoke": 1.0}')
            said[name] = monotonic()
            rig.pause(rig.length(0.1, 0.02))
        starts.append(_kill(rig, "flows"))
        back.append(monotonic())
    rig.wait(lambda: said.keys() <= _told(voice).keys(), "all sirens are told", 60)
    load.wait()
    behind = rig.status()["ledger"]["pending"]
    starts.append(_kill(rig, "gateway"))
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything has been read", 600)
    rig.recovered(60)
    rig.account(pure=False)
    first = _told(voice)
    waits = sorted(_waited(at, first.get(name, inf), back) for name, at in said.items())
    states, attempts = _alarm_commands(rig)
    rig.note(
        f"{len(said)} alarms, {len(starts)} kills, working again within {max(starts):.1f} s; {behind:,} messages waited after the last"
    )
    rig.note(f"said to told {_spread(waits)}; a siren was told {len(voice.heard) - len(first)} times more than once")
    rig.must(
        waits[-1] < 15,
        f"each alarm is told within 15 s while the flows run, their start and what they read again included; took {waits[-1]:.1f} s",
    )
    rig.must(states == {"confirmed": len(said)}, f"each alarm's command is confirmed, once; got {dict(states)}")
    rig.must(attempts == len(said), f"none is tried again while its answer waits; got {attempts} attempts for {len(said)}")


def _told(voice: Voice) -> dict[str, float]:
    """Give when each actuator was told something first, by its name."""
    return {heard.topic.split("/")[1]: heard.at for heard in reversed(voice.heard)}


def _waited(said: float, told: float, back: list[float]) -> float:
    """Give the seconds from when something was said, or the flows last came back before it was told, whichever was later."""
    return told - max([said, *(at for at in back if at < told < inf)])


def _alarm_commands(rig: Rig) -> tuple[Counter[str], int]:
    """Give how the alarms' commands ended, and how often they were sent, by the facts in the store."""
    with opened(rig.data / "store.db") as db:
        ids = {json.loads(body)["id"] for (body,) in db.execute("SELECT body FROM effects WHERE (kind, flow) = ('command', 'smoke-alarm')")}
        facts = [json.loads(body) for (body,) in db.execute("SELECT body FROM effects WHERE kind = 'fact'")]
    mine = [one for one in facts if one["command"] in ids]
    return Counter(one["state"] for one in mine if one["state"] != "sent"), len(
        {(one["command"], one["attempt"]) for one in mine if one["state"] == "sent"}
    )


def _kill(rig: Rig, victim: str) -> float:
    """Kill a part and wait until it was started again; give the seconds that took."""
    sluice, began = rig.sluice(), monotonic()
    before = until(partial(sluice.process, victim), f"{victim} runs")
    sluice.kill(victim)
    until(partial(sluice.replaced, victim, before), f"{victim} was started again")
    return monotonic() - began


def _slow(rig: Rig, *, alarm: str = ALARM, siren: str = SIREN) -> None:
    """Start a gateway whose flows have much to do for each message of a load, and little for an alarm, which is urgent."""
    more = FLOW.partition("trigger:")[0].replace("length: 1s", "length: 1m")  # much to take in, little to say
    for number in range(round(rig.length(40, 8))):
        (rig.config / "flows" / f"more-{number}.yaml").write_text(more.replace("summary", f"more-{number}"))
    (rig.config / "flows" / "smoke-alarm.yaml").write_text(alarm)
    if siren:
        (rig.config / "devices" / "siren.yaml").write_text(siren)
    rig.settings["broker"] = {"urgent": ["hall/+"]}
    rig.sluice(history=False).start()


def _sustained(rig: Rig) -> float:
    """Measure how many messages a second the flows read when more than that wait for them."""
    load = rig.publish(rate=rig.length(20_000, 10_000), seconds=rig.length(2, 0.3), devices=200)
    load.wait()
    before, began = rig.status()["ledger"]["pending"], monotonic()
    took = rig.wait(
        lambda: rig.status()["ledger"]["pending"] < before / 5 or monotonic() - began > 20, "flows read what waits for them", 60
    )
    read = before - rig.status()["ledger"]["pending"]
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything has been read", 120)
    return float(max(500.0, read / max(took, 0.05)))


class Delays(NamedTuple):
    """Seconds from an alarm's being said to the siren's being told, and of that, from the decision's being in the store."""

    said: list[float]
    decided: list[float]

    def __str__(self) -> str:
        return f"said to told {_spread(self.said)}; decided to told {_spread(self.decided)}"


def _alarms(rig: Rig, *, seconds: float) -> Delays:
    """Let detectors raise alarms, one after the other."""
    delays = Delays([], [])
    query = "SELECT count(*) FROM effects WHERE kind = 'command' AND flow = 'smoke-alarm'"
    with rig.voice(hears=["plant/siren/#"]) as voice, opened(rig.data / "store.db") as db:
        ends = monotonic() + seconds

        def count() -> int:
            return int(db.execute(query).fetchone()[0])

        while monotonic() < ends:
            heard, decisions, began = len(voice.heard), count(), monotonic()
            voice.say(f"hall/smoke-{began:.3f}", json.dumps({"smoke": 1.0}))
            _await(rig, count, decisions, "the alarm is decided")
            decided = monotonic()
            _await(rig, lambda: len(voice.heard), heard, "the siren is told")
            told = voice.heard[heard].at if len(voice.heard) > heard else monotonic()
            delays.said.append(told - began)
            delays.decided.append(max(0.0, told - decided))
            rig.pause(0.1)
    return delays


def _within_a_second(rig: Rig, delays: Delays) -> None:
    rig.must(max(delays.decided) < 1.0, f"what is decided goes out within a second; took {max(delays.decided):.1f} s")
    rig.must(not rig.full or max(delays.said) < 1.0, f"an urgent alarm is told within a second; took {max(delays.said):.1f} s")


def _await(rig: Rig, count: Callable[[], int], before: int, what: str) -> None:
    """Wait until there are more than before."""
    rig.wait(lambda: count() > before, what, 120)


def _spread(delays: list[float]) -> str:
    ordered = sorted(delays)
    return f"p50 {ordered[len(ordered) // 2] * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms of {len(ordered)}"


def _memory(rig: Rig) -> int:
    return sum(memory(pid) for name, pid in rig.sluice().processes().items() if name in {"gateway", "flows"})
