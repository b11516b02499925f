"""A strict server of InfluxDB's v2 write API, by the written contract, that can be told to misbehave.

Sources: the API reference of InfluxDB v2 (POST /api/v2/write; LineProtocolError, 401, 404, 413, 429 and 503 with Retry-After) and its line
protocol reference. A batch with a malformed line is rejected as a whole. It is stricter than InfluxDB in one thing: whatever the reference
does not allow is an error, a line break inside quotes among it.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from urllib.parse import parse_qs, urlsplit

FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
INTEGER = re.compile(r"[+-]?\d+[iu]")
BOOLEANS = {
    "t": True,
    "T": True,
    "true": True,
    "True": True,
    "TRUE": True,
    "f": False,
    "F": False,
    "false": False,
    "False": False,
    "FALSE": False,
}
LONGEST_KEY, LONGEST_STRING = 65_535, 1_048_576


def take(text, at, stops, escapes):
    """Read up to an unescaped stop; gives the text unescaped and where it stopped. A backslash before anything else is itself."""
    out = []
    while at < len(text) and text[at] not in stops:
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in escapes:
            at += 1
        out.append(text[at])
        at += 1
    return "".join(out), at


def take_string(text, at):
    """Read a quoted string that starts at `at`; only quotes and backslashes are escaped."""
    out = []
    at += 1
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in ("\\", '"'):
            at += 1
        out.append(text[at])
        at += 1
    if at >= len(text):
        raise ValueError("unbalanced quotes")
    value = "".join(out)
    if len(value.encode()) > LONGEST_STRING:
        raise ValueError("string field value too long")
    return value, at + 1


def take_value(text, at):
    """Read a field's value: a string, float, integer or boolean."""
    if text[at : at + 1] == '"':
        return take_string(text, at)
    end = at
    while end < len(text) and text[end] not in ", ":
        end += 1
    word = text[at:end]
    if word in BOOLEANS:
        return BOOLEANS[word], end
    if INTEGER.fullmatch(word):
        return int(word[:-1]), end
    if FLOAT.fullmatch(word):
        number = float(word)
        if number in (float("inf"), float("-inf")):
            raise ValueError("invalid number: out of range")
        return number, end
    raise ValueError(f"invalid field value {word[:40]!r}")


def take_tags(line, at):
    """Read the tags; gives them and where they end."""
    tags = {}
    while line[at : at + 1] == ",":
        key, at = take(line, at + 1, ",= ", ",= ")
        if line[at : at + 1] != "=" or not key:
            raise ValueError("missing tag key or value")
        value, at = take(line, at + 1, ",= ", ",= ")
        if not value or line[at : at + 1] == "=":
            raise ValueError("missing tag value")
        if key in tags or key in ("time", "_measurement", "_field"):
            raise ValueError(f"tag key {key!r} is taken")
        tags[key] = value
    if len(line[:at].encode()) > LONGEST_KEY:
        raise ValueError("max key length exceeded")
    return tags, at


def take_fields(line, at):
    """Read the fields; gives them and where they end."""
    fields = {}
    separator = " "
    while line[at : at + 1] == separator:
        key, at = take(line, at + 1, ",= ", ",= ")
        if line[at : at + 1] != "=" or not key or key in fields:
            raise ValueError("missing or repeated field")
        fields[key], at = take_value(line, at + 1)
        separator = ","
    if not fields:
        raise ValueError("missing fields")
    return fields, at


def parse(line):
    """Read one line: measurement, tags, fields, time. Raises ValueError."""
    measurement, at = take(line, 0, ", ", ", ")
    if not measurement:
        raise ValueError("missing measurement")
    tags, at = take_tags(line, at)
    fields, at = take_fields(line, at)
    if not re.fullmatch(r" -?\d+", line[at:]):
        raise ValueError(f"bad timestamp {line[at : at + 40]!r}")
    time = int(line[at:])
    if not -(2**63) + 2 <= time <= 2**63 - 2:
        raise ValueError("timestamp out of range")
    return measurement, tags, fields, time


