"""Room: the store gives up its oldest rows, kind by kind, where its size or the disk asks for it; and waits where even that is not enough."""

from __future__ import annotations

import os
import sqlite3
import subprocess

import pytest

from gateway import disk
from gateway.ballast import NAME
from gateway.store.effects import AlertChanged, CommandRequested, WindowClosed
from gateway.store.positions import Positions
from gateway.store.reader import StoreReader
from gateway.store.shed import ORDER
from gateway.store.shedding import Shedding
from gateway.store.store import Store

T0 = 1_760_000_000_000_000_000
MB = 2**20


@pytest.fixture
def fill(kept):
    """Write readings, windows, alerts and a few commands of about 500 bytes each."""

    def write(store, start, count):
        numbers = range(start, start + count)
        store.write([kept(n, value="v" * 400) for n in numbers])
        store.write([WindowClosed(f"w{n}", "f", (), T0, T0 + n, 1, 1, {"x": "v" * 200}, T0 + n) for n in numbers])
        store.write([AlertChanged(f"a{n}", f"a{n}", "f", (), "raised", "warning", "v" * 200, {}, T0, T0 + n) for n in numbers])
        store.write([CommandRequested(f"c{n}", "f", (), "", "fan", {"x": "v" * 100}, 1, 1, T0, T0, T0 + n) for n in numbers[-20:]])

    return write


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 24 MB."""
    if os.getuid():
        pytest.skip("only root may mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_kinds_go_in_order_and_are_counted(tmp_path, fill):
    """Readings that were delivered first, then the others, then windows and alerts; commands that are open never."""
    with Store(tmp_path / "store.db") as store:
        fill(store, 1, 20)
        went = []
        while True:
            for kind in ORDER:
                if gone := store.shed(kind, Positions(12 << 20, 1 << 40), most=8):
                    went.append((kind, gone))
                    break
            else:
                break
    three = [8, 8, 4]
    assert went == [
        ("delivered readings", 8), ("delivered readings", 4), ("readings", 8),
        *[("windows", n) for n in three], *[("alerts", n) for n in three],
    ]  # fmt: skip
    with StoreReader(tmp_path / "store.db") as reader:
        assert reader.shed() == {"alerts": 20, "delivered readings": 12, "readings": 8, "windows": 20}
        assert reader.counts().readings["taken"] == 20
        assert (len(reader.commands()), len(reader.effects_after(0, 100)), reader.size().points) == (20, 20, 20)


def test_a_store_stays_within_its_size(tmp_path, fill, monkeypatch):
    """With `history.max_size` the file itself stays about that small, whatever comes in, and what is newest is there."""
    monkeypatch.setattr("gateway.store.shedding._EVERY", 0.0)
    monkeypatch.setattr("gateway.store.shedding._SOON", 0.0)
    with Store(tmp_path / "store.db") as store:
        shedding = Shedding(tmp_path, [], max_size=2 * MB, reserve=0)
        for start in range(0, 6_000, 300):
            fill(store, start, 300)
            shedding.step(store)
        size = (tmp_path / "store.db").stat().st_size
    assert size < 2 * MB
    with StoreReader(tmp_path / "store.db") as reader:
        assert reader.shed()["delivered readings"] > 1_000
        assert reader.effects_after(0, 10**6)[-1][1].id == "c5999"


def test_a_full_disk_is_waited_for_and_recovers(small_disk, fill):
    """Another program fills the disk: writing fails as a whole, room is made from the ballast and the oldest readings, and writing goes on."""

    def written(store):
        try:
            fill(store, 100_000, 50)
        except sqlite3.OperationalError:
            return False
        return True

    with Store(small_disk / "store.db") as store:
        shedding = Shedding(small_disk, [], max_size=None, reserve=4 * MB)
        fill(store, 1, 6_000)
        store.sync()
        shedding.step(store)
        assert (small_disk / NAME).stat().st_size == MB
        store.give_back()
        (small_disk / "other").write_bytes(bytes(disk.free(small_disk)))
        with pytest.raises(sqlite3.OperationalError) as full:
            fill(store, 10_000, 20_000)
        assert disk.is_full(full.value)
        while not written(store):
            shedding.relieve(store)
        assert not (small_disk / NAME).exists()
        (small_disk / "other").unlink()
        shedding.relieve(store)
        shedding.relieve(store)
        assert (small_disk / NAME).exists()
    with StoreReader(small_disk / "store.db") as reader:
        assert reader.shed()["delivered readings"] > 0
        assert reader.effects_after(0, 10**6)[-1][1].id == "c100049"
