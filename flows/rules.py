"""What the parts of a flow file ask of each other. Looks at whatever of the file is sound, so that one mistake hides no other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from devices import vocabulary
from flows import expressions, templates
from flows.aggregates import AggregateCall
from flows.cases import case_readings
from flows.expressions import TEXT, Flaw, Scope
from flows.flow_file import parse_hold
from flows.mathematics import MATH
from flows.scopes import ANYTHING, NAMED, SERIES_SCOPE, Scopes
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
_SURROUNDINGS = {"labels", "prev", "metric", "unit", "device", "channel"}


class Rules:
    """The rules of one file. `sound` is its data without what already has a finding; the document tells what is there at all."""

    def __init__(self, document: Document, sound: Mapping[str, Any]) -> None:
        self._document = document
        self._scopes = Scopes(document, sound)
        self._at = self._scopes.at
        self._names = self._scopes.names
        self._kind, self._windowed = self._scopes.kind, self._scopes.windowed

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
            yield from _placed(("select", "where"), expressions.check(where, SERIES_SCOPE))

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
        if self._windowed and not self._document.data.get("aggregate"):
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
            written = self._document.data["lookup"][name]
            whose = isinstance(lookup, Mapping) and isinstance(written, Mapping) and "device" not in written and "metric" in lookup
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
            scope: Scope = {**self._scopes.of_metrics(), "value": ANYTHING, "metric": (TEXT,)}
            yield from _placed(("window", "while"), expressions.check(text, scope))

    def _derived(self) -> Iterator[Problem]:
        for name in self._at("derive") or {}:
            yield from self._value(("derive", name), self._scopes.of_results(before=name))

    def _detectors(self) -> Iterator[Problem]:
        scope = self._scopes.of_results(scores=False)
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
        scope = self._scopes.of_results()
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
        actions = {number: action for number, action in enumerate(self._at("do") or ()) if isinstance(action, dict)}
        for number in [number for number, action in actions.items() if isinstance(action.get("alert"), str)][1:2]:
            yield Problem(("do", number, "alert"), "a flow has one alert text", key=True, show=False)
        for number in actions:
            for part in ("command", "republish"):
                yield from self._template(("do", number, part, "device"), self._scopes.of_group())
            yield from self._texts(number, self._scopes.of_results(watched=True))
            yield from self._value(("do", number, "republish", "value"), self._scopes.of_results())

    def _texts(self, number: int, scope: Scope | None) -> Iterator[Problem]:
        """Look at what an action says and sets."""
        yield from self._template(("do", number, "alert"), scope)
        for at in (("do", number, "command", "set"), ("do", number, "on_clear", "set")):
            for name in self._at(*at) or {}:
                yield from self._template((*at, name), scope)

    def _template(self, at: tuple[Step, ...], scope: Scope | None) -> Iterator[Problem]:
        text = self._at(*at)
        if isinstance(text, str) and scope is not None:
            yield from _placed(at, templates.check(text, scope))

    def _value(self, at: tuple[Step, ...], scope: Scope | None) -> Iterator[Problem]:
        text = self._at(*at)
        if isinstance(text, str) and scope is not None:
            yield from _placed(at, expressions.check_formula(text, scope)[0])

    def _tests(self) -> Iterator[Problem]:
        names: set[str] = set()
        for number, case in enumerate(self._at("tests") or ()):
            if not isinstance(case, dict):
                continue
            if (name := case.get("name")) in names:
                yield Problem(("tests", number, "name"), f"two tests are named {name!r}", show=False)
            names.add(str(name))
            yield from self._test_readings(number, case)
            for index, window in enumerate(self._at("tests", number, "expect", "windows") or ()):
                named = {name for part in ("aggregate", "derive", "detect") for name in self._names[part] or ()}
                known = {"start", "end", "revision", "count", *filter(None, self._at("group") or ()), *named}
                for key in set(window or ()) - known:
                    at = ("tests", number, "expect", "windows", index, key)
                    yield Problem(at, f"unknown key {key!r}{hint(key, known)}", key=True, show=False)

    def _test_readings(self, number: int, case: Mapping[str, Any]) -> Iterator[Problem]:
        """Hold that a test says something to the flow."""
        metrics = self._at("select", "metrics")
        text = case.get("readings")
        if not isinstance(text, str) or not metrics or None in metrics:
            return
        said = {reading.metric for reading in case_readings(text)}
        if not said & {*metrics, *(one.get("metric") for one in (self._at("lookup") or {}).values() if isinstance(one, Mapping))}:
            what = f"of {', '.join(sorted(said))}" if said else "none"
            yield Problem(("tests", number, "readings"), f"none of the readings is one that the flow selects: they are {what}", show=False)


def _placed(at: tuple[Step, ...], flaws: list[Flaw]) -> Iterator[Problem]:
    for flaw in flaws:
        yield Problem(at, f"{at[-1]}: {flaw.message}", offset=flaw.offset, show=flaw.offset is None)
