"""InfluxDB 2, or any server with its v2 write API, as a destination."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from gateway.delivery.answers import BriefAnswers
from gateway.delivery.destination import NotNowError, Refused, Row, Stream
from gateway.delivery.label_tags import LabelTags, TagMemory
from gateway.delivery.lines import Lines, UnwritableError
from gateway.delivery.thread import Worker

LONGEST_RETRY_AFTER = 3600.0
SLOWEST = 10_000
"""Bytes a second of a line that is slow and not dead: a request may take that long to send."""
FEWEST = 50
"""Rows in a batch at least, however slow the server."""
_DATA_IS_WRONG = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_COME_BACK = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_LINE = re.compile(r"\bline (\d+)\b", re.IGNORECASE)


@dataclass(frozen=True)
class InfluxTarget:
    """Where to write, and how long (s) to wait for a connection and for an answer. `token` reads the token: it may change at any time."""

    url: str
    org: str
    bucket: str
    token: Callable[[], str]
    ca_file: str | None = None
    connect_timeout: float = 5.0
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
    halves. 401, 403, 404 and what no InfluxDB says are for a person to mend: nothing is dropped, and the token is read anew. 429 and 503
    wait as long as Retry-After says. No answer, or one that got lost, means: again, and fewer rows at a time until answers come quickly.
    """

    name = "influxdb"
    streams: tuple[Stream, ...] = ("effects", "readings")
    backfill = True

    def __init__(self, target: InfluxTarget, *, site: str, tags: LabelTags, cursor: Path, batch: int = 5_000, linger: float = 1.0) -> None:
        """Connect to nothing yet. `tags` are the labels that readings carry as tags; `cursor` is the file to remember them in."""
        self.batch, self.linger = batch, linger
        self._most = batch
        self._target = target
        self._tags, self._cursor = tags, cursor
        self._lines = Lines(site, tags)
        self._memory: TagMemory | None = None
        self._token: str | None = None
        self._client: InfluxDBClient | None = None
        self._thread = Worker(f"{self.name}-requests")

    async def send(self, rows: Sequence[Row]) -> list[Refused]:
        return await self._thread.run(lambda: self._send(rows))

    async def close(self) -> None:
        self._thread.close()
        self._disconnect()

    def _send(self, rows: Sequence[Row]) -> list[Refused]:
        self._recall()
        numbered: list[_Numbered] = []
        refused: list[Refused] = []
        for place, row in enumerate(rows):
            try:
                numbered.append(_Numbered(place, self._lines.line(row)))
            except UnwritableError as error:
                refused.append(Refused(place, str(error)))
        self._remember()
        refused += self._write(numbered)
        return sorted(refused)

    def _recall(self) -> None:
        """Recall the tags before the first line is made."""
        if self._memory is None:
            try:
                self._memory = TagMemory(self._cursor, self._tags)
            except sqlite3.OperationalError as error:
                raise NotNowError(f"{self._cursor}: {error}") from error

    def _remember(self) -> None:
        """Keep the tags before a line goes out that was made by them."""
        assert self._memory is not None
        try:
            self._memory.keep()
        except sqlite3.OperationalError as error:
            raise NotNowError(f"{self._cursor}: {error}") from error

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
        begun = monotonic()
        try:
            status = self._request(body)
        except ApiException as error:
            return self._judge(error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._pace(monotonic() - begun, failed=True)
            raise NotNowError(f"{self._target.url}: {_short(str(error))}") from error
        if status != HTTPStatus.NO_CONTENT:  # some other server between us and InfluxDB, such as a login page
            raise self._alarm(f"the answer must be 204; got {status}")
        self._pace(monotonic() - begun, failed=False)
        return None

    def _request(self, body: bytes) -> int:
        """Write a body of lines; gives the status of the answer. Raises ApiException for those of 300 and more."""
        target = self._target
        sending = max(target.connect_timeout, len(body) / SLOWEST)  # urllib3 has one limit for connecting and for sending
        service = WriteService(self._connected().api_client)  # type: ignore[no-untyped-call]
        answer = service.post_write_with_http_info(  # type: ignore[no-untyped-call]
            target.org,
            target.bucket,
            body,
            precision="ns",
            content_type="text/plain; charset=utf-8",
            _request_timeout=(round(sending * 1000), round(target.timeout * 1000)),
        )
        return int(answer[1])

    def _pace(self, took: float, *, failed: bool) -> None:
        """Send fewer rows at a time to who cannot take them in time, and more again once answers come quickly."""
        if failed and took >= min(self._target.connect_timeout, self._target.timeout) / 2:
            self.batch = max(self.batch // 2, min(FEWEST, self._most))
        elif not failed and took < self._target.timeout / 8:
            self.batch = min(self.batch * 2, self._most)

    def _connected(self) -> InfluxDBClient:
        if self._client is None:
            target, token = self._target, self._read_token()
            self._client = InfluxDBClient(target.url, token, org=target.org, enable_gzip=target.gzip, ssl_ca_cert=target.ca_file)
            rest = self._client.api_client.rest_client
            rest.pool_manager = BriefAnswers(rest.pool_manager, target.timeout)  # type: ignore[assignment]  # by its one method
        return self._client

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]

    def _read_token(self) -> str:
        self._token = None
        try:
            self._token = token = self._target.token()
        except (OSError, UnicodeDecodeError) as error:
            raise self._alarm(f"influxdb.token_file cannot be read: {error}") from error
        if not (token.isascii() and token.isprintable()):
            raise self._alarm("influxdb.token_file must hold a token of printable ASCII characters; got others")
        return token

    def _alarm(self, reason: str) -> NotNowError:
        """Give the error for what a person must mend; the next request begins anew, with the token as it is by then."""
        self._disconnect()
        used = self._token
        return NotNowError(f"{self._target.url}: {reason}", alarm=True, mended=lambda: self._token_is_new(used))

    def _token_is_new(self, used: str | None) -> bool:
        try:
            return self._target.token() != used
        except (OSError, UnicodeDecodeError):
            return False

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
        raise self._alarm(f"{reason} (check url, org, bucket and token)") from error


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
