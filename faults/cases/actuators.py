"""What must never happen to an actuator."""

from __future__ import annotations

import json
from collections import Counter

from faults.account import opened
from faults.fault import fault
from faults.rig.rig import Rig

LOOP = """\
name: loop
select: {metrics: [temperature]}
group: [device]
window: none
trigger: {when: value > 29.0, clear: value < 28.0}
do:
  - command: {device: lamp, set: {state: "ON"}, expires: 3s, confirm: {within: 1s, retries: 1}}
    on_clear: {set: {state: "OFF"}}
"""


@fault("F29", "crash between decision and publish, stale backlog, loop, retained command, flood, broker away", scaled="60 s")
def actuators(rig: Rig) -> None:
    """The lamp's own command topic is taken in like every topic; a flood of triggers meets one command in flight for each actuator."""
    (rig.config / "flows" / "loop.yaml").write_text(LOOP)
    (rig.config / "devices" / "lamp.yaml").write_text("devices: [lamp]\nconvention: plain_json\nbase: plant/lamp\n")
    sluice, broker = rig.sluice(), rig.broker()
    sluice.start()
    listener = rig.voice(hears=["plant/lamp/#"])
    with rig.voice() as voice:
        voice.say_all([("plant/lamp/set", '{"state": "ON"}')], retain=True)
    rig.publish(rate=rig.length(500, 600), seconds=rig.length(60, 3))
    for _ in range(round(rig.length(8, 2))):
        rig.pause(rig.random.uniform(0.2, rig.length(3, 0.5)))
        sluice.kill("gateway")
        rig.pause(rig.length(2, 0.3))
    broker.stop()
    rig.pause(rig.length(10, 0.5))
    broker.start()
    rig.recovered(60)
    rig.account(pure=False)
    ids, sent, late = _lives(rig)
    rig.note(f"{len(ids)} commands of the flood, {sum(sent.values())} sent; the lamp heard {len(listener.heard)}")
    rig.must(all(count <= 2 for count in sent.values()), f"each is sent once, and once more at most; got {max(sent.values(), default=0)}")
    rig.must(not late, f"no expired command is sent; got {late}")
    status = rig.status()["commands"]
    ends = sum(status[state] for state in ("confirmed", "failed", "expired", "superseded", "refused", "waiting"))
    rig.must(status["requested"] == ends, f"every command has an end; got {status}")


def _lives(rig: Rig) -> tuple[set[str], Counter[str], list[str]]:
    """Give the ids of commands, how often each was sent, and those sent after they had expired."""
    ids: dict[str, int] = {}
    sent: Counter[str] = Counter()
    late = []
    with opened(rig.data / "store.db") as db:
        for kind, body in db.execute("SELECT kind, body FROM effects WHERE kind IN ('command', 'fact') ORDER BY seq"):
            one = json.loads(body)
            if kind == "command":
                ids[one["id"]] = one["expires"]
            elif one["state"] == "sent":
                sent[one["command"]] += 1
                if one["attempt"] == 1 and one["command"] in ids and one["time"] > ids[one["command"]]:
                    late.append(one["command"])
    return set(ids), sent, late