class InfluxServer:
    """Holds points across stops and starts. `faults` are answered one by one before anything is right again.

    A fault is a status with headers ((429, {"Retry-After": "2"})), or "cut": store and close without an answer, or "hang": take it and say
    nothing until the server stops.
    """

    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.token, self.org, self.bucket = "secret", "home", "sluice"
        self.largest = 50_000_000
        self.named_from = 1
        self.faults = []
        self.said = 0
        self.points = {}
        self.arrived = []
        self.requests = []
        self._types = {}
        self._lock = threading.Lock()
        self._http = None
        self._stopping = threading.Event()

    @property
    def running(self):
        return self._http is not None

    def start(self):
        self._stopping.clear()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            disable_nagle_algorithm = True

            def do_POST(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self._http = Server(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self):
        if self._http:
            self._stopping.set()
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()
            self._http = None

    def answer(self, request):
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if self._http is None:
            request.close_connection = True
            return
        with self._lock:
            fault = self.faults.pop(0) if self.faults else None
            if fault in ("hang", "endless", "trickling"):
                self.requests.append((monotonic(), fault, 0))
            elif isinstance(fault, tuple):
                status, headers = fault
                self.reply(request, status, {"code": "told to", "message": f"told to answer {status}"}, headers)
                return
            else:
                status, document, lines = self.judge(request, body)
                if fault != "cut":
                    self.reply(request, status, document, {}, lines)
                    return
                self.requests.append((monotonic(), "cut", lines))
        if fault == "hang":
            self._stopping.wait(30)
        if fault in ("endless", "trickling"):
            self.go_on(request, *((b"\xff" * 65_536, 0) if fault == "endless" else (b"x", 0.05)))
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    def go_on(self, request, piece, pause):
        """Answer 503 with a body that has no end, until nobody reads it any more."""
        request.send_response(503)
        request.send_header("Content-Length", str(10**15))
        request.end_headers()
        with suppress(OSError):
            while not self._stopping.wait(pause):
                request.wfile.write(piece)
                self.said += len(piece)

    def reply(self, request, status, document, headers, lines=0):
        self.requests.append((monotonic(), status, lines))
        body = json.dumps(document).encode() if document else b""
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def judge(self, request, body):
        """Give status and document for a request, and how many lines were stored."""
        address = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path != "/api/v2/write" or asked.get("precision") != "ns":
            return 404, {"code": "not found", "message": "path not found"}, 0
        if request.headers.get("Authorization") != f"Token {self.token}":
            return 401, {"code": "unauthorized", "message": "unauthorized access"}, 0
        if asked.get("org") != self.org or asked.get("bucket") != self.bucket:
            return 404, {"code": "not found", "message": f'bucket "{asked.get("bucket")}" not found'}, 0
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if len(body) > self.largest:
            return 413, {"code": "request too large", "message": "payload too large"}, 0
        return self.store(body.decode("utf-8").split("\n"))

    def store(self, lines):
        parsed = []
        for number, line in enumerate(lines):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                point = parse(line)
                self.check_types(point)
            except ValueError as error:
                named = {} if self.named_from is None else {"line": number + self.named_from}
                return 400, {"code": "invalid", "message": f"unable to parse '{line[:200]}': {error}", **named}, 0
            parsed.append(point)
        for measurement, tags, fields, time in parsed:
            self.points.setdefault((measurement, tuple(sorted(tags.items())), time), {}).update(fields)
            self.arrived.append((measurement, tags, fields, time))
        return 204, None, len(parsed)

    def check_types(self, point):
        measurement, _, fields, _ = point
        for name, value in fields.items():
            if self._types.setdefault((measurement, name), type(value)) is not type(value):
                raise ValueError(f"field type conflict: {name}")
