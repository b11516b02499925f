"""The JSON Schemas of the config's files: `sluice schema config` prints them, `python -m gateway.cli.config_schemas DIR` writes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from devices.profile import Profile
from flows.flow_file import FlowSpec
from gateway.findings.schema import file_schema
from gateway.settings import Settings
from simulator.scenario import Scenario

FILES: dict[str, tuple[type[BaseModel], str]] = {
    "flow": (FlowSpec, "A flow: config/flows/*.yaml"),
    "gateway": (Settings, "The gateway: config/gateway.yaml"),
    "device": (Profile, "What is known of devices: config/devices/*.yaml"),
    "scenario": (Scenario, "A scenario of simulated devices: config/scenarios/*.yaml"),
}
"""Each kind of config file: its model and title. Its schema is `config/schema/<kind>.schema.json`."""


def document() -> dict[str, dict[str, Any]]:
    """Give the schema of each kind of config file."""
    return {kind: file_schema(model, title=title) for kind, (model, title) in FILES.items()}


def write(directory: Path) -> None:
    """Write the schema of each kind to a file of its own."""
    directory.mkdir(parents=True, exist_ok=True)
    for kind, schema in document().items():
        text = json.dumps(schema, indent=1, ensure_ascii=False)
        (directory / f"{kind}.schema.json").write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
