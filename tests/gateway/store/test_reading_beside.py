"""Readers beside the writer: never in its way, never blocked, never shown half a batch."""

from __future__ import annotations

from threading import Thread

from gateway.store.reader import StoreReader
from gateway.store.store import Store


def test_readers_see_whole_batches_while_one_writes(tmp_path, kept):
    """Two readers that look all the time see each batch as a whole, in order, and the writer is not held up."""
    path = tmp_path / "store.db"
    wrong = []
    with Store(path) as store:
        done = False

        def look():
            seen = 0
            with StoreReader(path) as reader:
                while not done or seen < 200 * 50:
                    with reader.snapshot():
                        taken = reader.counts().readings["taken"]
                        rows = len(reader.readings_after(0, 100_000))
                        counted = sum(one.count for one in reader.series())
                    if taken % 50 or not taken == rows == counted or taken < seen:
                        wrong.append((taken, rows, counted, seen))
                        return
                    seen = taken

        readers = [Thread(target=look) for _ in range(2)]
        for reader in readers:
            reader.start()
        for batch in range(200):
            store.write([kept(batch * 50 + number, device=f"d{number % 7}") for number in range(1, 51)])
            if batch % 20 == 0:
                store.sync()
        done = True
        for reader in readers:
            reader.join()
    assert wrong == []


def test_a_reader_that_stays_does_not_stop_syncs(tmp_path, kept):
    """With a snapshot held open for long, sync still makes everything durable and the reader still sees its own state."""
    path = tmp_path / "store.db"
    with Store(path) as store:
        store.write([kept(1)])
        with StoreReader(path) as reader, reader.snapshot():
            assert reader.counts().readings["taken"] == 1
            store.write([kept(2)])
            store.sync()
            assert reader.counts().readings["taken"] == 1
        store.sync()
    with StoreReader(path) as reader:
        assert reader.counts().readings["taken"] == 2
