"""What is said by devices that are broken, or that mean harm."""

from __future__ import annotations

import json
import math
from contextlib import suppress

from faults.account import opened, values
from faults.fault import fault
from faults.rig.rig import SITE, Rig


@fault("F17", "a flood of malformed messages", scaled="50 % for 20 s; then 20,000 in a row")
def malformed(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(300, 600), seconds=rig.length(20, 1.5))
    bad = 0
    with rig.voice() as voice:
        while load.running():
            voice.say_all([(f"broken/x-{n}", '{"temperature": 21.') for n in range(100)])
            bad += 100
        row = round(rig.length(20_000, 2_000))
        voice.say_all([("broken/x-1", '{"temperature": 21.')] * row)
        bad += row
        voice.say_all([("plant/after", '{"temperature": 21.5}')])
    took = rig.wait(lambda: "after" in _devices(rig), "the sound message behind them is stored", 60)
    rig.must(took < 5, f"the sound message behind them is stored at once; took {took:.1f} s")
    rig.recovered(30)
    rig.account(pure=False)
    ledger = rig.status()["ledger"]
    rig.must(ledger["dead_letters"] == bad, f"every one is counted; got {ledger['dead_letters']:,} of {bad:,}")
    said = sum("broken" in line for line in sluice.log.read_text(errors="replace").splitlines())
    rig.must(said < 60, f"the log says at most a line a second of them; got {said}")


@fault("F18", "hostile JSON", scaled="each kind 5 times over 20 s")
def hostile_json(rig: Rig) -> None:
    payloads: list[bytes] = [
        b"",
        b"NaN",
        b'{"temperature": NaN}',
        b'{"temperature": Infinity}',
        b'{"temperature": 1e400}',
        b'{"temperature": "nan"}',
        b'{"temperature": 1E-999999999}',
        b'{"temperature": ' + b"9" * 5000 + b"}",
        b'{"temperature": 18446744073709551616}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 1000 + b"1" + b"]" * 1000,
        b'{"temperature": 1.5, "temperature": 2.5}',
        b'{"temperature": "\\ud800"}',
        b'{"\\ud800": 1.5}',
        b"\xef\xbb\xbf" + b'{"temperature": 1.5}',
        b'{"temperature": "\\u0000"}',
        b"\xff\xfe\xfd",
        b'{"' + b"k" * 200_000 + b'": 1.5}',
        b"{" + b",".join(b'"k%d": 1.5' % n for n in range(15_000)) + b"}",
        b'{"temperature": ' + b" " * 200_000 + b"1.5}",
        b"\x00" * 1000,
    ]
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(200, 1000), seconds=rig.length(25, 2.2))
    with rig.voice() as voice:
        for turn in range(round(rig.length(5, 1))):
            voice.say_all([(f"hostile/x-{turn}-{n}", payload) for n, payload in enumerate(payloads)])
            rig.pause(rig.length(3, 0))
    load.wait()
    rig.recovered(30)
    rig.account(pure=False)
    ledger = rig.status()["ledger"]
    rig.note(f"of {len(payloads)} kinds {ledger['dead_letters']} messages became dead letters, the others what they can mean")
    rig.must(not rig.status().get("restarts", {}).get("flows", {}).get("count"), "the flows are not started again")
    with opened(rig.data / "store.db") as db:
        odd = sum(value in (math.inf, -math.inf, b"nan") for _, value in values(db))
    rig.must(odd == 0, f"no NaN and no infinity is stored; got {odd}")


@fault("F19", "oversize payloads, and a topic of 64 KB", scaled="1, 10 and 100 MB")
def oversize(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(200, 800), seconds=rig.length(25, 2.5))
    with rig.voice() as voice:
        for size in (300_000, 1_000_000, *((10_000_000, 100_000_000) if rig.full else (4_000_000,))):
            voice.say_all([("huge/x", b'{"temperature": 1.5, "blob": "' + b"x" * size + b'"}')])
        voice.say_all([("t" * 65_000, b'{"temperature": 1.5}'), ("huge/x", b'{"temperature": 22.5}')])
    load.wait()
    rig.recovered(30)
    rig.account(pure=False)
    ledger = rig.status()["ledger"]
    rig.must(ledger["dead_letters"] >= 3, f"what is over the limit is a dead letter; got {ledger['dead_letters']}")
    rig.must("x" in _devices(rig), "a sound message of the same device is stored")


WILD = (
    *("../../etc/x", "a//b", "/a", "a/", "//", "x" * 300, "/".join("l" * 200), "$share/g/x", "$SYS/fake", "a,b=c d", 'a"b', "a\\b", "a b"),
    *("a\nb", "a\rb", "\u202edef", "a\u200bb", "e\u0301", "\u00e9", "p\u0430ypal", "{{x}}", "%0a", "sluice/other/x", "#x", "x+"),
    f"sluice/{SITE}/windows/x",
)


@fault("F20", "malicious topics", scaled="25 s")
def topics(rig: Rig) -> None:
    sluice = rig.sluice()
    sluice.start()
    load = rig.publish(rate=rig.length(200, 1000), seconds=rig.length(25, 2.2))
    outside = set(rig.folder.iterdir())
    said = 0
    for number, topic in enumerate(WILD):
        # A client for each: a broker that refuses a topic hangs up, and the client would say it again and again.
        with rig.voice() as voice, suppress(ValueError, RuntimeError):
            info = voice.say(f"wild/{topic}" if number % 2 else topic, json.dumps({"temperature": 20.0 + number}))
            info.wait_for_publish(1)
            said += info.is_published()
    load.wait()
    rig.recovered(30)
    rig.account(pure=False)
    rig.must(set(rig.folder.iterdir()) == outside, "no file appears outside the data folder")
    with opened(rig.data / "store.db") as db:
        bases = [base for (base,) in db.execute("SELECT base FROM devices WHERE base NOT LIKE 'load/%'")]
    rig.note(f"{said} topics were said, of which {len(bases)} became devices")
    rig.must(len(bases) == len(set(bases)), "distinct topics stay distinct")


@fault("F21", "line protocol and logs, injected into values and names", scaled="25 s")
def injection(rig: Rig) -> None:
    texts = [
        "x,host=evil v=1\nadmin v=1i",
        "%0a",
        "{{ states('x') }}",
        "${jndi:ldap://x}",
        "\u001b[31mred",
        "=1+1",
        'a"b\\c',
        "a b,c=d",
        "\\",
    ]
    sluice = rig.sluice(history=True)
    sluice.start()
    load = rig.publish(rate=rig.length(200, 1000), seconds=rig.length(25, 2.2))
    with rig.voice() as voice:
        voice.say_all([(f"inject/x-{n}", json.dumps({"note": value})) for n, value in enumerate(texts)])
    load.wait()
    rig.recovered(30)
    rig.account(pure=False)
    names = rig.history().names()
    rig.must("admin_v" not in names and "evil" not in str(names), f"no measurement is invented; got {sorted(names)[:20]}")
    with opened(rig.data / "store.db") as db:
        kept = {value for _, value in values(db, "key = 'note'")}
    rig.must(kept == set(texts), f"texts are stored as they were said; got {kept ^ set(texts)}")


def _devices(rig: Rig) -> set[str]:
    with opened(rig.data / "store.db") as db:
        return {device for (device,) in db.execute("SELECT device FROM devices")}
