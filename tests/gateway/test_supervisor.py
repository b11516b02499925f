"""The supervisor, with real processes: what dies, hangs or cannot run."""

import json
import os
import signal
import sys
from contextlib import contextmanager

import pytest

from gateway.link.backoff import Backoff
from gateway.part import Part
from gateway.supervisor import Supervisor
from gateway.up import _Noted

SLEEPS = "import signal; signal.pause()"
BEATS = """
import os, pathlib, sys, time
while True:
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(0.01)
"""


def part(name, code=SLEEPS, *words, **options):
    return Part(name, [sys.executable, "-S", "-c", code, *words], backoff=Backoff(0.0, 0.0), **options)


@pytest.fixture
def supervise(until):
    """Run parts under a supervisor; give it with a function that looks until something is so."""

    @contextmanager
    def running(*parts, **options):
        heard = []
        supervisor = Supervisor(parts, hear=lambda name, line: heard.append((name, line)), **options)

        def look_until(condition):
            def look():
                supervisor.look()
                return condition()

            return until(look)

        supervisor.heard, supervisor.look_until = heard, look_until
        try:
            yield supervisor
        finally:
            supervisor.stop()

    return running


@pytest.mark.parametrize(
    ("code", "because"),
    [
        ("import sys; sys.exit('no such thing')", "ended with status 1: no such thing"),
        ('import sys; sys.exit(\'{"event": "it failed", "error": "why"}\')', "ended with status 1: it failed: why"),
        ("import os; os.kill(os.getpid(), 9)", "killed (signal 9)"),
    ],
)
def test_supervisor_starts_again_what_dies_and_says_why(supervise, code, because):
    """The count and the last reason are there for the status, in words."""
    with supervise(part("one", code)) as supervisor:
        supervisor.look_until(lambda: supervisor.restarts().get("one", {}).get("count", 0) >= 2)
        said = supervisor.restarts()["one"]
    assert said["last"] == because
    assert said["at"] > 0


def test_supervisor_leaves_the_others_alone(supervise):
    """A part that is killed comes back in a process of its own; another one keeps its."""
    with supervise(part("one"), part("two")) as supervisor:
        supervisor.look_until(supervisor.all_up)
        before = supervisor.pids()
        os.kill(before["two"], signal.SIGKILL)
        supervisor.look_until(lambda: "two" in supervisor.restarts() and supervisor.all_up())
        after = supervisor.pids()
    assert before["one"] == after["one"]
    assert before["two"] != after["two"]


def test_supervisor_kills_and_starts_again_what_hangs(supervise, tmp_path):
    """A process that is frozen beats no more. Its silence counts by the supervisor's clock, which a test may turn."""
    alive, now = tmp_path / "one.alive", [0.0]
    with supervise(part("one", BEATS, str(alive), alive=alive), clock=lambda: now[0]) as supervisor:
        supervisor.look_until(lambda: supervisor.all_up() and supervisor.parts[0].heart.beaten)
        frozen = supervisor.pids()["one"]
        os.kill(frozen, signal.SIGSTOP)
        supervisor.look()
        for _ in range(20):
            now[0] += 1.9
            supervisor.look()
        assert supervisor.restarts()["one"]["last"] == "gave no sign of life and was killed"
        supervisor.look_until(lambda: supervisor.all_up() and supervisor.parts[0].heart.beaten)
        assert supervisor.pids()["one"] != frozen


def test_supervisor_that_was_away_blames_nobody(supervise, tmp_path):
    """After a sleep of the machine, or of the supervisor, every part has its time again; and one that never beat is given much longer."""
    now = [0.0]
    with supervise(part("one", alive=tmp_path / "never"), clock=lambda: now[0]) as supervisor:
        supervisor.look_until(supervisor.all_up)
        for step in [3600.0, *[1.9] * 30, 3600.0, *[1.9] * 30]:
            now[0] += step
            supervisor.look()
        assert supervisor.restarts() == {}


def test_supervisor_mends_the_data_folder_while_nobody_works_on_it(supervise, tmp_path):
    """Status 3 stops those that keep data, and only those; after mending, all run again."""
    found = []
    damaged = (
        "import os, sys; marker = sys.argv[1]; os.path.exists(marker) or (open(marker, 'w'), os._exit(3)); import signal; signal.pause()"
    )
    marker = str(tmp_path / "damaged")
    keeps = part("flows", keeps_data=True)

    def mend():
        found.append((dict(supervisor.pids()), keeps.process))

    with supervise(part("broker"), keeps, part("gateway", damaged, marker, keeps_data=True), mend=mend) as supervisor:
        supervisor.look_until(lambda: found and supervisor.all_up())
        assert set(found[0][0]) == {"broker"}
        assert set(supervisor.pids()) == {"broker", "flows", "gateway"}
        assert set(supervisor.restarts()) == {"gateway"}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (part("one", "import sys; sys.exit(2)"), "one cannot run with this config"),
        (Part("one", ["/no/such/program"]), "one cannot be started: /no/such/program: No such file or directory"),
        (
            part("one", "import os, sys; sys.exit(f'pid {os.getpid()}: the port is taken')"),
            r"one cannot run: 20 times in a row it ended with status 1: pid \d+: the port is taken",
        ),
    ],
)
def test_supervisor_gives_up_where_it_is_hopeless(supervise, broken, said):
    """A config error, a missing program, and what ends at once and always says the same."""
    with supervise(broken) as supervisor, pytest.raises(ChildProcessError, match=said):
        supervisor.look_until(lambda: False)


def test_supervisor_starts_a_part_when_the_one_before_is_ready(supervise):
    """One that dies while it starts is tried again, and those behind it wait."""
    ready = []
    with supervise(part("one", ready=lambda: bool(ready)), part("two")) as supervisor:
        supervisor.look_until(lambda: "one" in supervisor.pids())
        os.kill(supervisor.pids()["one"], signal.SIGKILL)
        supervisor.look_until(lambda: "one" in supervisor.restarts() and "one" in supervisor.pids())
        assert "two" not in supervisor.pids()
        ready.append(True)
        supervisor.look_until(supervisor.all_up)


def test_supervisor_hears_whole_lines(supervise):
    """What is written in pieces comes as one line, and what is written without an end when the process has ended."""
    code = "import os, sys; os.write(2, b'one and '); os.write(2, b'the same\\nthe last'); sys.exit(1)"
    with supervise(part("one", code)) as supervisor:
        supervisor.look_until(supervisor.restarts)
        heard = supervisor.heard[:2]
    assert heard == [("one", "one and the same"), ("one", "the last")]


def test_noted_restarts_reach_the_state_file(supervise, tmp_path):
    """`up.json` says what runs and what was started again."""
    noted = _Noted(tmp_path, {"site": "here"})
    with supervise(part("one", "import sys; sys.exit(1)")) as supervisor:
        supervisor.look_until(supervisor.restarts)
        noted.note(supervisor)
        written = json.loads((tmp_path / "up.json").read_text())
    assert (written["site"], written["restarts"]["one"]["last"]) == ("here", "ended with status 1")
