"""A recording in JSON Lines: rows, messages, or the readings that `sluice decode` and `sluice history --json` print."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from devices.reading import Message
from simulator.recordings.decoded import Decoder, Said, rows_of
from simulator.recordings.row import TIMES, Measure, RecordingError, Row, Unsaid, measure, moment


class JsonLinesRecording:
    """The rows of a file of JSON objects, one a line, in its order.

    Each line is one of

    * values by metric (or `metric/channel`): `{"time": …, "device": …, "temperature": 21.5}`; one may be `{"value": 21.5, "unit": "°C"}`;
    * one reading: `{"time": …, "device": …, "metric": …, "channel": …, "value": …, "unit": …}`; its other keys are not said;
    * a message, as `sluice decode --jsonl` takes it: `topic`, `payload` or `payload_b64`, `received`, and `retained` where it was;
    * a document with `readings`, as `sluice decode` and `sluice history --json` print it.

    The time is `time`, `timestamp` or `ts`.
    """

    def __init__(self, file: Path, unsaid: Unsaid) -> None:
        self.unread = 0
        self._file, self._unsaid = file, unsaid

    def rows(self) -> Iterator[Row]:
        """Read the file anew; RecordingError at the first line that cannot be read."""
        decoder, self.unread = Decoder(), 0
        with self._file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield from self._line(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, decoder)
                except RecursionError as error:
                    raise RecordingError(f"{self._file}:{number}: is nested too deeply") from error
                except ValueError as error:
                    raise RecordingError(f"{self._file}:{number}: {error}") from error

    def _line(self, line: bytes, decoder: Decoder) -> Iterator[Row]:
        if not line.strip():
            return
        try:
            said = msgspec.json.decode(line)
        except ValueError as error:
            raise ValueError(f"must be one JSON object a line: {error}; got {line.strip()[:40].decode(errors='replace')!r}") from error
        if not isinstance(said, dict):
            raise ValueError(f"must be one JSON object a line; got {line.strip()[:40].decode(errors='replace')!r}")  # noqa: TRY004  one kind of error for a file
        if "topic" in said:
            before = decoder.unread
            yield from decoder.rows(_message(said))
            self.unread += decoder.unread - before
        elif said.get("readings"):
            yield from rows_of((one for row in _readings(said) if (one := self._reading(row, said)) is not None), came=None)
        elif "readings" in said or "dead_letter" in said:
            self.unread += 1
        else:
            yield from self._row(said)

    def _row(self, said: Mapping[str, Any]) -> Iterator[Row]:
        if "value" in said:
            reading = self._reading(said, {})
            found = [] if reading is None else [reading[2]]
        else:
            values = (_value(name, value) for name, value in said.items() if name not in (*TIMES, "device"))
            found = [one for one in values if one is not None]
        if found:
            yield Row(_time(said), self._device(said), self._unsaid.measures(found))

    def _reading(self, said: Mapping[str, Any], document: Mapping[str, Any]) -> Said | None:
        """Read an object of one value; None where it says nothing. `document` is what holds it, and may say whose it is."""
        metric, channel, unit = (_text(said, key) for key in ("metric", "channel", "unit"))
        name = metric or self._unsaid.metric or "value"
        one = measure(name, said.get("value"), unit=unit or self._unsaid.unit)
        device = _text(said, "device") or self._device(document)
        return None if one is None else (device, _time(said), one._replace(metric=name, channel=channel))

    def _device(self, said: Mapping[str, Any]) -> str:
        return _text(said, "device") or self._unsaid.device


def _value(name: str, said: Any) -> Measure | None:
    if isinstance(said, dict) and "value" in said:
        return measure(name, said["value"], unit=_text(said, "unit") or None)
    return measure(name, said)


def _readings(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    readings = said["readings"]
    if not isinstance(readings, list) or not all(isinstance(one, dict) for one in readings):
        raise ValueError(f"readings must be a list of objects; got {str(readings)[:40]!r}")
    return readings


def _text(said: Mapping[str, Any], key: str) -> str:
    value = said.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{key} must be a text; got {value!r}")
    return value or ""


def _time(said: Mapping[str, Any]) -> int:
    return moment(next((said[name] for name in TIMES if name in said), None))


def _message(said: Mapping[str, Any]) -> Message:
    """Read a message; ValueError where it is none, or does not say when it came."""
    topic, payload, packed = said["topic"], said.get("payload"), said.get("payload_b64")
    if not isinstance(topic, str) or not topic:
        raise ValueError(f"topic must be a text; got {topic!r}")
    if isinstance(packed, str):
        try:
            data = base64.b64decode(packed, validate=True)
        except binascii.Error:
            raise ValueError(f"payload_b64 must be base64; got {packed[:40]!r}") from None
    elif isinstance(payload, str):
        data = payload.encode(errors="surrogatepass")
    else:
        raise ValueError(f"a message must have a payload that is a text, or payload_b64; got {payload!r}")  # noqa: TRY004  as above
    if said.get("received") is None:
        raise ValueError("a message must say when it was received; got no received")
    return Message(topic, data, moment(said["received"]), said.get("retained") is True)
