"""What `sluice up` says of what happens, where the output is no terminal."""

import io
import re

from rich.console import Console

from gateway import terminal
from gateway.store.effects import AlertChanged, WindowClosed
from gateway.store.store import Store
from gateway.terminal import Terminal

T0 = 1_760_000_000_000_000_000


def window(flow, number):
    group = (("device", f"t{number}"),)
    return WindowClosed(f"{flow}-{number}", flow, group, T0, T0 + 10**10, 1, 3, {"warm": 20.5}, T0 + 10**10)


def alert(number):
    return AlertChanged(
        f"a{number}/raised", f"a{number}", "climate", (), "raised", "warning", f"alarm {number}", {"rule": "warm", "values": {}}, T0, T0
    )


def said(data, *rounds):
    """The lines of a terminal that looks after each round of effects."""
    out = io.StringIO()
    with Store(data / "store.db") as store, Terminal(data, Console(file=out, width=200), title="sluice") as shown:
        shown.poll()
        for effects in rounds:
            store.write(effects)
            shown.poll()
        known = len(shown._last), len(shown._trend)
    return out.getvalue().splitlines(), known


def test_many_windows_do_not_hide_an_alert(tmp_path):
    """Of the windows of one look some are shown, and how many more there were; of alerts all."""
    lines, _ = said(tmp_path, [window("climate", number) for number in range(300)] + [alert(number) for number in range(30)])
    assert sum("□ window   climate t" in line for line in lines) == 20
    assert any(re.search(r"□ window   and 280 more", line) for line in lines)
    assert sum("alarm" in line for line in lines) == 30


def test_what_is_known_of_windows_is_bounded(tmp_path, monkeypatch):
    """A hundred thousand groups cost no more than some; the flow with the fewest is the one that is shown."""
    monkeypatch.setattr(terminal, "_MOST_GROUPS", 10)
    many = [window("every", number) for number in range(500)]
    lines, known = said(tmp_path, [*many, window("few", 1)], [*many[:30], window("few", 2)])
    assert known == (12, 12)
    assert [line for line in lines if "few t2" in line]
    assert not [line for line in lines if "every t3" in line and "few" in line]
