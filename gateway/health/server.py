"""The server behind `health.listen`: /healthz, /readyz and /metrics, on threads of its own."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, NamedTuple

import structlog

from gateway.setting_types import Listen
from gateway.vitals import Vitals

log = structlog.get_logger()

_AT_ONCE = 16
"""Connections that are served at once; a further one takes the place of the oldest."""
_PATIENCE = 5.0
"""Seconds for which a client may say nothing, or take nothing."""
_AGAIN = 5.0
"""Seconds until a port that is taken is tried again."""


class Answer(NamedTuple):
    """What is said to a request."""

    status: HTTPStatus
    kind: str
    body: bytes


Page = Callable[[str], Answer]
"""Gives the answer for the kinds that the client accepts (its `Accept`)."""


class _Server(ThreadingHTTPServer):
    """A server that slow clients cannot fill: who has been there for longest goes."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, listen: Listen, pages: dict[str, Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        self.pages = pages
        self._open: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        super().__init__((listen.host.strip("[]"), listen.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= _AT_ONCE:
                with suppress(OSError):
                    next(iter(self._open)).shutdown(socket.SHUT_RDWR)
                self._open.pop(next(iter(self._open)))
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "sluice", ""
    timeout = _PATIENCE

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self._send(Answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", f"there are {', '.join(self.server.pages)}\n".encode()))
            return
        try:
            self._send(page(self.headers.get("Accept", "")))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  one that asks must not end the server, and is told
            self._send(Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", f"{type(error).__name__}: {error}\n".encode()))

    do_HEAD = do_GET  # noqa: N815  the names are those of http.server

    def _refuse(self) -> None:
        self._send(Answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", b"GET and HEAD only\n"))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse  # noqa: N815

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is that of http.server
        """Say nothing: a supervisor asks every few seconds."""


class HealthServer:
    """Answers on a thread of its own, until it is closed. A port that is taken meanwhile is said once and tried again."""

    def __init__(self, listen: Listen, vitals: Vitals, metrics: Page) -> None:
        self._listen = listen
        self._pages: dict[str, Page] = {
            "/healthz": lambda _: _verdict(vitals.stuck()),
            "/readyz": lambda _: _verdict(vitals.waiting()),
            "/metrics": metrics,
        }
        self._closing = threading.Event()
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._closing.set()
        with self._lock:
            server = self._server
        if server is not None:
            server.shutdown()
        self._thread.join(_PATIENCE)

    def _serve(self) -> None:
        said = False
        while not self._closing.is_set():
            try:
                server = _Server(self._listen, self._pages)
            except OSError as error:
                if not said:
                    log.error("health.listen cannot be used", listen=str(self._listen), error=error.strerror)  # noqa: TRY400  no mistake of ours
                said = True
                self._closing.wait(_AGAIN)
                continue
            with self._lock:
                self._server = server
            with server:
                if not self._closing.is_set():
                    server.serve_forever(poll_interval=0.1)
            return


def _verdict(reasons: Sequence[str]) -> Answer:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    body = json.dumps({"ok": not reasons, "reasons": list(reasons)})
    return Answer(status, "application/json", f"{body}\n".encode())


class Once:
    """Gives a document that is costly to make, made anew at most once in so many seconds, whoever asks."""

    def __init__(self, make: Callable[[], dict[str, Any]], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._made: tuple[float, dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> dict[str, Any]:
        with self._lock:
            if self._made is None or monotonic() - self._made[0] > self._seconds:
                self._made = (monotonic(), self._make())
            return self._made[1]
