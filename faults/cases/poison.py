"""What makes processing fail, or ends it."""

from __future__ import annotations

from faults.fault import fault
from faults.rig.rig import Rig

BUG = '''\
"""A bug for the test, put into the decoding: some payloads raise, end the process, or never come to an end."""
import os
import sys

if sys.argv[0].endswith("flows/run.py") or "flows.run" in sys.orig_argv:
    from devices import payloads

    sound = payloads.read

    def read(payload, *words, **named):
        if b"poison-raise" in payload:
            raise RuntimeError("a bug")
        if b"poison-kill" in payload:
            os.kill(os.getpid(), 9)
        return sound(payload, *words, **named)

    payloads.read = read
'''


@fault("F31", "a message that raises in processing, and one that kills it", scaled="60 s")
def poison(rig: Rig) -> None:
    place = rig.folder / "bug"
    place.mkdir()
    (place / "sitecustomize.py").write_text(BUG)
    sluice = rig.sluice(environment={"PYTHONPATH": str(place)})
    sluice.start()
    rig.publish(rate=rig.length(200, 400), seconds=rig.length(60, 5))
    rig.pause(rig.length(5, 0.3))
    with rig.voice() as voice:
        voice.say_all(
            [
                ("plant/raise", '{"note": "poison-raise"}'),
                ("plant/kill", '{"note": "poison-kill"}'),
                ("plant/after", '{"temperature": 1.5}'),
            ]
        )
    took = rig.wait(
        lambda: rig.status()["ledger"]["dead_letters"] >= 2 and rig.status()["ledger"]["pending"] < 2_000, "both are set aside", 90
    )
    rig.note(
        f"set aside, and all others read, after {took:.1f} s; the flows were started again {rig.status()['restarts']['flows']['count']} times"
    )
    rig.must(took < 30, f"others are delayed by less than 30 s; {took:.1f} s")
    rig.recovered(60)
    rig.account(pure=False)
    rig.must(rig.status()["ledger"]["dead_letters"] == 2, f"these two alone are dead letters; got {rig.status()['ledger']['dead_letters']}")
    for letter in sluice.lines("dead-letters"):
        rig.note(f"{letter['topic']}: {letter['reason']}")
