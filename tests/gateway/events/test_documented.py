"""docs/events.md says what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from gateway.events.catalogue import KINDS

TEXT = (Path(__file__).parents[3] / "docs" / "events.md").read_text("utf-8")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_its_row_with_its_topics(kind):
    """The table has each type, and every address it is published on."""
    (row,) = re.findall(rf"^\| `{re.escape(kind.type)}` \|.*$", TEXT, re.MULTILINE)
    assert re.findall(r"`(sluice/[^`]*)`", row) == [channel.address for channel in kind.channels]


def test_example_is_the_models_own():
    """The event that is shown is the example in the AsyncAPI document."""
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    (window,) = [kind.example for kind in KINDS if kind.name == "window"]
    assert json.loads(shown) == msgspec.to_builtins(window)
