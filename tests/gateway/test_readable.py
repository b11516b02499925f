"""What can be read of a damaged table comes once, in order, and the reading ends."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from gateway.readable import Readable

PAGE = 4096


@pytest.fixture
def table(tmp_path):
    """Give a file with a table of 2,000 rows on some 50 pages."""
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT)")
        db.executemany("INSERT INTO t VALUES(?, ?)", [(number * 3, f"{number}".rjust(80)) for number in range(2_000)])
        db.commit()
    return path


@pytest.mark.parametrize(("from_page", "to_page"), [(5, 20), (20, 5), (2, 30), (40, 41)])
def test_pages_that_lead_back_are_passed_over(table, from_page, to_page):
    """A page with the content of another: its rows are not those that the tree says are there."""
    content = bytearray(table.read_bytes())
    content[(to_page - 1) * PAGE : to_page * PAGE] = content[(from_page - 1) * PAGE : from_page * PAGE]
    table.write_bytes(content)
    with Readable(table) as remains:
        rows = list(remains.rows("t", ["id", "text"]))
    numbers = [number for number, _ in rows]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 1_000
    assert all(text.strip() == f"{number // 3}" for number, text in rows)
