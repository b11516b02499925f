"""What repeats are told by: bounded, and the same after a restart as before, out of a log that is added to."""

import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.reading import Reading
from flows import repeats, repeats_log
from flows.repeats import Repeats
from flows.repeats_log import Mark, RepeatsLog

looked = st.tuples(st.just("look"), st.sampled_from("abcdefgh"), st.integers(0, 30), st.integers(0, 2))
forgot = st.tuples(st.just("forget"), st.sampled_from("abcdefgh"))
steps = st.lists(st.one_of(looked, looked, looked, looked, forgot, st.just(("snapshot",)), st.just(("resume",))), max_size=120)


def reading(ts, value):
    return Reading(device="d", metric="m", key="m", value=value, raw_value=value, ts=ts, received=99, time_source="device", convention="x")


def contents(memory):
    return {name: (list(said.times), list(said.values), said.cut) for name, said in memory._seen.items()}


@pytest.fixture
def small(monkeypatch):
    """Rooms and files so small that they are full, and written anew, all the time."""
    monkeypatch.setattr(repeats, "REMEMBERED", 6)
    monkeypatch.setattr(repeats, "MOST", 24)
    monkeypatch.setattr(repeats, "_SERIES_OF_A_BLOCK", 3)
    monkeypatch.setattr(repeats_log, "_SLACK", 100)


@pytest.mark.usefixtures("small")
@settings(max_examples=200, deadline=None)
@given(steps)
def test_memory_out_of_the_log_is_what_it_was(tmp_path_factory, steps):
    """Whatever was said and forgotten: whoever goes on from a mark knows what was known there, and says what would have been said."""
    folder = tmp_path_factory.mktemp("log")
    memory, other = Repeats(None, RepeatsLog(folder)), Repeats()
    mark, kept = None, None
    for step in steps:
        match step:
            case ("look", name, ts, value):
                assert memory.look(name, reading(ts, value)) == other.look(name, reading(ts, value))
            case ("forget", name):
                memory.forget([name])
                other.forget([name])
            case ("snapshot",):
                mark, kept = memory.snapshot(), other.snapshot()
            case ("resume",):
                memory, other = Repeats(mark, RepeatsLog(folder)), Repeats(kept)
        assert contents(memory) == contents(other)


def test_older_mark_stays_good(tmp_path):
    """What comes behind a mark, in the same file or in the next, changes nothing of it."""
    memory = Repeats(None, RepeatsLog(tmp_path))
    marks = []
    for ts in range(40):
        memory.look("a", reading(ts, ts))
        marks.append((memory.snapshot(), ts))
        if ts == 20:
            memory._log._began_with = -repeats_log._SLACK  # so that the next snapshot begins a new file
    assert len({mark.file for mark, _ in marks}) > 1
    for mark, ts in marks:
        assert max(contents(Repeats(list(mark), RepeatsLog(tmp_path)))["a"][0]) == ts


def test_snapshot_writes_what_is_new(tmp_path):
    """Beside a memory of a hundred thousand readings, ten new ones take some hundred bytes."""
    memory = Repeats(None, RepeatsLog(tmp_path))
    for ts in range(1000):
        for name in range(100):
            memory.look(f"series-{name}", reading(ts, ts * name))
    first = memory.snapshot()
    for name in range(10):
        memory.look(f"series-{name}", reading(2000, name))
    second = memory.snapshot()
    assert first.file == second.file
    assert first.end > 100_000
    assert second.end - first.end < 400


