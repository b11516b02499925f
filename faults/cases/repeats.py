"""What comes twice."""

from __future__ import annotations

from faults.fault import fault
from faults.rig.rig import Rig


@fault("F13", "messages said again: 20 % at once, then all of them", scaled="20 s; everything is said twice")
def said_again(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(500, 800), seconds=rig.length(20, 2.5))
    rig.settle()
    before = rig.status()["commands"]["requested"]
    sent = list(load.sent())
    again = [(f"load/{one.device}", f'{{"ts": {one.ts}, "seq": {one.seq}, "temperature": {one.temperature}}}') for one in sent]
    with rig.voice() as voice:
        for first in range(0, len(again), 500):
            some = again[first : first + 500]
            voice.say_all([one for one in some if rig.random.random() < 0.2])
        for first in range(0, len(again), 500):
            voice.say_all(again[first : first + 500])
    rig.recovered(30)
    rig.account()
    ledger = rig.status()["ledger"]
    rig.note(f"{ledger['duplicates']:,} of {ledger['received']:,} messages were repeats, and counted as such")
    rig.must(ledger["duplicates"] >= len(again), f"every repeat is counted; got {ledger['duplicates']:,}")
    rig.must(rig.status()["commands"]["requested"] == before, "no second command")
