"""What ends processes: kill -9 at random moments, and being asked to end."""

from __future__ import annotations

from functools import partial
from time import monotonic

from faults.fault import fault
from faults.rig.rig import Rig
from faults.undisturbed import difference
from gateway.bench.waiting import until


@fault("F04", "kill -9 of gateway, flows and all, at random", scaled="100 kills, 2,000 messages/s")
def killed(rig: Rig) -> None:
    """A third of the kills takes everything; then `up` is started again. Between two kills a random moment passes."""
    kills = round(rig.length(100, 3))
    sluice = rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(2000, 1000), seconds=rig.length(kills * 2.8, 2.5))
    starts = []
    for number in range(kills):
        rig.pause(rig.random.uniform(0.05, rig.length(1.5, 0.6)))
        victim = ("gateway", "flows", "everything")[number % 3]
        began = monotonic()
        if victim == "everything":
            sluice.kill_everything()
            sluice.start(ready=False)
        else:
            before = until(partial(sluice.process, victim), f"{victim} runs")
            sluice.kill(victim)
            until(partial(sluice.replaced, victim, before), f"{victim} was started again")
        until(lambda: _settled(rig), "the link is up again, and the flows read")
        starts.append(monotonic() - began)
    rig.note(f"{kills} kills; from the kill to a working gateway {max(starts):.1f} s at most, {sum(starts) / len(starts):.1f} s on average")
    rig.must(max(starts) < 10, f"each start within 10 s; the longest took {max(starts):.1f} s")
    rig.recovered(30)
    rig.account()
    differs = difference(rig.config, rig.data)
    rig.must(not differs, f"the decisions of a run without kills, in their order; {differs[:300]}")


def _settled(rig: Rig) -> bool:
    status = rig.status()
    return status.get("link") == "connected" and {"gateway", "flows"} <= set(status.get("memory", {}))


@fault("F05", "SIGTERM under load, again and again", scaled="20 times, 2,000 messages/s")
def asked_to_end(rig: Rig) -> None:
    times = round(rig.length(20, 2))
    sluice = rig.sluice()
    sluice.start()
    rig.publish(rate=rig.length(2000, 1000), seconds=rig.length(times * 5.0, 2.5))
    took = []
    for _ in range(times):
        rig.pause(rig.random.uniform(0.1, rig.length(1.5, 0.5)))
        took.append(sluice.stop())
        sluice.start()
    rig.note(f"{times} ends; each took {max(took):.1f} s at most")
    rig.must(max(took) < 5, f"ends within 5 s under load; took {max(took):.1f} s")
    rig.recovered(30)
    found = rig.account()
    rig.must(found.extra == 0, f"EXTRA 0; got {found.extra}")
