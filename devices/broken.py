"""Rules between the keys of a model, broken: each at the key that it is about, which pydantic's errors alone cannot say."""

from __future__ import annotations

from collections.abc import Iterable

Path = tuple[str | int, ...]


class BrokenRules(ValueError):  # noqa: N818 - it carries rules; pydantic wraps whatever is a ValueError
    """Several rules of one model, each with the path of the key below the model that breaks it."""

    def __init__(self, rules: Iterable[tuple[Path, str]]) -> None:
        self.rules = tuple(rules)
        super().__init__("; ".join(message for _, message in self.rules))


def hold(rules: Iterable[tuple[Path, str]]) -> None:
    """Raise BrokenRules where there is one."""
    broken = tuple(rules)
    if broken:
        raise BrokenRules(broken)
