"""Home Assistant's templates, told by their pattern and never rendered: a path into a payload, or words around one value.

A value template is `{{ value }}` or a path into `value_json` (`value_json.a.b`, `value_json['a']`, `value_json["a"].b[0]`,
`value_json.get('a')`), in parentheses or not, with filters that keep the value what it is. A command template is text around one
`{{ value }}`. Whatever else stands in one is code, and a gateway runs none.
"""

from __future__ import annotations

import re
from typing import Final

FILTERS: Final = frozenset({"float", "int", "round", "default", "d", "is_defined", "string", "trim"})
"""Filters after which a value is still the value: rounding and defaults are the reader's own matter."""

LONGEST: Final = 500

_WHOLE: Final = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_FILTER: Final = re.compile(r"\|\s*(\w+)\s*(?:\([^()|{}]*\))?")
_STEP: Final = re.compile(r"""\s*(?:\.get\(\s*(['"])([^'"]*)\1\s*(?:,[^()]*)?\)|\.(\w+)|\[\s*(['"])([^'"]*)\4\s*\]|\[\s*(\d+)\s*\])""")
_VALUE: Final = re.compile(r"\{\{-?\s*value\s*(?:\|\s*\w+\s*(?:\([^()|{}]*\))?\s*)*-?\}\}")


def path_of(template: str) -> tuple[str, ...] | None:
    """Return the path that a value template reads, empty for the whole payload; None for any other template.

    >>> path_of("{{ value_json.a['b c'][0] | float | round(1) }}"), path_of("{{value}}")
    (('a', 'b c', '0'), ())
    >>> path_of("{{ (value_json.energy | float) }}"), path_of("{{ (value|float/60)|round(2) }}"), path_of("{% if value %}1{% endif %}")
    (('energy',), None, None)
    """
    whole = _WHOLE.fullmatch(template.strip()) if len(template) <= LONGEST else None
    if whole is None or "{" in whole[1]:
        return None
    inner = _unfiltered(whole[1].strip())
    if inner == "value":
        return ()
    if inner is None or not inner.startswith("value_json"):
        return None
    return _steps(inner.removeprefix("value_json"))


def _unfiltered(text: str) -> str | None:
    """Return an expression without its filters and parentheses; None if one of the filters makes another value of it."""
    while True:
        if _is_enclosed(text):
            text = text[1:-1].strip()
        elif "|" in text:
            end = text.rindex("|")
            last = _FILTER.fullmatch(text[end:])
            if last is None or last[1] not in FILTERS:
                return None
            text = text[:end].strip()
        else:
            return text


def _is_enclosed(text: str) -> bool:
    """Return whether the parenthesis that opens a text is closed by its last character."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place == len(text) - 1
    return False


def _steps(text: str) -> tuple[str, ...] | None:
    steps: list[str] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return None
        steps.append(next(part for part in (step[2], step[3], step[5], step[6]) if part is not None))
        at = step.end()
    return tuple(steps) or None


def words_around(template: str) -> tuple[str, str] | None:
    """Return the text before and behind the value in a command template; None for a template that does more than that.

    >>> words_around('{"speed": {{ value }}}'), words_around("{{ value | int }}"), words_around("{{ value * 2 }}")
    (('{"speed": ', '}'), ('', ''), None)
    """
    found = _VALUE.search(template) if len(template) <= LONGEST else None
    if found is None:
        return None
    before, after = template[: found.start()], template[found.end() :]
    around = before + after
    return None if "{{" in around or "{%" in around or "{#" in around else (before, after)
