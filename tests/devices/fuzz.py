"""Throw damaged, spliced and made-up messages at decoding: `python tests/devices/fuzz.py [--inputs 10000000] [--seed 1] [--workers 2]`.

Every input goes through a catalogue that keeps what it learns, as in the flows; every 20,000 inputs it is resumed from what was learned, or
starts anew. What must hold of each: an answer and no exception, series that are unique, values that JSON can hold, what is learned in plain
builtins, and 50 ms at most. Seeds are the samples of all conventions, and the real messages of ../shared where they are. Prints one JSON
document; exit 1, and the inputs on stderr, where anything does not hold.
"""

from __future__ import annotations

import argparse
import base64
import json
import multiprocessing
import random
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from devices.catalogue import CONVENTIONS, Catalogue
from devices.reading import DeadLetter, Held, Ignored, Message
from devices.samples import RECEIVED, samples

ANEW = 20_000
SLOWEST = 0.05
Seed = tuple[str, bytes]
NASTY = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"NaN",
    b"1e999",
    b"-0",
    b'"\\ud800"',
    b"\xff\xfe",
    b"\x00" * 8,
    b"[" * 200,
    b'{"a":' * 100,
    b"9" * 400,
    b"\xef\xbb\xbf21",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    2**64,
    1e308,
    -1e-308,
    "",
    "NaN",
    "on",
    "x" * 600,
    "2026-09-02T12:00:00Z",
    "12:00",
    1788350399,
    [],
    {},
    [[]],
]


def seeds() -> list[Seed]:
    """Give topic and payload of every sample, and of every real message that is there."""
    found = [
        (one.topic, one.data())
        for made in CONVENTIONS
        for sample in samples(made.name)
        for one in (*sample.after, sample, *sample.reported)
        if one.topic
    ]
    for file in sorted(Path("../shared/payloads").glob("*.jsonl")):
        for row in map(json.loads, file.read_text("utf-8").splitlines()):
            payload = base64.b64decode(row["payload_b64"]) if "payload_b64" in row else (row.get("payload") or "").encode()
            found.append((row["topic"], payload))
    return found


class Mutator:
    """Makes inputs out of seeds, the same for the same chance."""

    def __init__(self, found: list[Seed], chance: random.Random) -> None:
        self._seeds = found
        self._chance = chance

    def next(self) -> Seed:
        """Make one input: now and then a seed as it is, so that there is something learned to damage."""
        chance = self._chance
        topic, payload = chance.choice(self._seeds)
        way = chance.random()
        if way < 0.1:
            return topic, payload
        if way < 0.2:
            return self._topic(topic), payload
        if way < 0.3:
            return chance.choice(self._seeds)[0], payload
        if way < 0.6:
            return topic, self._structure(payload)
        return topic, self._bytes(payload)

    def _topic(self, topic: str) -> str:
        levels = topic.split("/")
        place = self._chance.randrange(len(levels))
        other = self._chance.choice(self._chance.choice(self._seeds)[0].split("/"))
        way = self._chance.randrange(5)
        if way == 0:
            del levels[place]
        elif way == 1:
            levels.insert(place, other)
        elif way == 2:
            levels[place] = other
        elif way == 3:
            levels[place] = self._chance.choice(["", "set", "$state", "0", "é", "x" * 200, "+", "\x01", "config"])
        else:
            return topic[: self._chance.randrange(len(topic) + 1)]
        return "/".join(levels)

    def _bytes(self, payload: bytes) -> bytes:
        data = bytearray(payload)
        for _ in range(self._chance.randint(1, 4)):
            at = self._chance.randrange(len(data) + 1)
            way = self._chance.randrange(6)
            if way == 0 and data:
                data[at % len(data)] ^= 1 << self._chance.randrange(8)
            elif way == 1:
                del data[at : at + self._chance.randint(1, 20)]
            elif way == 2:
                data[at:at] = self._chance.choice(NASTY)
            elif way == 3:
                data[at:at] = self._chance.randbytes(self._chance.randint(1, 6))
            elif way == 4:
                data[at:] = self._chance.choice(self._seeds)[1][at:]
            else:
                data[at:at] = data[at : at + self._chance.randint(1, 40)]
        return bytes(data)

    def _structure(self, payload: bytes) -> bytes:
        """Change values, keys and shapes of JSON, and leave it JSON; what is none is damaged as bytes."""
        try:
            body = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, UnicodeError):
            return self._bytes(payload)
        if not isinstance(body, (dict, list)):
            return self._bytes(payload)
        for _ in range(self._chance.randint(1, 3)):
            body = self._changed(body)
        return msgspec.json.encode(body)

    def _changed(self, body: Any) -> Any:
        chance = self._chance
        if not isinstance(body, (dict, list)) or not body or chance.random() < 0.15:
            return chance.choice([*VALUES, {"value": body}, [body], {"a": {"b": body}}, body])
        if isinstance(body, list):
            place = chance.randrange(len(body))
            return [self._changed(one) if index == place else one for index, one in enumerate(body)]
        key = chance.choice(list(body))
        way = chance.randrange(4)
        if way == 0:
            return {**body, key: self._changed(body[key])}
        if way == 1:
            return {name: value for name, value in body.items() if name != key}
        if way == 2:
            return {**body, chance.choice(["value", "time", "unit", "id", "é", key + "2", ""]): body[key]}
        return {(chance.choice(["", "x", "_", "0"]) + name if name == key else name): value for name, value in body.items()}


