"""Guides whose tables are made of the code: pages with marked parts, and the table of a model's keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic.fields import FieldInfo

from gateway.findings.checked import Checked
from gateway.findings.quantities import duration_text, parse_duration

_PART: Final = re.compile(r"(<!-- (\w+): made by `make docs` -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def renewed(page: str, parts: Mapping[str, Callable[[], Iterator[str]]]) -> str:
    r"""Return a page with its made parts as they are now, each by its name.

    >>> renewed("<!-- greeting: made by `make docs` -->\nold\n<!-- end of greeting -->", {"greeting": lambda: iter(["hello"])})
    '<!-- greeting: made by `make docs` -->\n\nhello\n\n<!-- end of greeting -->'
    """
    return _PART.sub(lambda part: "\n".join((part[1], *parts[part[2]](), "", part[3])), page)


def keys(model: type[Checked], *, leaving_out: frozenset[str] = frozenset()) -> Iterator[tuple[str, str, str]]:
    """Give each key of a model as it is written, its default as code, or `needed`, and what it means.

    >>> from pydantic import Field
    >>> class Lamp(Checked):
    ...     glow: float = Field(default=0.5, description="How bright it is, in lm.")
    >>> list(keys(Lamp))
    [('glow', '`0.5`', 'How bright it is, in lm.')]
    """
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key not in leaving_out:
            yield key, _default(field), str(field.description).replace("|", r"\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, int) and any(getattr(one, "func", None) is parse_duration for one in field.metadata):
        return f"`{duration_text(value)}`"
    return "" if value is None or value in ([], {}, "") else f"`{_written(value)}`"


def _written(value: Any) -> str:
    """Write a value as a config file would have it."""
    if isinstance(value, Checked):
        return "{" + ", ".join(f"{key}: {_written(inner)}" for key, inner in value) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
