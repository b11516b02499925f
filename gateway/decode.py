"""What `sluice decode` prints: the readings of one message, or why there are none, as plain JSON values."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Held, Ignored, Message, Reading
from devices.timestamps import parse


def decode_line(catalogue: Catalogue, row: dict[str, Any], *, now: int) -> dict[str, Any]:
    """Return `{"readings": […]}`, `{"readings": [], "ignored": reason}` or `{"dead_letter": reason}` for one row.

    `{"readings": [], "held": reason}` is a message that has to wait for another, and `refused` stands beside readings whose message holds values
    that would change the type of their series.

    A row has `topic`, and `payload` (text) or `payload_b64`; `received` (epoch, or ISO time with a zone) and `retained` are optional. `now`
    is epoch ns: the receive time of rows that state none. A row that is not so is a dead letter too. Never raises.
    """
    message = _message(row, now)
    return {"dead_letter": message} if isinstance(message, str) else answer(catalogue, message)


def decode_jsonl(lines: Iterable[str | bytes], catalogue: Catalogue, *, now: int) -> Iterator[dict[str, Any]]:
    """Yield one answer for each line that is not blank; `catalogue` keeps what earlier lines taught."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            yield {"dead_letter": f"line {number}: must be a JSON object with topic and payload; got {_cut(line)} ({error})"}
            continue
        message = _message(row, now) if isinstance(row, dict) else f"must be a JSON object with topic and payload; got {_cut(line)}"
        yield {"dead_letter": f"line {number}: {message}"} if isinstance(message, str) else answer(catalogue, message)


def answer(catalogue: Catalogue, message: Message) -> dict[str, Any]:
    """Return what a message says, as `decode_line` does."""
    outcome = catalogue.readings(message)
    if isinstance(outcome, DeadLetter):
        return {"dead_letter": outcome.reason}
    if isinstance(outcome, Ignored):
        return {"readings": [], "ignored": outcome.reason}
    if isinstance(outcome, Held):
        return {"readings": [], "held": outcome.reason}
    given: dict[str, Any] = {"readings": [_shown(reading) for reading in outcome]}
    if catalogue.news.refused:
        given["refused"] = [refused.reason for refused in catalogue.news.refused]
    return given


def _message(row: dict[str, Any], now: int) -> Message | str:
    """Return the message that a row states, or what is wrong with the row."""
    topic, payload = row.get("topic"), row.get("payload")
    if not isinstance(topic, str) or not topic or "\0" in topic:
        return f"row must have a topic that is a text; got {topic!r}"
    if "payload_b64" in row:
        try:
            data = base64.b64decode(row["payload_b64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            return f"row's payload_b64 must be base64; got {str(row['payload_b64'])[:40]!r}"
    elif isinstance(payload, str):
        data = payload.encode(errors="surrogatepass")
    else:
        return f"row must have a payload that is a text, or payload_b64; got {payload!r}"
    received = now
    if row.get("received") is not None:
        stamp = parse(row["received"], least=0)
        if stamp is None or stamp.local:
            return f"row's received must be an epoch number or an ISO time with a zone; got {row['received']!r}"
        received = stamp.ns
    return Message(topic, data, received, retained=row.get("retained") is True)


def _shown(reading: Reading) -> dict[str, Any]:
    return {
        "device": reading.device,
        "metric": reading.metric,
        "channel": reading.channel,
        "key": reading.key,
        "value": reading.value,
        "unit": reading.unit,
        "raw_value": reading.raw_value,
        "raw_unit": reading.raw_unit,
        "ts": reading.ts,
        "time_source": reading.time_source,
        **({"sequence": reading.sequence} if reading.sequence is not None else {}),
        **({"labels": dict(sorted(reading.labels.items()))} if reading.labels else {}),
    }


def _cut(line: str | bytes) -> str:
    text = line if isinstance(line, str) else line.decode(errors="replace")
    return repr(text.strip()[:40])