def wrong(outcome: Any) -> str | None:
    """Return what does not hold of an answer, or None."""
    if isinstance(outcome, (Ignored, DeadLetter, Held)):
        return outcome.reason if outcome.reason.startswith("bug in decoding") or not outcome.reason else None
    if not outcome:
        return "no reading"
    if len({(one.device, one.metric, one.channel, one.ts) for one in outcome}) < len(outcome):
        return "two readings of one series at one time"
    if any(not one.device or not one.metric or one.value == "" for one in outcome):
        return "a reading without device, metric or value"
    msgspec.json.encode(outcome)
    return None


def run(job: tuple[int, int]) -> dict[str, Any]:
    """Try so many inputs with this seed."""
    seed, inputs = job
    mutator = Mutator(seeds(), random.Random(seed))
    kinds = dict.fromkeys(("readings", "ignored", "dead_letter", "held"), 0)
    failures: list[str] = []
    slowest, what = 0.0, ""
    catalogue = Catalogue()
    for number in range(inputs):
        if number % ANEW == 0:
            catalogue = Catalogue(
                learned=msgspec.msgpack.decode(msgspec.msgpack.encode(catalogue.learned)) if number % (2 * ANEW) else None
            )
        topic, payload = mutator.next()
        start = perf_counter()
        try:
            outcome: Any = catalogue.readings(Message(topic, payload, RECEIVED))
            why = wrong(outcome)
        except Exception as error:  # noqa: BLE001 - what is looked for
            outcome, why = Ignored("raised"), f"raised {type(error).__name__}: {error}"
        took = perf_counter() - start
        if took > SLOWEST:  # once more: the first time may have been the machine
            start = perf_counter()
            catalogue.readings(Message(topic, payload, RECEIVED))
            took = perf_counter() - start
            why = why or (f"took {took * 1000:.0f} ms" if took > SLOWEST else None)
        if took > slowest:
            slowest, what = took, f"{len(payload)} bytes on {topic[:60]}"
        name = {Ignored: "ignored", DeadLetter: "dead_letter", Held: "held"}.get(type(outcome), "readings")
        kinds[name] += 1
        if why is not None and len(failures) < 20:
            failures.append(f"{why}: topic {topic!r} payload {payload!r}"[:2000])
    return {"kinds": kinds, "failures": failures, "slowest": slowest, "what": what}


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    start = perf_counter()
    jobs = [(asked.seed * 1_000 + worker, asked.inputs // asked.workers) for worker in range(asked.workers)]
    with multiprocessing.Pool(asked.workers) as pool:
        results = pool.map(run, jobs)
    failures = [line for result in results for line in result["failures"]]
    for line in failures:
        print(line, file=sys.stderr)
    kinds = {name: sum(result["kinds"][name] for result in results) for name in results[0]["kinds"]}
    spent = perf_counter() - start
    print(
        json.dumps(
            {
                "inputs": sum(kinds.values()),
                **kinds,
                "failures": len(failures),
                "slowest_ms": round(max(result["slowest"] for result in results) * 1000, 1),
                "slowest": max(results, key=lambda result: result["slowest"])["what"],
                "seconds": round(spent, 1),
                "inputs_per_second": round(sum(kinds.values()) / spent),
            }
        )
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
