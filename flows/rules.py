"""What the parts of a flow file ask of each other. Looks at whatever of the file is sound, so that one mistake hides no other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from devices import vocabulary
from flows import expressions, templates
from flows.aggregates import AggregateCall
from flows.expressions import LABELS, NUMBER, TEXT, TRUTH, Flaw, Samples, Scope
from flows.flow_file import parse_hold
from flows.mathematics import MATH
from gateway.findings import Document, Problem, Step, hint

SERIES = ("device", "metric", "channel")
"""What a group can be by, beside labels."""

_RESERVED_FLOWS = {"alerts", "commands", "readings", "windows", "status", "sluice"}
_RESERVED_GROUPS = {"value", "unit", "labels", "flow", "site", "revision", "start", "end"}
_RESERVED_NAMES = {*SERIES, *_RESERVED_GROUPS, "state", "prev", "elapsed", "rate", "flat_for", *MATH}
_CEL_WORDS = {
    *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in"),
    *("let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while"),
}
_LABEL = re.compile(r"[\w.\-]{1,64}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ANYTHING = (NUMBER, TEXT, TRUTH)
WINDOWED = ("tumbling", "sliding", "session", "count", "state")
NAMED = ("lookup", "aggregate", "derive", "detect")
"""The parts of a file that bring names."""
_WATCHED = {"rate": "rate", "stuck": "flat_for"}
"""What a trigger itself computes, by what it watches."""
_SURROUNDINGS = {"labels", "prev", "metric", "unit", "device", "channel"}


class Rules:
    """The rules of one file. `sound` is its data without what already has a finding; the document tells what is there at all."""

    def __init__(self, document: Document, sound: Mapping[str, Any]) -> None:
        self._document = document
        self._sound = sound
        window = document.data.get("window")
        kind = window.get("kind") if isinstance(window, dict) else window
        self._kind = kind if isinstance(kind, str) else None
        self._windowed = self._kind in WINDOWED
        self._names = {part: self._names_of(part) for part in NAMED}

    def _names_of(self, part: str) -> tuple[str, ...] | None:
        """Give the names that a part of the file brings; None where it is no mapping."""
        written = self._document.data.get(part)
        return () if written is None else tuple(written) if isinstance(written, dict) else None

    def problems(self) -> Iterator[Problem]:
        """Give everything that is wrong between the parts."""
        yield from self._name()
        yield from self._where()
        yield from self._group()
        yield from self._parts()
        yield from self._named()
        yield from self._lookups()
        yield from self._aggregates()
        yield from self._while()
        yield from self._derived()
        yield from self._detectors()
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
        if self._windowed and not self._has("aggregate"):
            yield Problem(
                ("aggregate",),
                f"missing key 'aggregate': what a {self._kind} window computes, such as {{warm: mean(temperature)}}",
                show=False,
            )
        if self._kind == "none" and self._has("aggregate"):
            yield Problem(("aggregate",), "aggregate needs windows, and this flow has none (window: none)", key=True, show=False)
        written = self._document.data.get("do")
        actions = [action for action in written if isinstance(action, dict)] if isinstance(written, list) else []
        if self._kind == "none" and not self._has("trigger") and not any("republish" in action for action in actions):
            yield Problem(("trigger",), "missing key 'trigger': a flow without windows has nothing else to do", show=False)
        if not self._has("trigger") and any("republish" not in action for action in actions):
            yield Problem(("do",), "do needs a trigger that says when", key=True, show=False)

    def _named(self) -> Iterator[Problem]:
        """Hold that the names that a file brings can be names, and that each is brought once."""
        taken = dict.fromkeys(self._at("group") or (), "group")
        if self._kind == "none":
            taken |= dict.fromkeys(self._at("select", "metrics") or (), "select")
        for part in NAMED:
            for name in self._names[part] or ():
                at = (part, name)
                if not _IDENTIFIER.fullmatch(name):
                    yield Problem(at, f"{name!r} cannot be a name in expressions: use letters, digits and _", key=True, show=False)
                elif name in _CEL_WORDS:
                    yield Problem(at, f"{name!r} is a word of expressions already", key=True, show=False)
                elif name in _RESERVED_NAMES or name in taken:
                    where = f" (in {taken[name]})" if name in taken else ""
                    yield Problem(at, f"{name!r} already means something else in this flow{where}", key=True, show=False)
                taken.setdefault(name, part)

    def _lookups(self) -> Iterator[Problem]:
        group = self._at("group")
        for name in self._names["lookup"] or ():
            lookup = self._at("lookup", name)
            whose = isinstance(lookup, Mapping) and "device" not in lookup and "metric" in lookup
            if whose and group is not None and (None in group or "device" not in group or {"metric", "channel"} & set(group)):
                yield Problem(
                    ("lookup", name), f"missing key 'device' of {name!r}: whose value it is, since group is not by device", show=False
                )

    def _aggregates(self) -> Iterator[Problem]:
        metrics = self._at("select", "metrics") or ()
        for name, text in (self._at("aggregate") or {}).items():
            for metric in AggregateCall.parse(text).metrics:
                if metrics and None not in metrics and metric not in metrics:
                    message = f"{metric!r} is not in select.metrics{hint(metric, metrics)}"
                    yield Problem(("aggregate", name), message, offset=text.index(metric, text.index("(")), show=False)

    def _while(self) -> Iterator[Problem]:
        text = self._at("window", "while")
        if isinstance(text, str):
            scope: Scope = {**self._metric_scope(), "value": _ANYTHING, "metric": (TEXT,)}
            yield from _placed(("window", "while"), expressions.check(text, scope))

    def _derived(self) -> Iterator[Problem]:
        for name, text in (self._at("derive") or {}).items():
            scope = self._scope(before=name)
            if isinstance(text, str) and scope is not None:
                yield from _placed(("derive", name), expressions.check_formula(text, scope)[0])

    def _detectors(self) -> Iterator[Problem]:
        scope = self._scope(scores=False)
        for name in self._at("detect") or {}:
            yield from self._of(("detect", name), scope)

    def _of(self, at: tuple[Step, ...], scope: Scope | None) -> Iterator[Problem]:
        """Hold that what is looked at is a number that the flow knows; where a flow knows one only, it need not be said."""
        of = self._at(*at, "of")
        if scope is None:
            return
        names = self._names["aggregate"] or ()
        if of is None:
            if self._windowed and len(names) != 1 and self._at(*at) is not None:
                yield Problem((*at, "of"), f"missing key 'of': which value is looked at{hint('', names)}", key=True, show=False)
            return
        kinds = scope.get(of)
        if kinds is None or isinstance(kinds, Mapping) or not kinds:
            yield Problem(
                (*at, "of"), f"of: unknown name {of!r}{hint(of, {name for name in scope if name not in _SURROUNDINGS})}", show=False
            )
        elif at[-1] != "stuck" and not any(isinstance(kind, float) for kind in kinds):
            yield Problem((*at, "of"), f"of: {of!r} is no number", show=False)

    def _trigger(self) -> Iterator[Problem]:
        scope = self._scope()
        for key in ("when", "clear"):
            text = self._at("trigger", key)
            if isinstance(text, str) and scope is not None:
                yield from _placed(("trigger", key), expressions.check(text, scope))
        for key in ("outside", "rate", "stuck"):
            if isinstance(self._at("trigger", key), Mapping):
                yield from self._of(("trigger", key), scope)
        hold = self._at("trigger", "hold")
        unit = parse_hold(hold).unit if hold is not None else ""
        if unit == "windows" and self._kind == "none":
            yield Problem(("trigger", "hold"), "hold counts windows, and this flow has none: give a time, or a number of readings")
        if unit == "readings" and self._windowed:
            yield Problem(
                ("trigger", "hold"), "hold counts readings, and this flow decides by windows: give a time, or a number of windows"
            )

    def _actions(self) -> Iterator[Problem]:
        scope, groups = self._scope(watched=True), self._group_scope()
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
            for part in ("command", "republish"):
                device = self._at("do", number, part, "device")
                if isinstance(device, str) and groups is not None:
                    yield from _placed(("do", number, part, "device"), templates.check(device, groups))
            value, names = self._at("do", number, "republish", "value"), self._scope()
            if isinstance(value, str) and names is not None:
                yield from _placed(("do", number, "republish", "value"), expressions.check_formula(value, names)[0])

    def _tests(self) -> Iterator[Problem]:
        names: set[str] = set()
        for number, case in enumerate(self._at("tests") or ()):
            if not isinstance(case, dict):
                continue
            if (name := case.get("name")) in names:
                yield Problem(("tests", number, "name"), f"two tests are named {name!r}", show=False)
            names.add(str(name))
            for index, window in enumerate(self._at("tests", number, "expect", "windows") or ()):
                named = {name for part in ("aggregate", "derive", "detect") for name in self._names[part] or ()}
                known = {"start", "end", "revision", "count", *filter(None, self._at("group") or ()), *named}
                for key in set(window or ()) - known:
                    at = ("tests", number, "expect", "windows", index, key)
                    yield Problem(at, f"unknown key {key!r}{hint(key, known)}", key=True, show=False)

    def _scope(self, *, before: str | None = None, scores: bool = True, watched: bool = False) -> Scope | None:
        """Give what expressions know; None where that cannot be told.

        `before` asks for what a derived value knows: those before it and no scores; `watched` adds what the trigger itself computes.
        """
        groups = self._group_scope()
        if groups is None or self._kind not in {*WINDOWED, "none"} or None in self._names.values():
            return None
        if self._windowed and not self._has("aggregate"):
            return None
        scope: dict[str, Any] = {"labels": LABELS, **groups, **self._lookup_scope()}
        if self._windowed:
            own = {name: self._aggregate_samples(name) for name in self._names["aggregate"] or ()}
        else:
            scope |= {**self._metric_scope(), **_SERIES_SCOPE, "elapsed": (NUMBER,)}
            own = {"value": _ANYTHING}
        later = {name: _ANYTHING for part in ("derive", "detect") for name in self._names[part] or ()}
        scope |= own
        scope["prev"] = {**own, **later}
        for name in self._names["derive"] or ():
            if name == before:
                return scope
            scope[name] = self._derived_samples(name, scope)
            scope["prev"] = scope["prev"] | {name: scope[name]}
        if scores:
            scope |= dict.fromkeys(self._names["detect"] or (), (NUMBER,))
        if watched:
            scope |= {name: (NUMBER,) for key, name in _WATCHED.items() if self._at("trigger", key) is not None}
        return scope

    def _aggregate_samples(self, name: str) -> Samples:
        text = (self._at("aggregate") or {}).get(name)
        return _ANYTHING if text is None else AggregateCall.parse(text).samples

    def _derived_samples(self, name: str, scope: Scope) -> Samples:
        text = (self._at("derive") or {}).get(name)
        return (expressions.check_formula(text, scope)[1] if isinstance(text, str) else ()) or _ANYTHING

    def _lookup_scope(self) -> Scope:
        return dict.fromkeys(self._names["lookup"] or (), _ANYTHING)

    def _metric_scope(self) -> Scope:
        return {name: _ANYTHING for name in self._at("select", "metrics") or () if name is not None}

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
