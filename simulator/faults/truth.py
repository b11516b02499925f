"""The truth file: what was really wrong, when, and with which device. JSON Lines, one for each fault that is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from simulator.faults.fault import Fault
from simulator.timestamps import iso


def label(fault: Fault[Any], *, start: int, end: int) -> dict[str, Any]:
    """Give one line of the truth: `start` and `end` are epoch ns by a clock that is right, whatever the device's own shows.

    `device` is what Sluice calls it, `metric` is null where the whole device is meant, and `messages` says how many reports, payloads or
    commands were hit: a fault with none cannot be seen by anybody. `topic`, where payloads were damaged, is a filter for their topics.
    `continued` says that a restart cut the fault in two, and that this is not its first part.
    """
    topic = {"topic": covering(fault.topics)} if fault.topics else {}
    return {
        "device": fault.device,
        "metric": fault.metric,
        "kind": fault.spec.kind,
        "start": iso(start),
        "end": iso(end),
        "messages": fault.touched,
        **topic,
        **({"continued": True} if fault.continued else {}),
    }


def covering(topics: set[str]) -> str:
    """Give a topic filter that takes them all: with one, the topic itself.

    >>> covering({"lab/t-1/temperature", "lab/t-1/humidity"})
    'lab/t-1/#'
    """
    if len(topics) == 1:
        return next(iter(topics))
    levels = []
    for level in zip(*(topic.split("/") for topic in topics), strict=False):
        if len(set(level)) > 1:
            break
        levels.append(level[0])
    return "/".join([*levels, "#"])


class TruthFile:
    """Adds a line for each fault once it is over, and lets go of the file at once, so that it can be read meanwhile."""

    def __init__(self, path: Path, *, fresh: bool) -> None:
        """`fresh` forgets what the file holds; else it goes on behind that. OSError when it cannot be written."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("w" if fresh else "a", encoding="utf-8").close()

    def add(self, lines: list[dict[str, Any]]) -> None:
        if lines:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
