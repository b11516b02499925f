"""Conditions and aggregate calls as flow files write them: compiled once, checked at load, never failing at run time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import cel

from flows.aggregates import Result
from flows.cel_text import COMPARISONS, Token, conditions, divisors, free_names, guard_divisions, members, null_tests, split, tokens
from flows.mathematics import MATH
from gateway.findings import hint

NUMBER, TEXT, TRUTH = 1.5, "1", True
"""What checks try a name with; the text is one that `double()` and `int()` can read."""

_OTHER_NUMBERS = (1000.0, -1000.0, 0.25)

Samples = tuple[float | str | bool, ...]
"""What a name may hold, one sample of each kind. An empty tuple stands for the labels, a map of texts."""

Scope = Mapping[str, "Samples | Mapping[str, Samples]"]
"""The names that an expression may use; a mapping stands for a name with members, such as `prev.warm`."""

LABELS: Samples = ()

_FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError)
"""All that the CEL library raises when an expression cannot be evaluated: it has no exception of its own."""

_FUNCTIONS = {"contains", "double", "endsWith", "has", "int", "matches", "size", "startsWith", "string", *MATH}
_ELSEWHERE = {"max": "greatest", "min": "least", "log": "ln", "power": "pow", "float": "double", "len": "size"}
"""What other languages call a function."""
_GUARD = "nonzero"
_LONGEST = 2_000
_MOST_TRIES = 4_000
"""Combinations of samples that a check tries at most."""
_ODD = {"=": "write == to compare", "&": "write && for and", "|": "write || for or", "and": "write && for and", "or": "write || for or"}


class Flaw(NamedTuple):
    """What is wrong with a text, and where in it (characters; None: as a whole)."""

    offset: int | None
    message: str


class Formula:
    """A compiled CEL expression.

    >>> Formula("hot - prev.hot").value({"hot": 21.5, "prev": {"hot": 20.0}})
    1.5
    >>> Formula("hot - prev.hot").value({"hot": 21.5, "prev": {}}) is None
    True
    >>> Formula("mode != 'off'").value({}) is None, Formula("limit == null ? 50.0 : limit").value({})
    (True, 50.0)
    """

    __slots__ = ("_asked", "_functions", "_names", "_program", "source")

    def __init__(self, source: str) -> None:
        """Compile; ValueError where the text is no expression (`check` says it better)."""
        self.source = source
        program = cel.compile(source)
        self._functions: dict[str, Any] = {name: MATH[name] for name in program.functions() if name in MATH}
        if "/" in source:
            program = cel.compile(guard_divisions(source, _GUARD))
            self._functions[_GUARD] = _nonzero
        self._program = program
        self._names = tuple(dict.fromkeys(token.text for token in free_names(source)))
        self._asked = frozenset(null_tests(source) if "null" in source else ())

    @property
    def names(self) -> tuple[str, ...]:
        """The names it takes values from."""
        return self._names

    def value(self, values: Mapping[str, Any]) -> Result:
        """Give what it comes to: a number (always a float), text, true or false.

        None where that cannot be told: a value is missing or of another type than the expression asks, something is divided by zero, a
        function has no result (`sqrt` of a negative number), or the result is not finite. Whole numbers count as decimals (beyond 2^53
        they lose their last digits). As in CEL, what cannot be told does not matter where the other side of `||` or `&&` decides. What the
        expression compares with null may be missing: it is null then.
        """
        try:
            result = self._program.execute(self._there(values))
        except _FAULTS:
            return None
        if result is True or result is False or isinstance(result, str):
            return result
        return float(result) if isinstance(result, int | float) and isfinite(result) else None

    def _there(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values that are there, for CEL holds that null differs from everything."""
        found: dict[str, Any] = {}
        for name in self._names:
            value = values.get(name)
            if type(value) is dict:
                found[name] = {member: _decimal(one) for member, one in value.items() if one is not None}
            elif value is not None:
                found[name] = float(value) if type(value) is int else value
        for path in self._asked:
            name, _, member = path.partition(".")
            if not member:
                found.setdefault(name, None)
            elif isinstance(holder := found.get(name), dict):
                holder.setdefault(member, None)
        if self._functions:
            found.update(self._functions)
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"


