"""The base of every model of a config file: no unknown key, nothing changes once read, and rules that name the key they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from gateway.findings.document import Step


@dataclass(frozen=True)
class Problem:
    """What is wrong `at` a path below the model or document that says so.

    A path that is not in the document stands for what is missing there. `key` places it at the key and not at the value, `offset`
    (characters) at a place within a text value, and `show` adds what stood there.
    """

    at: tuple[Step, ...]
    message: str
    key: bool = False
    offset: int | None = None
    show: bool = True


@dataclass(frozen=True)
class UnknownKey(Problem):
    """A key that the model does not have, and the known one it may be meant for."""

    near: str | None = None


class Problems(ValueError):  # noqa: N818 - it carries problems; pydantic wraps whatever is a ValueError
    """Several problems of one model, raised through pydantic, which else reports only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class Checked(BaseModel):
    """A section of a config file. A known key with nothing after it has its default, as if it were not there."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def rules(self) -> Iterator[Problem]:
        """Give what is wrong between the keys of this section; asked only when each of them is sound alone."""
        return iter(())

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}

    @model_validator(mode="after")
    def _hold_rules(self) -> Self:
        problems = tuple(self.rules())
        if problems:
            raise Problems(problems)
        return self
