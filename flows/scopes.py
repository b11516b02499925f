"""What the expressions of a flow file know: from whatever of the file is sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flows import expressions
from flows.aggregates import AggregateCall
from flows.expressions import LABELS, NUMBER, TEXT, TRUTH, Samples, Scope
from gateway.findings import Document, Step

ANYTHING: Samples = (NUMBER, TEXT, TRUTH)
WINDOWED = ("tumbling", "sliding", "session", "count", "state")
NAMED = ("lookup", "aggregate", "derive", "detect")
"""The parts of a file that bring names."""
_WATCHED = {"rate": "rate", "stuck": "flat_for"}
"""What a trigger itself computes, by what it watches."""
SERIES_SCOPE: Scope = {"device": (TEXT,), "metric": (TEXT,), "channel": (TEXT,), "unit": (TEXT,), "labels": LABELS}


class Scopes:
    """The names and kinds of one file. `sound` is its data without what already has a finding; the document tells what is there at all.

    `kind` is the kind of its windows, None where that cannot be told; `names` what each of `NAMED` brings, None where it is no mapping.
    """

    def __init__(self, document: Document, sound: Mapping[str, Any]) -> None:
        self._document = document
        self._sound = sound
        window = document.data.get("window")
        kind = window.get("kind") if isinstance(window, dict) else window
        self.kind = kind if isinstance(kind, str) else None
        # A kind that is none hides nothing else: where something is aggregated, there are windows.
        self.windowed = self.kind in WINDOWED or (self.kind != "none" and bool(document.data.get("aggregate")))
        self.names = {part: self._names_of(part) for part in NAMED}

    def _names_of(self, part: str) -> tuple[str, ...] | None:
        """Give the names that a part of the file brings; None where it is no mapping."""
        written = self._document.data.get(part)
        return () if written is None else tuple(written) if isinstance(written, dict) else None

    def at(self, *path: Step) -> Any:
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

    def of_results(self, *, before: str | None = None, scores: bool = True, watched: bool = False) -> Scope | None:
        """Give what expressions know; None where that cannot be told.

        `before` asks for what a derived value knows: those before it and no scores; `watched` adds what the trigger itself computes.
        """
        groups = self.of_group()
        if groups is None or not (self.windowed or self.kind == "none") or None in self.names.values():
            return None
        if self.windowed and not self._document.data.get("aggregate"):
            return None
        scope: dict[str, Any] = {"labels": LABELS, **groups, **dict.fromkeys(self.names["lookup"] or (), ANYTHING)}
        if self.windowed:
            own = {name: self._aggregate_samples(name) for name in self.names["aggregate"] or ()}
        else:
            scope |= {**self.of_metrics(), **SERIES_SCOPE, "elapsed": (NUMBER,)}
            own = {"value": ANYTHING}
        later = {name: ANYTHING for part in ("derive", "detect") for name in self.names[part] or ()}
        scope |= own
        scope["prev"] = {**own, **later}
        for name in self.names["derive"] or ():
            if name == before:
                return scope
            if name in {"prev", "labels"}:
                continue
            scope[name] = self._derived_samples(name, scope)
            scope["prev"] = scope["prev"] | {name: scope[name]}
        if scores:
            scope |= dict.fromkeys(self.names["detect"] or (), (NUMBER,))
        if watched:
            scope |= {name: (NUMBER,) for key, name in _WATCHED.items() if self.at("trigger", key) is not None}
        return scope

    def _aggregate_samples(self, name: str) -> Samples:
        text = (self.at("aggregate") or {}).get(name)
        return ANYTHING if text is None else AggregateCall.parse(text).samples

    def _derived_samples(self, name: str, scope: Scope) -> Samples:
        text = (self.at("derive") or {}).get(name)
        return (expressions.check_formula(text, scope)[1] if isinstance(text, str) else ()) or ANYTHING

    def of_metrics(self) -> Scope:
        """Give the selected metrics by their names."""
        return {name: ANYTHING for name in self.at("select", "metrics") or () if name is not None}

    def of_group(self) -> Scope | None:
        """Give what a command's device can be made of: the group, and with no windows the reading itself."""
        group = self.at("group")
        if group is None or None in group:
            return None
        scope: Scope = {str(name): (TEXT,) for name in group}
        return {**scope, **SERIES_SCOPE} if self.kind == "none" else scope