def test_full_disk_has_no_room_for_a_new_file(tmp_path, monkeypatch):
    """Where all of it cannot be written anew, what is new is added to the file that there is; without one, it is an error."""

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    memory = Repeats(None, RepeatsLog(tmp_path))
    memory.look("a", reading(1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(RepeatsLog, "begin", full)
        with pytest.raises(OSError, match="no space"):
            memory.snapshot()
    memory.snapshot()
    memory.look("b", reading(1, 1))
    monkeypatch.setattr(RepeatsLog, "grown", True)
    monkeypatch.setattr(RepeatsLog, "begin", full)
    mark = memory.snapshot()
    assert contents(Repeats(mark, RepeatsLog(tmp_path))).keys() == {"a", "b"}


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_damaged_log_is_no_memory(tmp_path, damage):
    """A file that is cut short or changed ahead of the mark is not used."""
    memory = Repeats(None, RepeatsLog(tmp_path))
    for ts in range(50):
        memory.look("a", reading(ts, ts))
    mark = memory.snapshot()
    (path,) = tmp_path.glob("repeats.*")
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content[:-1] if damage == "cut" else content)
    if damage == "gone":
        path.unlink()
    with pytest.raises((ValueError, OSError)):
        Repeats(mark, RepeatsLog(tmp_path))


def test_memory_of_an_older_snapshot_goes_into_the_log(tmp_path):
    """A snapshot that holds all of it as a whole is read, and the next one has only a mark."""
    old = Repeats()
    for ts in range(10):
        old.look("a", reading(ts, ts))
    memory = Repeats(old.snapshot(), RepeatsLog(tmp_path))
    mark = memory.snapshot()
    assert isinstance(mark, Mark)
    assert contents(Repeats(mark, RepeatsLog(tmp_path))) == contents(old)


def test_values_of_one_time_in_an_older_snapshot_are_known(tmp_path):
    """Such a snapshot has them in the order in which they came."""
    said = Repeats()
    for value in range(6):
        said.look("a", reading(5, value))
    times, values = said.snapshot()["a"]
    backwards = b"".join(values[at : at + 4] for at in range(len(values) - 4, -1, -4))
    memory = Repeats({"a": (times, backwards)}, RepeatsLog(tmp_path))
    assert [memory.look("a", reading(5, value)) for value in range(6)] == ["repeat"] * 6


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("restart", [False, True])
def test_what_had_to_be_forgotten_stays_beyond(tmp_path, restart):
    """Also when there is more room again, since others were forgotten: what comes again could stand twice."""
    memory, others = Repeats(None, RepeatsLog(tmp_path)), [f"other-{n}" for n in range(8)]
    for name in others:
        memory.look(name, reading(1, 1))
    for ts in range(6):
        memory.look("a", reading(ts, ts))
    memory.forget(others)
    if restart:
        memory = Repeats(memory.snapshot(), RepeatsLog(tmp_path))
    assert memory.look("a", reading(2, 2)) == "beyond"
    assert memory.look("a", reading(5, 5)) == "repeat"


@pytest.mark.usefixtures("small")
def test_other_value_at_the_oldest_time_is_beyond():
    """A full memory has no room for it, so that it could come again and again."""
    memory = Repeats()
    for ts in range(12):
        memory.look("a", reading(ts, 1))
    oldest = memory._seen["a"].times[0]
    seen = {value: [memory.look("a", reading(oldest, value)) for _ in range(2)] for value in range(2, 30)}
    assert all(twice in (["beyond", "beyond"], ["new", "repeat"], ["new", "beyond"]) for twice in seen.values())


def test_files_of_deaths_between_log_and_snapshot_do_not_pile_up(tmp_path, monkeypatch):
    """Who resumes an older mark takes no notice of what was begun behind it, and leaves one file besides its own."""
    memory = Repeats(None, RepeatsLog(tmp_path))
    memory.look("a", reading(1, 1))
    mark = memory.snapshot()
    monkeypatch.setattr(RepeatsLog, "grown", True)
    for _ in range(5):
        Repeats(mark, RepeatsLog(tmp_path)).snapshot()
    assert len(list(tmp_path.glob("repeats.*"))) == 2
    assert contents(Repeats(mark, RepeatsLog(tmp_path))).keys() == {"a"}


@pytest.mark.usefixtures("small")
def test_restart_writes_nothing_anew(tmp_path):
    """How long a file was at first is known from the file, of however many blocks that was."""
    memory = Repeats(None, RepeatsLog(tmp_path))
    for name in range(20):
        memory.look(str(name), reading(name, 1))
    mark = memory.snapshot()
    resumed = Repeats(mark, RepeatsLog(tmp_path))
    resumed.look("0", reading(99, 1))
    assert resumed.snapshot().file == mark.file


def test_no_room_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    """A disk that is nearly full is not filled to its end: what is new goes into the file that there is."""
    memory = Repeats(None, RepeatsLog(tmp_path))
    memory.look("a", reading(1, 1))
    mark = memory.snapshot()
    monkeypatch.setattr(RepeatsLog, "grown", True)
    monkeypatch.setattr(repeats_log, "free", lambda _: 1_000_000)
    memory.look("a", reading(2, 1))
    assert memory.snapshot().file == mark.file
    assert len(list(tmp_path.glob("repeats.*"))) == 1