class Condition(Formula):
    """An expression that is true, false, or cannot be told.

    >>> hot = Condition("warm > 28 && damp / used < 90.0")
    >>> hot.holds({"warm": 29.5, "damp": 60.0, "used": 1.0})
    True
    >>> hot.holds({"warm": 29.5, "damp": 60.0, "used": 0.0}) is None
    True
    """

    __slots__ = ()

    def holds(self, values: Mapping[str, Any]) -> bool | None:
        """Tell whether it is true of these values; None, which neither raises nor clears, where it cannot be told (`Formula.value`)."""
        result = self.value(values)
        return result if isinstance(result, bool) else None


def check(source: str, scope: Scope) -> list[Flaw]:
    """Find what is wrong with a condition: its syntax, names and functions, the types (tried with samples), and that it is true or false.

    >>> check("wram > 28", {"warm": (NUMBER,)})
    [Flaw(offset=0, message="unknown name 'wram'; did you mean 'warm'?")]
    >>> check("warm + 1 > 28.0", {"warm": (NUMBER,)})
    [Flaw(offset=7, message='write 1.0: arithmetic does not mix whole numbers and decimals')]
    """
    flaws = _check_words(source, scope)
    if flaws:
        return flaws
    for condition in conditions(tokens(source)):
        flaw = _try(condition, source, scope)
        if flaw is not None:
            flaws.append(flaw)
    return flaws


def check_formula(source: str, scope: Scope) -> tuple[list[Flaw], Samples]:
    """Find what is wrong with an expression for a value, and give a sample of each kind that it may come to.

    >>> check_formula("hot > 28.0 ? 'hot' : 'fine'", {"hot": (NUMBER,)})
    ([], ('fine',))
    """
    flaws = _check_words(source, scope)
    if flaws:
        return flaws, ()
    found = tokens(source)
    program = cel.compile(source)
    kinds: dict[type, float | str | bool] = {}
    first: Flaw | None = None
    meant = len(found) > 1 and "null" in {token.text for token in found}
    missing = False
    for values in _combinations(source, scope):
        try:
            result = program.execute(_bound(values))
        except _FAULTS as error:
            first = first or _whole_number(found, source, values) or Flaw(found[0].start, _fault(str(error), source, values))
            continue
        if isinstance(result, bool | str | float | int):
            number = type(result) in {int, float}
            kinds.setdefault(float if number else type(result), NUMBER if number else result)
        elif result is None and meant:
            missing = True
        else:
            first = first or Flaw(found[0].start, f"must be a number, text, true or false, but {source!r} is {_kind(result)}")
    return ([], tuple(kinds.values())) if kinds or missing or first is None else ([first], ())


def _check_words(source: str, scope: Scope) -> list[Flaw]:
    """Find what is wrong before anything is tried."""
    if len(source) > _LONGEST:
        return [Flaw(None, f"an expression has at most {_LONGEST:,} characters")]
    try:
        program = cel.compile(source)
    except ValueError as error:
        return [_syntax(str(error), source)]
    return [
        *_unknown_names(source, scope),
        *_unknown_members(source, scope),
        *_unknown_functions(source, program.functions()),
        *_zero_divisors(source),
    ]


def _run(program: cel.Program, values: dict[str, Any]) -> Any:
    """Evaluate; None where that cannot be done."""
    try:
        return program.execute(_bound(values))
    except _FAULTS:
        return None


def _bound(values: dict[str, Any]) -> dict[str, Any]:
    """Make values what CEL compares without fuss: one kind of number."""
    bound = {name: _decimal(value) for name, value in values.items()}
    bound[_GUARD] = _nonzero
    return bound


def _decimal(value: Any) -> Any:
    if type(value) is int:
        return float(value)
    return {name: _decimal(one) for name, one in value.items()} if type(value) is dict else value


def _nonzero(divisor: Any) -> Any:
    """Give null for zero: dividing by null cannot be evaluated (a function that raises would have the library print it)."""
    return divisor or None


