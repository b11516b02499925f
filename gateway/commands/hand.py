"""A command sent by hand: asked for in the book, and followed until it is over."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import sleep, time_ns

from devices.reading import Value
from gateway.commands.book import Book, Command
from gateway.journal.bell import Bell

_OVER = frozenset(("confirmed", "failed", "expired", "superseded", "refused"))
_GRACE = 5 * 10**9
"""ns beyond all attempts within which a command must have been sent."""


def parse_settings(words: Sequence[str]) -> dict[str, Value]:
    """Read `key=value` words: numbers, true and false, else text.

    >>> parse_settings(["state=ON", "brightness=120", "level=0.5", "lock=true"])
    {'state': 'ON', 'brightness': 120, 'level': 0.5, 'lock': True}
    """
    settings: dict[str, Value] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ValueError(f"a setting is written key=value (got {word!r})")
        settings[key] = _value(text)
    return settings


def _value(text: str) -> Value:
    if text in {"true", "false"}:
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def follow(data: Path, device: str, settings: dict[str, Value], *, within: int, retries: int) -> Iterator[Command]:
    """Ask for a command and give it at each change of its state, the last time when it is over. Durations are ns."""
    book, bell = Book(data / "commands.db"), Bell(data / "store.bell")
    try:
        name, now = f"c-{secrets.token_hex(10)}", time_ns()
        book.ask(name, device, settings, within=within, retries=retries, expires=now + within + _GRACE, now=now)
        bell.ring()
        seen: tuple[str, int] | None = None
        while True:
            command = book.get(name)
            assert command is not None
            if (command.state, command.attempt) != seen:
                seen = (command.state, command.attempt)
                yield command
            if command.state in _OVER:
                return
            sleep(0.02)
    finally:
        book.close()
        bell.close()
