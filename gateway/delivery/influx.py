"""InfluxDB 2, or any server with its v2 write API, as a destination."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from gateway.delivery.destination import NotNowError, Refused, Row, Stream
from gateway.delivery.lines import Lines, UnwritableError
from gateway.delivery.thread import Worker

LONGEST_RETRY_AFTER = 3600.0
_DATA_IS_WRONG = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_COME_BACK = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_LINE = re.compile(r"\bline (\d+)\b", re.IGNORECASE)


@dataclass(frozen=True)
class InfluxTarget:
    """Where to write. `timeout` is in seconds and for one request."""

    url: str
    org: str
    bucket: str
    token: str
    ca_file: str | None = None
    timeout: float = 30.0
    gzip: bool = False


class _Numbered(NamedTuple):
    place: int
    line: str


class _Rejected(NamedTuple):
    """Why the server takes a part not as it is: `line` (from 1) where the answer names one, `split` where it is only too large."""

    reason: str
    line: int | None = None
    split: bool = False


class Influx:
    """Writes rows as points, at least once: a point written again has the same series and time and overwrites itself.

    A part that the server rejects (400, 422) is taken apart until the bad lines stand alone; those are refused, the rest is written. 413
    halves. 401, 403 and 404 are for a person to mend: nothing is dropped. 429 and 503 wait as long as Retry-After says. No answer, or one
    that got lost, means: again.
    """

    name = "influxdb"
    streams: tuple[Stream, ...] = ("effects", "readings")
    backfill = True

    def __init__(self, target: InfluxTarget, *, site: str, labels: Sequence[str] = (), batch: int = 5_000, linger: float = 1.0) -> None:
        """Connect to nothing yet. `labels` are those that readings carry as tags."""
        self.batch, self.linger = batch, linger
        self._target = target
        self._lines = Lines(site, labels=labels)
        self._client = InfluxDBClient(
            target.url,
            target.token,
            org=target.org,
            timeout=round(target.timeout * 1000),
            enable_gzip=target.gzip,
            ssl_ca_cert=target.ca_file,
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)
        self._thread = Worker(f"{self.name}-requests")

    async def send(self, rows: Sequence[Row]) -> list[Refused]:
        return await self._thread.run(lambda: self._send(rows))

    async def close(self) -> None:
        self._thread.close()
        self._client.close()  # type: ignore[no-untyped-call]

    def _send(self, rows: Sequence[Row]) -> list[Refused]:
        numbered: list[_Numbered] = []
        refused: list[Refused] = []
        for place, row in enumerate(rows):
            try:
                numbered.append(_Numbered(place, self._lines.line(row)))
            except UnwritableError as error:
                refused.append(Refused(place, str(error)))
        refused += self._write(numbered)
        return sorted(refused)

    def _write(self, numbered: list[_Numbered]) -> list[Refused]:
        """Write all lines; gives those that the server rejects when they stand alone.

        A line that the answer names is tried alone. If the server takes it, it counts its lines otherwise (or meant something else): then
        halves find the bad ones, which costs requests and no point. Lines keep their order: of two for one point the later one stays.
        """
        refused: list[Refused] = []
        parts = [numbered] if numbered else []
        trusted = True
        while parts:
            part = parts.pop()
            rejected = self._post(part)
            if rejected is None:
                continue
            if len(part) == 1:
                refused.append(Refused(part[0].place, rejected.reason))
            elif trusted and rejected.line is not None and 1 <= rejected.line <= len(part):
                at = rejected.line - 1
                alone = self._post(part[at : at + 1])
                trusted = alone is not None
                if alone is not None:
                    refused.append(Refused(part[at].place, alone.reason))
                parts.append(part if alone is None else part[:at] + part[at + 1 :])
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
        return refused

    def _post(self, part: Sequence[_Numbered]) -> _Rejected | None:
        """Write one part in one request; gives why the server rejects it, None when it has it. Raises NotNowError."""
        body = "\n".join(one.line for one in part).encode()
        try:
            self._api.write(self._target.bucket, self._target.org, body, "ns")  # type: ignore[arg-type]  # the client's own type is a bag of strings
        except ApiException as error:
            return self._judge(error)
        except (urllib3.exceptions.HTTPError, OSError, UnicodeDecodeError) as error:
            raise NotNowError(f"{self._target.url}: {_short(str(error))}") from error
        return None

    def _judge(self, error: ApiException) -> _Rejected:
        """Give what a failed answer says of the data; raises NotNowError where it says nothing of it."""
        status = error.status or 0
        answer = _answer(error)
        reason = f"{status} {_short(str(answer.get('message') or error.reason or 'no reason given'))}"
        if status in _DATA_IS_WRONG:
            return _Rejected(reason, line=_line(answer))
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _Rejected(reason)
        if status in _COME_BACK or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotNowError(f"{self._target.url}: {reason}", retry_after=_retry_after(error)) from error
        raise NotNowError(f"{self._target.url}: {reason} (check url, org, bucket and token)", alarm=True) from error


def _answer(error: ApiException) -> dict[str, Any]:
    try:
        answer = json.loads(error.body or "")
    except ValueError:
        return {"message": error.body}
    return answer if isinstance(answer, dict) else {"message": error.body}


def _line(answer: dict[str, Any]) -> int | None:
    """Give the first bad line that the answer names: in `line`, as the API's LineProtocolError has it, or in its message."""
    named = answer.get("line")
    if isinstance(named, int) and not isinstance(named, bool):
        return named
    found = _LINE.search(str(answer.get("message") or ""))
    return int(found[1]) if found else None


def _retry_after(error: ApiException) -> float | None:
    """Give the seconds that Retry-After asks for, as seconds or as a date (RFC 9110, 10.2.3), an hour at most."""
    headers: dict[str, str] = dict(error.headers or {})
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    if said is None:
        return None
    try:
        seconds = float(said) if said.strip().isdigit() else (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _short(text: str) -> str:
    """Give a reason short enough to log and keep: servers repeat the bad line in it."""
    return text if len(text) <= 300 else f"{text[:300]}…"
