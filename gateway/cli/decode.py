"""`sluice decode`: show what the conventions make of messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from time import time_ns
from typing import Annotated

import typer

from gateway.command_line import CONFIG, DATA, WRONG, ConfigOption, DataOption, JsonOption, fail, print_json, read_profiles


def decode(
    topic: Annotated[str | None, typer.Option(help="The topic of one message.")] = None,
    payload: Annotated[str | None, typer.Option(help="Its payload, as text.")] = None,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Many messages, a JSON object a line: topic, payload or payload_b64, received.")
    ] = None,
    config: ConfigOption = CONFIG,
    data: DataOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Show which readings a message becomes, or why it becomes none."""
    from devices.catalogue import Catalogue
    from gateway.decode import decode_jsonl

    del data, as_json
    if (jsonl is None) == (topic is None or payload is None):
        fail("decode takes --topic and --payload, or --jsonl FILE", WRONG)
    catalogue = Catalogue(read_profiles(config) if config.exists() else [])
    if jsonl is None:
        lines: Iterable[str] = [json.dumps({"topic": topic, "payload": payload})]
    else:
        try:
            lines = jsonl.read_text("utf-8", errors="surrogateescape").split("\n")
        except OSError as error:
            fail(f"{jsonl}: {error.strerror}", WRONG)
    for document in decode_jsonl(lines, catalogue, now=time_ns()):
        print_json(document)
