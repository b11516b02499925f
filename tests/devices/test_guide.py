"""The guide to devices is what the conventions and their samples say."""

from pathlib import Path

import pytest

from devices.catalogue import CONVENTIONS
from devices.guide import guide

ROOT = Path(__file__).parents[2]


def test_guide_is_up_to_date():
    """docs/devices.md is what `make docs` writes."""
    assert (ROOT / "docs/devices.md").read_text("utf-8") == guide()


@pytest.mark.parametrize("made", CONVENTIONS)
def test_guide_says_how_and_where(made):
    """Each dialect says in a sentence what it is, which topics it uses, and how to point a device at Sluice."""
    assert made.setup.endswith(".")
    assert not made.topics.endswith(".")
    assert not made.about.endswith(".")
