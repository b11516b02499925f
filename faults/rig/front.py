"""A server before the history that answers wrongly when it is told to, and notes what was written and when."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic, sleep

from gateway.broker.embedded import free_port


@dataclass
class Wrong:
    """What to answer instead of passing a request on; `lost` passes it on and cuts the connection before the answer."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    lost: bool = False
    silent: float = 0.0
    longest: int = 0
    poison: Callable[[str], bool] | None = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that is killed, or cut off, leaves its connection as it stands."""


class Front:
    """Takes the v2 write API and passes it on. `wrong` is None while all is well."""

    def __init__(self, target: int) -> None:
        self.port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.port}"
        self.wrong: Wrong | None = None
        self.requests: list[tuple[float, int]] = []
        self.lines = 0
        self._target = target
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                front.take(self)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        plain = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
        lines = plain.decode(errors="replace").splitlines()
        wrong = self.wrong
        status, headers, said = self._judged(wrong, plain, lines)
        if wrong and wrong.silent:
            sleep(wrong.silent)
        if status == 0:
            status, headers, said = self._pass_on(request, body)
            if status < 300:
                self.lines += len(lines)
        self.requests.append((monotonic(), status))
        if wrong and wrong.lost:
            request.close_connection = True
            with contextlib.suppress(OSError):
                request.connection.close()
            return
        with contextlib.suppress(OSError):
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(said)))
            request.end_headers()
            request.wfile.write(said)

    def _judged(self, wrong: Wrong | None, plain: bytes, lines: list[str]) -> tuple[int, dict[str, str], bytes]:
        """Give the wrong answer; status 0 for none."""
        if wrong is None or wrong.lost or wrong.silent:
            return 0, {}, b""
        if wrong.longest and len(plain) <= wrong.longest:
            return 0, {}, b""
        if wrong.poison:
            bad = next((number for number, line in enumerate(lines, 1) if wrong.poison(line)), None)
            if bad is None:
                return 0, {}, b""
            return 400, {"Content-Type": "application/json"}, json.dumps({"code": "invalid", "message": f"line {bad} is wrong"}).encode()
        return wrong.status, {"Content-Type": "application/json", **wrong.headers}, wrong.body.encode()

    def _pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self._target, timeout=30)
        try:
            kept = {name: value for name, value in request.headers.items() if name.lower() not in {"host", "connection"}}
            connection.request(request.command, request.path, body=body, headers=kept)
            answer = connection.getresponse()
            return answer.status, {}, answer.read()
        except OSError:
            return 503, {}, b"the history is away"
        finally:
            connection.close()
