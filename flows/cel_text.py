"""The text of a CEL expression: its tokens, the conditions it is made of, and a division that cannot be by zero.

The CEL library gives no syntax tree, so that what needs places within an expression reads its tokens. Only text that the library has
compiled comes here. Tokens as in the language definition: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n]*"|'[^'\n]*')
             |[bB]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<decimal>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    |(?P<whole>0x[0-9a-fA-F]+[uU]?|\d+[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[=!<>]=|.)""",
    re.VERBOSE | re.DOTALL,
)
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_][A-Za-z0-9_]*)\s*,")
_OPEN, _CLOSED = "([{", ")]}"
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in")


class Token(NamedTuple):
    """`kind`: text, decimal, whole, name or sign. `start` and `end` count characters of the expression."""

    kind: str
    text: str
    start: int
    end: int


def tokens(source: str) -> list[Token]:
    """Split an expression into its tokens, without white space and comments.

    >>> [token.text for token in tokens('warm>28.0 && labels.room=="a b" // hot')]
    ['warm', '>', '28.0', '&&', 'labels', '.', 'room', '==', '"a b"']
    """
    found = (Token(str(match.lastgroup), match[0], *match.span()) for match in _TOKEN.finditer(source))
    return [token for token in found if token.kind != "space"]


def bound_names(source: str) -> set[str]:
    """Name the variables that macros such as `exists(x, …)` bring themselves."""
    return set(_MACRO.findall(source))


def free_names(source: str) -> Iterator[Token]:
    """Give every name that an expression takes from outside, at each place where it stands; functions and members are none.

    >>> [(token.text, token.start) for token in free_names('labels.room == "x" && size(device) > 2')]
    [('labels', 0), ('device', 27)]
    """
    bound, found = bound_names(source), tokens(source)
    for before, token, after in zip([None, *found], found, [*found[1:], None], strict=False):
        member = before is not None and before.text == "."
        called = after is not None and after.text == "("
        if token.kind == "name" and not member and not called and token.text not in bound | _WORDS:
            yield token


_WORDS = {"true", "false", "null", "in"}


def members(source: str) -> Iterator[tuple[Token, Token]]:
    """Give each name with the member that is asked of it.

    >>> [(name.text, member.text) for name, member in members('prev.warm > 1.0 && labels["room"] == "x"')]
    [('prev', 'warm')]
    """
    found = tokens(source)
    free = {token.start for token in free_names(source)}
    for name, sign, member in zip(found, found[1:], found[2:], strict=False):
        if name.start in free and sign.text == "." and member.kind == "name":
            yield name, member


def null_tests(source: str) -> set[str]:
    """Name what an expression compares with null, members as `prev.warm`: it asks whether these are there.

    >>> sorted(null_tests("limit == null || null != prev.warm && value > limit"))
    ['limit', 'prev.warm']
    """
    found, tested = tokens(source), set()
    for number, token in enumerate(found):
        if token.text != "null" or token.kind != "name":
            continue
        if found[number - 1 : number] and found[number - 1].text in {"==", "!="}:
            first = number - 4 if number > 3 and found[number - 3].text == "." else number - 2
            tested.add("".join(one.text for one in found[first : number - 1]))
        if found[number + 1 : number + 2] and found[number + 1].text in {"==", "!="}:
            last = number + 5 if found[number + 3 : number + 4] and found[number + 3].text == "." else number + 3
            tested.add("".join(one.text for one in found[number + 2 : last]))
    return tested


def conditions(found: Sequence[Token]) -> list[Sequence[Token]]:
    """Take an expression apart at `? :`, `||`, `&&` and `!`, into conditions that are each true or false.

    >>> source = "a > 1.0 && (b || !(c < 2.0))"
    >>> [source[part[0].start : part[-1].end] for part in conditions(tokens(source))]
    ['a > 1.0', 'b', 'c < 2.0']
    """
    found = _bare(found)
    for signs in (("?", ":"), ("||",), ("&&",)):
        parts = split(found, signs)
        if len(parts) > 1:
            return [condition for part in parts for condition in conditions(part)]
    if found[:1] and found[0].text == "!" and len(split(found, COMPARISONS)) == 1:
        return conditions(found[1:])
    return [found]


def split(found: Sequence[Token], signs: Sequence[str]) -> list[Sequence[Token]]:
    """Split tokens at signs that stand outside of brackets; empty parts are dropped."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in found:
        if token.kind == "sign":
            depth += (token.text in _OPEN) - (token.text in _CLOSED)
        if depth == 0 and token.kind != "text" and token.text in signs:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _bare(found: Sequence[Token]) -> Sequence[Token]:
    """Take off brackets that hold the whole."""
    while len(found) > 2 and found[0].text == "(" and _closing(found, 0) == len(found) - 1:
        found = found[1:-1]
    return found


def _closing(found: Sequence[Token], opening: int) -> int:
    depth = 0
    for number in range(opening, len(found)):
        if found[number].kind == "sign":
            depth += (found[number].text in _OPEN) - (found[number].text in _CLOSED)
        if depth == 0:
            return number
    return len(found) - 1


def divisors(found: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Give first and last token of what each `/` divides by.

    >>> found = tokens("a / b.c + d / -(e - f) / 2.0")
    >>> ["".join(token.text for token in found[first : last + 1]) for first, last in divisors(found)]
    ['b.c', '-(e-f)', '2.0']
    """
    for number, token in enumerate(found):
        if token.kind == "sign" and token.text == "/":
            yield number + 1, _operand_end(found, number + 1)


def _operand_end(found: Sequence[Token], number: int) -> int:
    while found[number].text in {"-", "!"}:
        number += 1
    number = _closing(found, number)
    while number + 1 < len(found) and found[number + 1].text in {".", "(", "["}:
        number = number + 2 if found[number + 1].text == "." else _closing(found, number + 1)
    return number


def guard_divisions(source: str, guard: str) -> str:
    """Put what is divided by into a function, wherever it is not a plain number.

    >>> guard_divisions("used / (free + used) > 0.5 && a / 2.0 > 1.0", "nonzero")
    'used / nonzero((free + used)) > 0.5 && a / 2.0 > 1.0'
    """
    found = tokens(source)
    marks: dict[int, str] = {}
    for first, last in divisors(found):
        if first != last or found[first].kind not in {"decimal", "whole"}:
            marks[found[first].start] = f"{guard}("
            marks[found[last].end] = ")" + marks.get(found[last].end, "")
    pieces, done = [], 0
    for position in sorted(marks):
        pieces += [source[done:position], marks[position]]
        done = position
    return "".join([*pieces, source[done:]])
