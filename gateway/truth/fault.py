"""What was really wrong, and when: the lines of a truth file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from devices import timestamps

_KIND = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class TruthError(ValueError):
    """A truth file that cannot be read; the text names the file, the line, the rule and what was got."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled fault of a device, from `start` to `end` (epoch ns, both included).

    `metric` is None where the whole device is at fault; `messages` is how many of its messages the fault touched, None where nobody counted
    them; `topic` is an MQTT filter of where they went, for devices that cannot be told by a damaged message. `continued` is true of what goes
    on where an earlier line of the same device, metric and kind ended.
    """

    device: str
    metric: str | None = None
    kind: str
    start: int
    end: int
    messages: int | None = None
    topic: str | None = None
    continued: bool = False

    @property
    def touched(self) -> bool:
        """Whether there is anything of it to be seen: a fault between two reports touches none."""
        return self.messages != 0


def read_truth(path: Path) -> list[Fault]:
    """Read a truth file, in the order of the faults' starts; raises TruthError at the first line that is wrong.

    JSON Lines of `{"device", "metric" or null, "kind", "start", "end"}`, with `"messages"` and `"topic"` where they are known; whatever else a
    line says is for people. Times are RFC 3339 (UTC where they name no zone) or epoch numbers, in s, ms, µs or ns by their size.
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise TruthError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TruthError(f"{path}: must be UTF-8; got {error.object[error.start : error.end]!r} at byte {error.start:,}") from error
    return joined(sorted(_faults(path, text), key=lambda fault: fault.start))


def joined(faults: Iterable[Fault]) -> list[Fault]:
    """Make one fault of each that a restart cut into several; `faults` are in the order of their starts.

    >>> first, rest = Fault(device="t-1", kind="spike", start=1, end=2), Fault(device="t-1", kind="spike", start=5, end=6, continued=True)
    >>> [(one.start, one.end) for one in joined([first, rest])]
    [(1, 6)]
    """
    whole: list[Fault] = []
    latest: dict[tuple[str, str | None, str], int] = {}
    for fault in faults:
        key = (fault.device, fault.metric, fault.kind)
        if fault.continued and key in latest:
            first = whole[latest[key]]
            messages = None if first.messages is None or fault.messages is None else first.messages + fault.messages
            changes = {"end": max(first.end, fault.end), "messages": messages, "topic": fault.topic or first.topic}
            whole[latest[key]] = msgspec.structs.replace(first, **changes)
        else:
            latest[key] = len(whole)
            whole.append(fault)
    return whole


def _faults(path: Path, text: str) -> Iterator[Fault]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield _fault(line)
            except ValueError as error:
                raise TruthError(f"{path}:{number}: {error}") from error


def _fault(line: str) -> Fault:
    try:
        said = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError(f"must be a JSON object; got {line.strip()[:60]!r}") from None
    if not isinstance(said, dict):
        raise ValueError(f"must be a JSON object; got {line.strip()[:60]!r}")  # noqa: TRY004 - one kind of error for whatever is wrong in a line
    start, end = _time(said, "start"), _time(said, "end")
    if end < start:
        raise ValueError(f"end must not be before start; got {said['start']!r} and {said['end']!r}")
    device, kind = _text(said, "device"), _text(said, "kind")
    if device is None or kind is None:
        raise ValueError(f"must name a device and a kind; got {line.strip()[:60]!r}")
    if not _KIND.fullmatch(kind):
        raise ValueError(f"kind must be of a-z, 0-9 and -, such as spike or stuck-at; got {kind!r}")
    return Fault(
        device=device,
        metric=_text(said, "metric"),
        kind=kind,
        start=start,
        end=end,
        messages=_messages(said),
        topic=_text(said, "topic"),
        continued=said.get("continued") is True,
    )


def _text(said: Mapping[str, Any], key: str) -> str | None:
    text = said.get(key)
    if text is not None and (not isinstance(text, str) or not text):
        raise ValueError(f"{key} must be a text; got {text!r}")
    return text


def _time(said: Mapping[str, Any], key: str) -> int:
    if said.get(key) is None:
        raise ValueError(f"{key} is missing")
    stamp = timestamps.parse(said[key])
    if stamp is None:
        raise ValueError(f"{key} must be a time, RFC 3339 or an epoch number; got {said.get(key)!r}")
    return stamp.ns


def _messages(said: Mapping[str, Any]) -> int | None:
    messages = said.get("messages")
    if messages is not None and (not isinstance(messages, int) or isinstance(messages, bool) or messages < 0):
        raise ValueError(f"messages must be a whole number from 0; got {messages!r}")
    return messages
