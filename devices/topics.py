"""MQTT topics: their levels, filters, and levels that are safe to build a topic from."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

_ENCODED = str.maketrans({"%": "%25", "/": "%2F", "+": "%2B", "#": "%23"})


def levels(topic: str) -> tuple[str, ...]:
    """Return the levels of a topic, empty ones included (a leading `/` makes an empty first level).

    >>> levels("/home/kitchen")
    ('', 'home', 'kitchen')
    """
    return tuple(topic.split("/"))


def encode(level: str) -> str:
    """Return any text as one level of a topic: `/ + # %` percent-encoded. Distinct texts stay distinct.

    >>> encode("Temp/Out 100%")
    'Temp%2FOut 100%25'
    """
    return level.translate(_ENCODED)


def decode(level: str) -> str:
    """Return the text that `encode` made a level of.

    >>> decode(encode("a/b+c#d%e")) == "a/b+c#d%e"
    True
    """
    return unquote(level, errors="strict")


@lru_cache(maxsize=1024)
def check_filter(pattern: str) -> str | None:
    """Return what is wrong with an MQTT topic filter (MQTT 5, 4.7.1), or None.

    >>> check_filter("home/#"), check_filter("home/a+")
    (None, "'+' must stand alone in its level; got 'a+'")
    """
    parts = pattern.split("/")
    if not pattern or "\0" in pattern:
        return f"a topic filter must have a character and no NUL; got {pattern!r}"
    for place, part in enumerate(parts):
        if "+" in part and part != "+":
            return f"'+' must stand alone in its level; got {part!r}"
        if "#" in part and (part != "#" or place != len(parts) - 1):
            return f"'#' must stand alone in the last level; got {part!r}"
    return None


def specificity(pattern: str) -> tuple[int, ...]:
    """Return by what filters are ordered so that the one that says most comes first: level by level, a name before `+` before `#`.

    >>> sorted(["#", "home/#", "home/+/temp", "home/attic/temp"], key=specificity)
    ['home/attic/temp', 'home/+/temp', 'home/#', '#']
    """
    return tuple({"+": 1, "#": 2}.get(level, 0) for level in pattern.split("/"))


def matches(pattern: str, topic: str) -> bool:
    """Return whether a topic filter takes a topic. `#` takes the parent too; a wildcard in front takes no topic that starts with `$`.

    >>> matches("home/+/temp", "home/kitchen/temp"), matches("home/#", "home"), matches("#", "$SYS/uptime")
    (True, True, False)
    """
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    wanted, given = pattern.split("/"), topic.split("/")
    for place, part in enumerate(wanted):
        if part == "#":
            return True
        if place >= len(given) or part not in ("+", given[place]):
            return False
    return len(wanted) == len(given)
