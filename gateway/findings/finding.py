"""A finding: one thing wrong with the configuration, at its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`file` is relative to the config folder, `line` and `column` count from 1. `got` is what stood there.

    >>> print(Finding("gateway.yaml", 3, 9, "keep must be a duration such as 10s, 5m, 2h", "'abc'"))
    gateway.yaml:3:9: keep must be a duration such as 10s, 5m, 2h (got 'abc')
    """

    file: str
    line: int
    column: int
    message: str
    got: str | None = None

    def __lt__(self, other: Finding) -> bool:
        return self._key() < other._key()

    def __str__(self) -> str:
        got = "" if self.got is None else f" (got {self.got})"
        return f"{self.file}:{self.line}:{self.column}: {self.message}{got}"

    def document(self) -> dict[str, str | int | None]:
        """Give the finding as `sluice check --json` has it."""
        return {"file": self.file, "line": self.line, "column": self.column, "message": self.message, "got": self.got}

    def _key(self) -> tuple[str, int, int, str, str]:
        return (self.file, self.line, self.column, self.message, self.got or "")


class ConfigError(Exception):
    """A configuration that cannot be used; `findings` holds everything wrong with it, in the order of its files."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))
