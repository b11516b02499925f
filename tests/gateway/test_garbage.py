"""Python's search for cycles, and what must not wait for it."""

from __future__ import annotations

import gc
import weakref

import pytest

from gateway.garbage import let_go


class Rows(list):
    """Something that can be watched going."""


@pytest.fixture(autouse=True)
def no_search():
    """Let Python not search: what is gone went by itself."""
    gc.disable()
    yield
    gc.enable()


def _send(rows):
    error = ConnectionError(f"{len(rows)} rows refused")
    raise error  # which stands in a variable of this call: a cycle


def _deliver(seen):
    rows = Rows([1, 2])
    seen.append(weakref.ref(rows))
    try:
        _send(rows)
    except ConnectionError as error:
        raise TimeoutError("not now") from error


def test_an_error_lets_go_of_what_was_under_way():
    """It still says what went wrong, and why; the calls through which it came, and what they held, are gone at once."""
    seen = []
    with pytest.raises(TimeoutError) as caught:
        _deliver(seen)
    (rows,) = seen
    error = caught.value
    del caught
    assert rows() == [1, 2]
    let_go(error)
    assert rows() is None
    assert (str(error), str(error.__cause__)) == ("not now", "2 rows refused")
