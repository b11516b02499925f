"""What the parts of a flow file ask of each other. Looks at whatever of the file is sound, so that one mistake hides no other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from devices import vocabulary
from flows import expressions, templates
from flows.expressions import LABELS, NUMBER, TEXT, TRUTH, AggregateCall, Flaw, Scope
from flows.flow_file import parse_hold
from gateway.findings import Document, Problem, Step, hint

SERIES = ("device", "metric", "channel")
"""What a group can be by, beside labels."""

_RESERVED_FLOWS = {"alerts", "commands", "readings", "windows", "status", "sluice"}
_RESERVED_GROUPS = {"value", "unit", "labels", "flow", "site", "revision", "start", "end"}
_RESERVED_AGGREGATES = {*SERIES, *_RESERVED_GROUPS, "state"}
_CEL_WORDS = {
    *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in"),
    *("let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while"),
}
_LABEL = re.compile(r"[\w.\-]{1,64}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ANYTHING = (NUMBER, TEXT, TRUTH)


class Rules:
    """The rules of one file. `sound` is its data without what already has a finding; the document tells what is there at all."""

    def __init__(self, document: Document, sound: Mapping[str, Any]) -> None:
        self._document = document
        self._sound = sound
        window = document.data.get("window")
        kind = window.get("kind") if isinstance(window, dict) else window
        self._kind = kind if isinstance(kind, str) else None
        aggregate = document.data.get("aggregate")
        self._aggregate_names: tuple[str, ...] | None = tuple(aggregate) if isinstance(aggregate, dict) else None

    def problems(self) -> Iterator[Problem]:
        """Give everything that is wrong between the parts."""
        yield from self._name()
        yield from self._where()
        yield from self._group()
        yield from self._parts()
        yield from self._aggregates()
        yield from self._trigger()
        yield from self._actions()
        yield from self._tests()

    def _at(self, *path: Step) -> Any:
        """Give the sound value at a path, or None."""
        value: Any = self._sound
        for step in path:
            if isinstance(value, Mapping):
                value = value.get(cast("str", step))
            elif isinstance(value, list) and isinstance(step, int):
                value = value[step]
            else:
                return None
        return value

    def _has(self, key: str) -> bool:
        """Tell whether the file gives a key a value, be it sound or not."""
        return self._document.data.get(key) is not None

    def _name(self) -> Iterator[Problem]:
        name = self._at("name")
        if name in _RESERVED_FLOWS:
            yield Problem(("name",), f"a flow cannot be named {name!r}: Sluice publishes its own under that name", show=False)
        elif name in vocabulary.METRICS or name in (self._at("select", "metrics") or ()):
            yield Problem(("name",), f"a flow cannot be named like the metric {name!r}: both would be the same measurement", show=False)

    def _where(self) -> Iterator[Problem]:
        where = self._at("select", "where")
        if isinstance(where, str):
            yield from _placed(("select", "where"), expressions.check(where, _SERIES_SCOPE))

    def _group(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for number, name in enumerate(self._at("group") or ()):
            at = ("group", number)
            near = difflib.get_close_matches(str(name), SERIES, n=1, cutoff=0.8)
            if name is None:
                continue
            if name in seen:
                yield Problem(at, f"{name!r} is in group twice", show=False)
            elif str(name).startswith("labels."):
                yield Problem(at, f"a label stands in group by its name: {str(name).removeprefix('labels.')}", show=False)
            elif name in _RESERVED_GROUPS or not _LABEL.fullmatch(name):
                yield Problem(at, "a group is by device, metric, channel, or a label")
            elif near and name not in SERIES:
                yield Problem(at, f"unknown group {name!r}; did you mean {near[0]!r}?", show=False)
            seen.add(str(name))

    def _parts(self) -> Iterator[Problem]:
        """Ask for the parts that need each other."""
        if self._kind in {"tumbling", "sliding"} and not self._has("aggregate"):
            yield Problem(
                ("aggregate",),
                f"missing key 'aggregate': what a {self._kind} window computes, such as {{warm: mean(temperature)}}",
                show=False,
            )
        if self._kind == "none" and self._has("aggregate"):
            yield Problem(("aggregate",), "aggregate needs windows, and this flow has none (window: none)", key=True, show=False)
        if self._kind == "none" and not self._has("trigger"):
            yield Problem(("trigger",), "missing key 'trigger': a flow without windows has nothing else to do", show=False)
        if self._has("do") and self._document.data["do"] and not self._has("trigger"):
            yield Problem(("do",), "do needs a trigger that says when", key=True, show=False)

    def _aggregates(self) -> Iterator[Problem]:
        metrics, groups = self._at("select", "metrics") or (), self._at("group") or ()
        for name, text in (self._at("aggregate") or {}).items():
            at = ("aggregate", name)
            if not _IDENTIFIER.fullmatch(name):
                yield Problem(at, f"{name!r} cannot be a name in expressions: use letters, digits and _", key=True, show=False)
            elif name in _CEL_WORDS:
                yield Problem(at, f"{name!r} is a word of expressions already", key=True, show=False)
            elif name in _RESERVED_AGGREGATES or name in groups:
                yield Problem(at, f"{name!r} already means something else in this flow", key=True, show=False)
            call = AggregateCall.parse(text)
            if metrics and None not in metrics and call.metric not in metrics:
                message = f"{call.metric!r} is not in select.metrics{hint(call.metric, metrics)}"
                yield Problem(at, message, offset=text.rindex(call.metric), show=False)

    def _trigger(self) -> Iterator[Problem]:
        scope = self._scope()
        for key in ("when", "clear"):
            text = self._at("trigger", key)
            if isinstance(text, str) and scope is not None:
                yield from _placed(("trigger", key), expressions.check(text, scope))
        hold = self._at("trigger", "hold")
        unit = parse_hold(hold).unit if hold is not None else ""
        if unit == "windows" and self._kind == "none":
            yield Problem(("trigger", "hold"), "hold counts windows, and this flow has none: give a time, or a number of readings")
        if unit == "readings" and self._kind in {"tumbling", "sliding"}:
            yield Problem(
                ("trigger", "hold"), "hold counts readings, and this flow decides by windows: give a time, or a number of windows"
            )

    def _actions(self) -> Iterator[Problem]:
        scope, groups = self._scope(), self._group_scope()
        alerts = 0
        for number, action in enumerate(self._at("do") or ()):
            if not isinstance(action, dict):
                continue
            if isinstance(alert := action.get("alert"), str):
                alerts += 1
                if alerts == 2:
                    yield Problem(("do", number, "alert"), "a flow has one alert text", key=True, show=False)
                if scope is not None:
                    yield from _placed(("do", number, "alert"), templates.check(alert, scope))
            device = self._at("do", number, "command", "device")
            if isinstance(device, str) and groups is not None:
                yield from _placed(("do", number, "command", "device"), templates.check(device, groups))

    def _tests(self) -> Iterator[Problem]:
        names: set[str] = set()
        for number, case in enumerate(self._at("tests") or ()):
            if not isinstance(case, dict):
                continue
            if (name := case.get("name")) in names:
                yield Problem(("tests", number, "name"), f"two tests are named {name!r}", show=False)
            names.add(str(name))
            for index, window in enumerate(self._at("tests", number, "expect", "windows") or ()):
                known = {"start", "end", "revision", "count", *filter(None, self._at("group") or ()), *(self._aggregate_names or ())}
                for key in set(window or ()) - known:
                    at = ("tests", number, "expect", "windows", index, key)
                    yield Problem(at, f"unknown key {key!r}{hint(key, known)}", key=True, show=False)

    def _scope(self) -> Scope | None:
        """Give what the trigger and the alert know; None where that cannot be told."""
        groups = self._group_scope()
        if groups is None:
            return None
        if self._kind == "none":
            return {**groups, **_SERIES_SCOPE, "value": _ANYTHING}
        if self._kind not in {"tumbling", "sliding"} or self._aggregate_names is None:
            return None
        sound = self._at("aggregate") or {}
        return {
            **groups,
            **{name: AggregateCall.parse(sound[name]).samples if name in sound else _ANYTHING for name in self._aggregate_names},
        }

    def _group_scope(self) -> Scope | None:
        """Give what a command's device can be made of: the group, and with no windows the reading itself."""
        group = self._at("group")
        if group is None or None in group:
            return None
        scope: Scope = {str(name): (TEXT,) for name in group}
        return {**scope, **_SERIES_SCOPE} if self._kind == "none" else scope


_SERIES_SCOPE: Scope = {"device": (TEXT,), "metric": (TEXT,), "channel": (TEXT,), "unit": (TEXT,), "labels": LABELS}


def _placed(at: tuple[Step, ...], flaws: list[Flaw]) -> Iterator[Problem]:
    for flaw in flaws:
        yield Problem(at, f"{at[-1]}: {flaw.message}", offset=flaw.offset, show=flaw.offset is None)
