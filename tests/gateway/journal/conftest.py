"""Journals in a folder of the test's, and what they hold."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial

import pytest

from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader

BIG = 1 << 60


@pytest.fixture
def opened(tmp_path):
    """Open journals by one bell, and close them."""
    with ExitStack() as stack:
        bell = stack.enter_context(closing(Bell(tmp_path / "bell")))

        def open_(directory, **settings):
            return stack.enter_context(closing(Journal(directory, bell, **{"keep": BIG, "max_size": BIG, **settings})))

        yield open_


def _read(directory, after=0):
    with closing(JournalReader(directory, after=after)) as reader:
        return [row for block in iter(partial(reader.read, 7), []) for row in block]


@pytest.fixture
def read():
    """Read a journal to its end."""
    return _read
