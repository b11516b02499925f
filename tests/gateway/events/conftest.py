"""The official schema of AsyncAPI documents, as its authors publish it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

OFFICIAL = Path(sys.prefix) / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"


@pytest.fixture(scope="session")
def official():
    """Give the JSON Schema of AsyncAPI 3.0 documents, which `.ci/tools` installs."""
    if not OFFICIAL.exists() and not shutil.which("npm"):
        pytest.skip("the AsyncAPI schema is not installed, and npm is not there to install it (apt install npm, then make tools)")
    assert OFFICIAL.exists(), "the AsyncAPI schema is not installed: make tools"
    return json.loads(OFFICIAL.read_text("utf-8"))
