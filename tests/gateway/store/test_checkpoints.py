"""The store's log is brought into its file beside the writer."""

from gateway.store import checkpoints
from gateway.store.checkpoints import Checkpoints
from gateway.store.store import Store


def test_log_is_brought_in_while_the_writer_goes_on(tmp_path, monkeypatch, kept, until):
    """What the SQLite index says of the log is read right, and a checkpoint runs when it has grown."""
    monkeypatch.setattr(checkpoints, "PAGES", 20)
    path, number = tmp_path / "store.db", 0
    with Store(path) as store, Checkpoints(path) as beside:
        while beside._waiting() < 20:
            number += 1
            store.write([kept(number)])
        until(lambda: beside._waiting() < 20)
        size = path.stat().st_size
        store.write([kept(number + 1)])
        assert size > 8 * 4096


def test_no_store_is_no_log(tmp_path):
    assert Checkpoints(tmp_path / "store.db")._waiting() == 0
