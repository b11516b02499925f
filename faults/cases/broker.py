"""What happens to the broker and to the session that the gateway has there."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from functools import partial
from time import time
from typing import Any

from faults.fault import fault
from faults.rig.publishers import Sent
from faults.rig.rig import SITE, Rig
from gateway.bench.process import Taken


@fault("F01", "broker away while publishers buffer", scaled="10 min → 40 s away")
def away(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(500, 800), seconds=rig.length(60, 2.5))
    rig.pause(rig.length(10, 0.5))
    broker = rig.broker()
    broker.stop()
    before = rig.status()["ledger"]["received"]
    rig.pause(rig.length(40, 1))
    used = _seconds_of_processor(sluice.processes().values())
    rig.pause(rig.length(5, 0.2))
    share = (_seconds_of_processor(sluice.processes().values()) - used) / rig.length(5, 0.2)
    rig.must(rig.status()["ledger"]["received"] >= before, "what had come stays")
    broker.start()
    rig.recovered(30)
    rig.note(f"processor while the broker is away: {100 * share:.0f} % of a core")
    if rig.full:
        rig.must(share < 0.05, f"less than 5 % of a core while it is away; took {100 * share:.0f} %")
    rig.account()


def _seconds_of_processor(pids: Iterable[int]) -> float:
    return sum(Taken.by(pid).cpu for pid in pids)


@fault("F02", "broker restarted under load, sessions kept", scaled="20 restarts, 500 messages/s")
def restarted(rig: Rig) -> None:
    times = round(rig.length(20, 2))
    broker, sluice = rig.broker(), rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(500, 800), seconds=rig.length(times * 5.0, 2.5))
    took = []
    for _ in range(times):
        rig.pause(rig.random.uniform(rig.length(2.5, 0.2), rig.length(4.0, 0.5)))
        broker.stop()
        broker.start()
        before = rig.status()["ledger"]["received"]
        took.append(rig.wait(partial(_received, rig, before + 50), "messages come in again", 30))
    rig.note(f"messages came in again after {max(took):.1f} s at most")
    rig.recovered(30)
    found = rig.account()
    rig.must(found.extra <= 1000 * times, f"EXTRA at most what was in flight; got {found.extra}")


@fault("F03", "broker killed, its sessions lost", scaled="5 kills, nothing is kept on its disk")
def sessions_lost(rig: Rig) -> None:
    """What the broker had acknowledged to publishers and not handed on yet is gone with it: the gap that `devices` shows must be that."""
    broker = rig.broker(persistent=False)
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(500, 500), seconds=rig.length(30, 4))
    took = []
    for _ in range(round(rig.length(5, 1))):
        rig.pause(rig.length(4, 0.7))
        broker.stop(signal.SIGKILL)
        broker.start()
        before = rig.status()["ledger"]["received"]
        took.append(rig.wait(partial(_received, rig, before + 50), "messages come in again", 60))
    rig.note(f"subscribed again after {max(took):.1f} s at most")
    rig.must(max(took) < 5, f"subscribed again within 5 s; took {max(took):.1f} s")
    rig.recovered(30)
    load.wait()
    rig.settle()
    sent = {(one.device, one.seq) for one in load.sent()}
    found = rig.account(settled=False)
    # Between the kill and the gateway's new subscription, publishers that are faster speak to nobody: the broker had no session then.
    unheard = found.lost
    rig.result.missed = [bar for bar in rig.result.missed if not bar.startswith("LOST")]
    rig.note(f"{unheard} messages were acknowledged by a broker that had nobody to hand them to, of {len(sent):,}")
    rig.must(unheard <= 1000 * rig.length(5, 1) + 500 * sum(took), "no more is missing than the broker took in without a session")


@fault("F24", "two gateways with one client id, and a third beside them", scaled="30 s")
def twins(rig: Rig) -> None:
    broker, sluice = rig.broker(), rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(200, 500), seconds=rig.length(30, 2))
    name = f"sluice-{SITE}"
    before = broker.said(f"as {name} (")
    twin = rig.voice(name=name, session=True)  # it comes back whenever it is thrown out, a second later
    rig.wait(lambda: "another client" in str(rig.status().get("link")), "the link says that another client has its name", 20)
    rig.note(f"link: {rig.status().get('link')}")
    rig.pause(rig.length(20, 0))
    tries = broker.said(f"as {name} (") - before
    rig.must(tries <= 10, f"fewer than 5 reconnects a minute of each of the two; got {tries} connections under the name")
    twin.close()
    if not rig.full:
        return  # the gateway stays away for half a minute
    rig.wait(sluice.connected, "the link is up again", 90)
    rig.recovered(60)
    rig.account()


@fault("F26", "gateway away for longer than the broker's queue holds", scaled="10 min → 20 s, the broker's own limits")
def queue_too_short(rig: Rig) -> None:
    """Mosquitto keeps 1,000 messages beyond those in flight: what it drops is told by the gaps in each device's numbers."""
    rig.broker(unlimited=False)
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(400, 900), seconds=rig.length(30, 5.5), devices=20)
    rig.pause(rig.length(4, 0.5))
    sluice.stop()
    rig.pause(rig.length(20, 0.3))
    sluice.start()
    rig.recovered(30)
    rig.settle()
    before = rig.status()["ledger"]["received"]
    last = {one.device: one for one in load.sent()}.values()
    rig.say([Sent(one.device, one.seq + 20, round(time() * 1000), 21.5) for one in last])  # else nothing shows what is missing at the end
    rig.wait(lambda: _received(rig, before + len(last) - 1), "the last word of each device has come")
    found = rig.account()
    rig.result.missed = [bar for bar in rig.result.missed if not bar.startswith("LOST")]
    rig.note(f"the broker dropped {found.lost:,}")
    rig.wait(
        lambda: sum(_missing(device, step=20) for device in sluice("devices")["devices"]) == found.lost, "the gaps say the same number", 10
    )


