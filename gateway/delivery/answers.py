"""HTTP answers, of which no more is read than anyone needs, nor for longer than an answer may take."""

from __future__ import annotations

from io import BytesIO
from time import monotonic
from typing import Any

import urllib3

LONGEST_ANSWER = 65_536
"""Bytes; an answer to a write is empty, or an error of a few hundred bytes with perhaps the bad line in it."""


class BriefAnswers:
    """A pool of connections that reads at most the first LONGEST_ANSWER bytes of an answer, decompressed, and for at most `patience` seconds.

    The connection of an answer that goes on, or takes longer, is closed: whatever answers, memory stays bounded, and so does the time.
    """

    def __init__(self, pool: urllib3.PoolManager, patience: float) -> None:
        self._pool, self._patience = pool, patience

    def request(self, method: str, url: str, **how: Any) -> urllib3.HTTPResponse:
        """Send a request, and give the answer with what was read of it; as `urllib3.PoolManager.request`."""
        gives_up = monotonic() + self._patience
        answer = self._pool.request(method, url, **{**how, "preload_content": False})
        read = bytearray()
        try:
            while len(read) < LONGEST_ANSWER and monotonic() < gives_up and (more := answer.read1(LONGEST_ANSWER - len(read))):
                read += more
        finally:
            answer.close()
        text = read.decode(errors="replace").encode()  # cut short or not, the client takes it for UTF-8
        return urllib3.HTTPResponse(BytesIO(text), answer.headers, answer.status, reason=answer.reason, decode_content=False)

    def clear(self) -> None:
        """Close the connections."""
        self._pool.clear()
