"""Too much: bursts, a load that never ends, and devices without number."""

from __future__ import annotations

import json
from time import monotonic

from faults.fault import fault
from faults.rig.rig import Rig
from gateway.status import memory

ALARM = """\
name: alarm
select: {metrics: [smoke]}
group: [device]
window: none
trigger: {when: value > 0.5, clear: value < 0.5}
do:
  - command: {device: siren, set: {state: "ON"}, confirm: {within: 1s, retries: 0}}
    on_clear: {set: {state: "OFF"}}
"""
SIREN = "devices: [siren]\nconvention: plain_json\nbase: plant/siren\n"


@fault("F15", "ten times what flows can keep up with, for a minute, at QoS 1", scaled="10 min → 60 s")
def burst(rig: Rig) -> None:
    """The load goes as fast as the broker takes it; alarms at QoS 1 go out beside it on the same broker."""
    _alarm(rig)
    sluice = rig.sluice(history=False)
    sluice.start()
    idle = _memory(rig)
    load = rig.publish(rate=rig.length(40_000, 20_000), seconds=rig.length(60, 1), devices=1000)
    delays = _alarms(rig, seconds=rig.length(60, 1))
    load.wait()
    took = rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything has been read", 600)
    rig.note(
        f"after the burst everything was read within {took:.1f} s; flows and gateway took {(_memory(rig) - idle) / 1e6:.0f} MB more than idle"
    )
    rig.note(f"alarm to command while it lasts: {_spread(delays)}")
    after = _alarms(rig, seconds=1)
    rig.note(f"and after it: {_spread(after)}")
    rig.recovered(60)
    rig.account(pure=False)


@fault("F16", "overload that does not end, at QoS 0: the loudest are shed", scaled="1 h → 60 s")
def overload(rig: Rig) -> None:
    _alarm(rig)
    rig.settings["limits"] = {"lag": "1s"}
    sluice = rig.sluice(history=False)
    sluice.start()
    quiet = rig.publish(rate=20, seconds=rig.length(60, 2.5), devices=20)
    loud = rig.publish(rate=rig.length(60_000, 30_000), seconds=rig.length(60, 2.5), devices=5, qos=0)
    delays = _alarms(rig, seconds=rig.length(60, 2))
    loud.wait()
    quiet.wait()
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything has been read", 300)
    status = rig.status()
    rig.note(
        f"alarm to command while it lasts: {_spread(delays)}; shed {status['ledger'].get('shed', 0):,} of {status['ledger']['received']:,}"
    )
    rig.loads.remove(loud)
    rig.recovered(60)
    rig.account(pure=False)


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
                at_limit = _memory(rig)
    rig.wait(lambda: rig.status()["ledger"]["received"] >= names, "all names came", 120)
    grown = _memory(rig) - at_limit
    rig.recovered(60)
    rig.account(pure=False)
    ledger = rig.status()["ledger"]
    rig.note(f"{ledger['dead_letters']:,} of {names:,} names refused; beyond the limit memory grew by {grown / 1e6:.0f} MB")
    rig.must(ledger["dead_letters"] >= names - limit, "what is beyond the limit is refused, and counted")
    rig.must(grown < 40e6, f"memory is bounded; grew by {grown / 1e6:.0f} MB")


def _alarm(rig: Rig) -> None:
    (rig.config / "flows" / "alarm.yaml").write_text(ALARM)
    (rig.config / "devices" / "siren.yaml").write_text(SIREN)


def _alarms(rig: Rig, *, seconds: float) -> list[float]:
    """Raise and clear an alarm again and again; give the seconds from saying it to hearing the command."""
    delays = []
    with rig.voice(hears=["plant/siren/#"]) as voice:
        until, on = monotonic() + seconds, True
        while monotonic() < until:
            heard, began = len(voice.heard), monotonic()
            voice.say("hall/smoke-1", json.dumps({"smoke": 1.0 if on else 0.0}))
            rig.wait(lambda h=heard, v=voice: len(v.heard) > h, "the siren is told", 90)
            delays.append((voice.heard[heard].at if len(voice.heard) > heard else monotonic()) - began)
            on = not on
            rig.pause(0.2)
    return delays


def _spread(delays: list[float]) -> str:
    ordered = sorted(delays)
    return f"p50 {ordered[len(ordered) // 2] * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms of {len(ordered)}"


def _memory(rig: Rig) -> int:
    return sum(memory(pid) for name, pid in rig.sluice().processes().items() if name in {"gateway", "flows"})
