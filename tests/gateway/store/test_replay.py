"""Exactly once in effect: whatever crashes, and wherever the flows take up again, the store ends the same."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store.effects import (
    AlertChanged,
    CommandFact,
    CommandRequested,
    Counted,
    DeadLettered,
    DeviceLearned,
    LetterTried,
    Progressed,
    WindowClosed,
)
from gateway.store.reader import StoreReader
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
GROUP = (("device", "a"),)


def outcome(kind, number, kept):  # noqa: PLR0911  # one per kind
    """Make the effect of a kind that the flows would give at journal row `number`."""
    at = T0 + number * 10**9
    match kind:
        case "window":
            return WindowClosed(f"w{number // 3}/{number % 3 + 1}", "climate", GROUP, at, at, number % 3 + 1, 1, {"x": 1.0}, at)
        case "alert":
            return AlertChanged(f"a{number}", "e", "climate", GROUP, "raised" if number % 2 else "cleared", "info", "m", {}, at, at)
        case "command":
            return CommandRequested(f"c{number}", "climate", GROUP, "", "fan", {"state": number}, 1, 1, 1, at, at)
        case "fact":
            state = ("requested", "sent", "confirmed", "failed")[number % 4]
            return CommandFact(f"c{number // 4}/{state}/{number}", f"c{number // 4}", "fan", "", state, number, {}, "", at)
        case "counted":
            return Counted("flow", "climate", "a", "late", number)
        case "learned":
            return DeviceLearned("a", "plain-json", f"base/{number}", {}, at)
        case "dead":
            return DeadLettered(number << 20, "t", b"x", "bad", "", at)
        case "tried":
            return LetterTried(number // 2 << 20, number << 20, "dead" if number % 3 else "replayed", f"attempt {number}", "a", at)
        case "progress":
            return Progressed(number, number, at)
    device, value, back, retained = kind
    return kept(number, device, value=value, ts=at - back * 10**9, retained=retained)


READINGS = st.tuples(st.sampled_from("ab"), st.sampled_from([1.0, 2.0, 2, True, "on"]), st.sampled_from([0, 0, 0, 5, 50]), st.booleans())
KINDS = st.one_of(
    READINGS,
    READINGS,
    st.sampled_from(["window", "alert", "command", "fact", "counted", "learned", "dead", "dead", "tried", "tried", "progress"]),
)
RUNS = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["go", "sync", "crash", "crash"]), st.floats(0, 1)), max_size=12)


@pytest.mark.parametrize("raw", ["all", "changes", "none"])
@pytest.mark.parametrize("linger", [0.0, 3600.0])
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(KINDS, max_size=60), runs=RUNS)
def test_any_crash_and_any_replay_end_the_same(tmp_path_factory, kept, dump, raw, linger, kinds, runs):
    """Batches of any size, crashes anywhere, replays from anywhere at or before what is committed: the same rows and the same sums."""
    effects = [outcome(kind, number, kept) for number, kind in enumerate(kinds, start=1)]
    whole, torn = (tmp_path_factory.mktemp(name) / "store.db" for name in ("whole", "torn"))
    with Store(whole, raw=raw) as store:
        store.write(effects)
    store, at, committed = Store(torn, raw=raw, linger=linger), 0, 0
    for size, end, back in runs:
        store.write(effects[at : at + size])
        at = min(at + size, len(effects))
        if linger == 0.0 or end == "sync":
            store.sync()
            committed = at
        if end == "crash":
            store = None  # its connection goes as a killed process' would: what was not committed is gone
            gc.collect()
            store = Store(torn, raw=raw, linger=linger)
            at = committed = round(committed * back)  # a snapshot of the flows: they never take up later than where they came again
    store.write(effects[at:])
    store.close()
    assert dump(torn) == dump(whole)


WRITER = """
import sys
from pathlib import Path
from devices.reading import Reading
from gateway.store.effects import ReadingKept, WindowClosed
from gateway.store.store import Store

path, start = Path(sys.argv[1]), int(sys.argv[2])
store = Store(path, linger=float(sys.argv[3]))
for row in range(start, 10**9):
    at = 1_760_000_000_000_000_000 + row * 10**6
    reading = lambda n: Reading(device=f"d{n}", metric="x", key="x", value=row, raw_value=row, ts=at, received=at, convention="c")
    store.write([ReadingKept(row << 20 | n, reading(n)) for n in range(20)])
    store.write([WindowClosed(f"w{row}", "f", (), at, at, 1, 20, {}, at)])
    if row % 50 == 0:
        store.sync()
        print(row, flush=True)
"""


@pytest.mark.parametrize("linger", ["0", "0.01"])
def test_a_killed_writer_leaves_a_store_to_go_on_with(tmp_path, linger):
    """A writer process killed with SIGKILL four times, which takes up at its last sync each time: every row once, no gap, sums right."""
    path, start = tmp_path / "store.db", 0
    for kill in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(start), linger], stdout=subprocess.PIPE, text=True, env=_env()
        )
        for _ in range(3 + kill):
            start = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read()
        writer.wait()
        writer.stdout.close()
        start = int(rest.split()[-1]) if rest.split() else start
    with StoreReader(path) as reader:
        rows = reader.readings_after(-1, 10**6)
        last = rows[-1].id >> 20
        assert [one.id for one in rows] == [row << 20 | n for row in range(last + 1) for n in range(20)]
        assert last >= start
        assert [one.id for _, one in reader.effects_after(0, 10**6)] in ([f"w{row}" for row in range(end)] for end in (last, last + 1))
        assert reader.counts().readings == {"taken": len(rows), "kept": len(rows)}
        assert {one.count for one in reader.series()} == {last + 1}
        assert {one.value for one in reader.series()} == {last}


def _env():
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