def _syntax(error: str, source: str) -> Flaw:
    """Make one short line of the parser's report, which holds a line for each thing it tried."""
    match = re.search(r"ERROR: <input>:(\d+):(\d+): (.*)", error)
    if match is None:
        return Flaw(None, "is no expression")
    lines = source.split("\n")
    line, column = int(match[1]) - 1, int(match[2]) - 1
    offset = min(sum(len(one) + 1 for one in lines[:line]) + column, len(source))
    missing = re.search(r"missing '(.)' at", match[3])
    odd = re.search(r"(?:input|error at:|at) '(.*?)'(?: expecting|$)", match[3])
    text = odd[1].strip() if odd else source[offset : offset + 1]
    if not source.strip():
        return Flaw(None, "an expression must not be empty")
    if missing:
        return Flaw(offset, f"syntax: a {missing[1]!r} is missing here")
    if text[:1] in {'"', "'"}:
        return Flaw(offset, "syntax: a text is not closed")
    if text in {"", "<EOF>"}:
        return Flaw(offset, "syntax: the expression ends too early")
    odd_before = re.search(r"\bnot\s+$", source[:offset])
    advice = f"; {_ODD[text]}" if text in _ODD else "; write ! for not" if odd_before else ""
    return Flaw(offset, f"syntax: unexpected {text!r}{advice}")


def _unknown_names(source: str, scope: Scope) -> Iterator[Flaw]:
    seen: set[str] = set()
    for token in free_names(source):
        if token.text not in scope and token.text not in seen:
            seen.add(token.text)
            near = hint(token.text, set(scope) - {"labels", "prev"})
            if "did you mean" not in near and "labels" in scope:
                near += f"; a label is written labels.{token.text}"
            yield Flaw(token.start, f"unknown name {token.text!r}{near}")


def _unknown_members(source: str, scope: Scope) -> Iterator[Flaw]:
    for name, member in members(source):
        known = scope.get(name.text)
        if isinstance(known, Mapping) and member.text not in known:
            yield Flaw(member.start, f"unknown name {name.text}.{member.text}{hint(member.text, known)}")


def _unknown_functions(source: str, called: Sequence[str]) -> Iterator[Flaw]:
    for name in called:
        if re.fullmatch(r"[A-Za-z]\w*", name) and name not in _FUNCTIONS:
            place = next((token.start for token in tokens(source) if token.kind == "name" and token.text == name), None)
            near = f"; did you mean {_ELSEWHERE[name]!r}?" if name in _ELSEWHERE else hint(name, _FUNCTIONS)
            yield Flaw(place, f"unknown function {name!r}{near if 'did you mean' in near else ''}")


def _zero_divisors(source: str) -> Iterator[Flaw]:
    found = tokens(source)
    for first, last in divisors(found):
        if first == last and found[first].kind in {"decimal", "whole"} and not float(found[first].text.rstrip("uU").replace("0x", "") or 0):
            yield Flaw(found[first].start, "divides by zero")


def _try(condition: Sequence[Token], source: str, scope: Scope) -> Flaw | None:
    """Evaluate one condition with a sample of every kind its names may hold; sound if one combination makes it true or false."""
    start = condition[0].start
    text = source[start : condition[-1].end]
    program = cel.compile(text)
    first: Flaw | None = None
    for values in _combinations(text, scope):
        flaw = _try_once(program, condition, source, values)
        if flaw is None:
            return None
        first = first or flaw
    return first


def _combinations(text: str, scope: Scope) -> Iterator[dict[str, Any]]:
    """Give values for an expression's names: every combination of what each may hold, up to a few thousand."""
    names = list(dict.fromkeys(token.text for token in free_names(text)))
    functions = {token.text: MATH[token.text] for token in tokens(text) if token.text in MATH}
    tried = itertools.product(*(_samples(name, text, scope) for name in names))
    others = itertools.product(*(_numbers(name, text, scope) for name in names)) if names else ()
    for combination in itertools.islice(itertools.chain(tried, others), _MOST_TRIES):
        yield dict(zip(names, combination, strict=True)) | functions


def _numbers(name: str, text: str, scope: Scope) -> Sequence[Any]:
    """Give a name that may be a number other numbers: a condition may let none of 1.5 through, a root need not have one there."""
    known = scope[name]
    return _samples(name, text, scope) if isinstance(known, Mapping) or NUMBER not in known else _OTHER_NUMBERS