def _received(rig: Rig, number: int) -> bool:
    """Tell whether more than so many messages have come, ever."""
    return bool(rig.status()["ledger"]["received"] > number)


def _missing(device: dict[str, Any], *, step: int) -> int:
    """Give how many messages of a device are missing: its numbers go up by `step`, since the devices of a load share one count."""
    messages = next(one["count"] for one in device["metrics"] if one["metric"] == "seq")
    return round((device["missed"] + messages - 1) / step) - (messages - 1) if device["missed"] else 0


@fault("F32", "publishers at QoS 2, the gateway killed", scaled="20 kills")
def quality_two(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    voice = rig.voice()
    number = 0
    for _ in range(round(rig.length(20, 2))):
        for _ in range(round(rig.length(100, 60))):
            number += 1
            voice.say(f"load/d-{number % 20 + 1:04}", f'{{"seq": {number}, "temperature": 21.5}}', qos=2)
        rig.pause(rig.random.uniform(0, 0.3))
        sluice.kill("gateway")
        rig.pause(rig.length(0.8, 0.2))
    rig.recovered(60)
    rig.wait(lambda: rig.status()["ledger"]["normalised"] >= number and rig.status()["ledger"]["pending"] == 0, "all is read", 60)
    ledger = rig.status()["ledger"]
    rig.must(ledger["normalised"] == number, f"{number} sent at QoS 2 are stored once; got {ledger['normalised']}")
    rig.settings["broker"]["subscribe"] = [{"topic": "#", "qos": 2}]
    rig.write_settings()
    findings = sluice("check", code=2)["findings"]
    rig.note(f"a subscription at QoS 2: {findings[0]['message']}")
    rig.must("qos" in findings[0]["message"] or findings[0]["got"] == "2", "a subscription at QoS 2 is refused with its reason")


@fault("F22", "many retained messages at start, and at every reconnect", scaled="100,000 topics; 20 reconnects")
def retained(rig: Rig) -> None:
    count = round(rig.length(100_000, 3_000))
    broker = rig.broker()
    with rig.voice() as voice:
        for first in range(0, count, 2_000):
            voice.say_all(
                [(f"load/d-{n:06}", f'{{"seq": {n}, "temperature": 35.5}}') for n in range(first, min(first + 2_000, count))], retain=True
            )
    sluice = rig.sluice()
    sluice.start(within=60)
    took = rig.wait(lambda: rig.status()["ledger"]["received"] >= count and rig.status()["ledger"]["pending"] == 0, "all are read", 120)
    rig.note(f"{count:,} retained messages were read {took:.1f} s after the link was up")
    rig.must(took < 60, f"ready within 60 s; took {took:.1f} s")
    windows = rig.status()["windows"]
    for _ in range(round(rig.length(20, 2))):
        broker.stop()
        broker.start()
        rig.wait(sluice.connected, "the link is up again", 30)
        rig.pause(rig.length(2.5, 0.1))  # what is cut within two seconds, again and again, waits longer each time
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "all are read", 60)
    status = rig.status()
    rig.must(
        status["ledger"]["received"] <= count * 2,
        f"retained messages do not come again with each reconnect; got {status['ledger']['received']:,}",
    )
    rig.must(sum(windows.values()) == sum(status["windows"].values()) == 0, f"no window of retained values; got {status['windows']}")
    rig.must(status["commands"].get("requested", 0) == 0, "no command follows from retained values")
    rig.must(not status["ledger"]["flaws"], f"the ledger balances; got {status['ledger']['flaws'][:3]}")