def _samples(name: str, text: str, scope: Scope) -> Sequence[Any]:
    known = scope[name]
    if not isinstance(known, Mapping):
        return known or (_sample_labels(text),)
    used = dict.fromkeys(member.text for holder, member in members(text) if holder.text == name)
    return [dict(zip(used, values, strict=True)) for values in itertools.product(*(known[member] for member in used))]


def _try_once(program: cel.Program, condition: Sequence[Token], source: str, values: dict[str, Any]) -> Flaw | None:
    start = condition[0].start
    text = source[start : condition[-1].end]
    try:
        result = program.execute(_bound(values))
    except _FAULTS as error:
        return _whole_number(condition, source, values) or Flaw(start, _fault(str(error), text, values))
    if not isinstance(result, bool):
        return Flaw(start, f"must be true or false, but {text!r} is {_kind(result)}")
    return _never_equal(condition, source, values)


def _whole_number(condition: Sequence[Token], source: str, values: dict[str, Any]) -> Flaw | None:
    """Tell whether all is well once the whole numbers beside + - * / are written as decimals, which CEL does not do itself."""
    beside = zip([None, *condition], condition, [*condition[1:], None], strict=False)
    whole = [t for before, t, after in beside if t.text.isdigit() and {"+", "-", "*", "/"} & {s.text for s in (before, after) if s}]
    text = source[condition[0].start : condition[-1].end]
    for token in reversed(whole):
        end = token.end - condition[0].start
        text = f"{text[:end]}.0{text[end:]}"
    if not whole or _run(cel.compile(text), values) is None:
        return None
    return Flaw(whole[0].start, f"write {whole[0].text}.0: arithmetic does not mix whole numbers and decimals")


def _fault(error: str, text: str, values: dict[str, Any]) -> str:
    mixed = re.match(r"Unsupported operation: (\w+) (\S+) (\w+)", error)
    if mixed and mixed[2] == "%":
        return "'%' takes whole numbers, and values are decimals: convert with int()"
    if mixed and {mixed[1], mixed[3]} == {"int", "float"}:
        return f"{mixed[2]!r} takes two decimals or two whole numbers: convert one with double()"
    failed = re.match(r"Function '(\w+)' error: ([^\n]*?)[.:]?(?:\n| Check function)", error)
    if failed:
        return f"{failed[1]}: {failed[2]} in {text!r}"
    if len(split(tokens(text), COMPARISONS)) > 2:
        return f"comparisons do not chain: write {text!r} as two of them with &&"
    kinds = ", ".join(f"{name} is {_kind(value)}" for name, value in values.items() if not callable(value))
    return f"the types do not fit in {text!r}{': ' if kinds else ''}{kinds}"


def _never_equal(condition: Sequence[Token], source: str, values: dict[str, Any]) -> Flaw | None:
    """Two kinds are never equal in CEL, which is no fault to it, but never what was meant."""
    sides = split(condition, ("==", "!="))
    if len(sides) != 2 or len(split(condition, COMPARISONS)) != 2:
        return None
    kinds = []
    for side in sides:
        text = source[side[0].start : side[-1].end]
        result = _run(cel.compile(text), values)
        kinds.append(_kind(result))
    if "nothing" in kinds or kinds[0] == kinds[1]:
        return None
    whole = source[condition[0].start : condition[-1].end]
    return Flaw(condition[0].start, f"{whole!r} compares {kinds[0]} with {kinds[1]}, which are never equal")


def _sample_labels(text: str) -> dict[str, str]:
    """Make the labels that an expression asks for."""
    found = tokens(text)
    labels = {}
    for token, sign, name in zip(found, found[1:], found[2:], strict=False):
        if token.text == "labels" and sign.text in {".", "["}:
            labels[name.text if sign.text == "." else name.text[1:-1]] = TEXT
    return labels


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    kinds = {bool: "true or false", str: "text", float: "a number", int: "a number", dict: "a map", list: "a list"}
    return kinds.get(type(value), f"a {type(value).__name__}")
