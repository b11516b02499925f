"""Expressions and templates: what they mean at run time, and what is found wrong with them at load."""

import math
from types import MappingProxyType

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import templates
from flows.cel_text import guard_divisions, tokens
from flows.expressions import LABELS, NUMBER, TEXT, TRUTH, Condition, Formula, check, check_formula
from flows.templates import Template

SCOPE = {"warm": (NUMBER,), "damp": (NUMBER,), "last": (NUMBER, TEXT, TRUTH), "device": (TEXT,), "labels": LABELS}


@pytest.mark.parametrize(
    ("source", "values", "holds"),
    [
        ("warm > 28", {"warm": 28.5}, True),
        ("warm > 28.0", {"warm": 29}, True),
        ("warm * 2.0 > 57.0", {"warm": 29}, True),
        ("warm == 28", {"warm": 28.0}, True),
        ("count > 9007199254740992", {"count": 2**64 - 1}, True),
        ("last == 'ON' || last == true", {"last": True}, True),
        ("last == 1", {"last": True}, False),
        ("has(labels.room) && labels.room == 'a'", {"labels": {"room": "a"}}, True),
        ("has(labels.room) && labels.room == 'a'", {"labels": {}}, False),
        ("labels['room'] in ['a', 'b']", {"labels": MappingProxyType({"room": "b"})}, True),
        ('device.startsWith("t-") && !device.endsWith("-9")', {"device": "t-1"}, True),
        ("labels.exists(k, k == 'room')", {"labels": {"room": "a"}}, True),
    ],
)
def test_condition_holds(source, values, holds):
    """Whole numbers and decimals compare, whatever a device sent; labels may be any mapping."""
    assert Condition(source).holds(values) is holds


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("warm > 28.0", {}),
        ("warm > 28.0", {"warm": None}),
        ("warm > 28.0", {"warm": "hot"}),
        ("warm > 28.0", {"warm": math.nan}),
        ("warm - 1.0", {"warm": 2.0}),
        ("labels.room == 'a'", {"labels": {}}),
        ("!(labels.room == 'a')", {"labels": {}}),
        ("used / free > 1.0", {"used": 1.0, "free": 0.0}),
        ("used / (free - 1.0) > 1.0", {"used": 1.0, "free": 1}),
        ("used / -free > 1.0", {"used": 1.0, "free": -0.0}),
        ("int(used) / int(free) > 1", {"used": 1.0, "free": 0.2}),
        ("int(used) > 1", {"used": 1e300}),
        ("[1.0, 2.0].exists(x, used / (x - 1.0) > 1000.0)", {"used": 1.0}),
    ],
)
def test_condition_that_cannot_be_told(source, values):
    """A missing value, another type, NaN, a division by zero: neither true nor false, and never an exception."""
    assert Condition(source).holds(values) is None


def test_condition_is_decided_by_the_side_that_can_be_told():
    """As in CEL, what is missing on one side of || or && does not matter where the other decides."""
    either, both = Condition("warm > 28.0 || damp > 90.0"), Condition("warm > 28.0 && damp > 90.0")
    assert either.holds({"warm": 30.0}) is True
    assert either.holds({"damp": 95.0}) is True
    assert both.holds({"warm": 20.0}) is False
    assert both.holds({"warm": 30.0}) is None


@pytest.mark.parametrize(
    "source",
    ["warm != 28.0", "!(warm == 28.0)", "warm in [1.0]", "prev.warm != 28.0", "gone.warm != 28.0", "damp == null || warm != 28.0"],
)
def test_missing_value_is_equal_to_nothing_and_different_from_nothing(source):
    """What is missing is not another value: `mode != "off"` is not true before the mode was heard."""
    assert Condition(source).holds({"warm": None, "prev": {"warm": None}, "gone": {}, "damp": 5.0}) is None


def test_expression_can_ask_whether_a_value_is_there():
    """What is compared with null, on either side and of a name or of a member, is null where it is missing."""
    total = Formula("prev.total == null ? warm : prev.total + warm")
    assert [total.value({"warm": 2.0, "prev": prev}) for prev in ({}, {"total": None}, {"total": 5.0})] == [2.0, 2.0, 7.0]
    assert Condition("null != limit && warm > limit").holds({"warm": 2.0}) is False
    assert Condition("null != limit && warm > limit").holds({"warm": 2.0, "limit": 1.0}) is True


@pytest.mark.parametrize(
    "source",
    ["warm > 200.0 && warm < 300.0 ? warm : null", "sqrt(warm - 20.0)", "ln(warm - 2.0)", "warm < -5.0 ? 'cold' : null"],
)
def test_formula_that_is_not_always_there_has_no_flaws(source):
    """A sample that the condition does not let through, or that the function has no result for, is no mistake."""
    assert check_formula(source, SCOPE)[0] == []


@pytest.mark.parametrize("source", ["null", "sqrt(device)"])
def test_formula_that_is_never_there_has_a_flaw(source):
    """What comes to nothing whatever the values is a mistake."""
    [flaw] = check_formula(source, SCOPE)[0]
    assert "is nothing" in flaw.message


def test_nothing_is_printed_when_a_condition_cannot_be_told(capfd):
    """The library prints what a function raises; a division by zero a second would fill the log."""
    Condition("1.0 / warm > 1.0").holds({"warm": 0.0})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "source",
    [
        "warm > 28 && damp < 90.0",
        "(warm - damp) / 2.0 > 1.0 && !(last == true)",
        "device.matches('^t-[0-9]+$') ? warm > 1.0 : damp > 1.0",
        "labels.room == 'a' || labels['floor'] != 'b'",
        "has(labels.room) && double(labels.floor) > 2.0",
        "last == 'ON' || last > 3.0",
        "warm in [1.0, 2.0]",
        "labels.all(k, k != 'test')",
        "warm > 1.0 // a comment, with && and 'quotes'",
        "true",
        "size(device) + 1 > 2",
        "warm == null || warm > damp * 1.5",
    ],
)
def test_sound_expression_has_no_flaws(source):
    """What can be evaluated is not found fault with."""
    assert check(source, SCOPE) == []


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("", None, "an expression must not be empty"),
        ("warm >", 6, "syntax: the expression ends too early"),
        ("(warm > 28.0", 12, "syntax: a ')' is missing here"),
        ("warm > 28.0)", 11, "syntax: unexpected ')'"),
        ("warm = 28.0", 5, "syntax: unexpected '='; write == to compare"),
        ("warm > 1.0 and damp > 1.0", 11, "syntax: unexpected 'and'; write && for and"),
        ("warm > 1.0 or damp > 1.0", 11, "syntax: unexpected 'or'; write || for or"),
        ("device == 'é' &&& warm > 1.0", 16, "syntax: unexpected '&'; write && for and"),
        ("device == 'x", 10, "syntax: a text is not closed"),
        ("true &&\nwarm >", 14, "syntax: the expression ends too early"),
        ("wram > 28.0", 0, "unknown name 'wram'; did you mean 'warm'?"),
        ("warm > 28.0 && room == 'a'", 15, "unknown name 'room'; known: damp, device, last, warm; a label is written labels.room"),
        ("true || wram > 28.0", 8, "unknown name 'wram'; did you mean 'warm'?"),
        ("device.startWith('t')", 7, "unknown function 'startWith'; did you mean 'startsWith'?"),
        ("warm > 28.0 && frobnicate(warm)", 15, "unknown function 'frobnicate'"),
        ("warm + 1 > 28.0", 7, "write 1.0: arithmetic does not mix whole numbers and decimals"),
        ("false && 2 * warm > 28.0", 9, "write 2.0: arithmetic does not mix whole numbers and decimals"),
        ("(warm + 1) * 2 > 28 - 1", 8, "write 1.0: arithmetic does not mix whole numbers and decimals"),
        ("warm + size(device) > 28.0", 0, "'+' takes two decimals or two whole numbers: convert one with double()"),
        ("warm > 1.0 && warm % 2 == 0", 14, "'%' takes whole numbers, and values are decimals: convert with int()"),
        ("warm / 0 > 1.0", 7, "divides by zero"),
        ("warm / 0.0 > 1.0", 7, "divides by zero"),
        ("warm > 1.0 || device > 3.0", 14, "the types do not fit in 'device > 3.0': device is text"),
        ("false && (true || labels.room > 3.0)", 18, "the types do not fit in 'labels.room > 3.0': labels is a map"),
        ("warm + 1.0", 0, "must be true or false, but 'warm + 1.0' is a number"),
        ("warm > 1.0 && damp", 14, "must be true or false, but 'damp' is a number"),
        ("warm == '28'", 0, "\"warm == '28'\" compares a number with text, which are never equal"),
        ("warm > 1.0 && labels.floor == 3", 14, "'labels.floor == 3' compares text with a number, which are never equal"),
        ("device.matches('[')", 0, "matches: '[' not a valid regex in \"device.matches('[')\""),
        ("x" * 2_001, None, "an expression has at most 2,000 characters"),
    ],
)
def test_flawed_expression_is_told_what_and_where(source, offset, message):
    """One short line for each mistake, also in a part that evaluation would not reach."""
    assert check(source, SCOPE) == [(offset, message)]


def test_every_condition_is_looked_at():
    """Two wrong conditions of one expression are two flaws."""
    assert [flaw.offset for flaw in check("warm + 1 > 2.0 && damp * 2 > 2.0", SCOPE)] == [7, 25]


@st.composite
def arithmetic(draw, depth=3):
    """An expression over a, b and c, nested in the ways that a divisor can be."""
    shape = draw(st.sampled_from(["{}", "{}", "({})", "-({})", "double({})", "{{'k': {}}}.k", "[{}][0]"])) if depth else "{}"
    if not depth or draw(st.booleans()):
        return shape.format(draw(st.sampled_from(["a", "b", "c", "2.0", "0.5"])))
    sign = draw(st.sampled_from("+-*//"))
    return shape.format(f"{draw(arithmetic(depth - 1))} {sign} {draw(arithmetic(depth - 1))}")


@settings(deadline=None)
@given(arithmetic(), st.tuples(*[st.sampled_from([-2.5, -1.0, 0.0, 1.0, 3.0])] * 3))
def test_guarded_division_changes_nothing_but_division_by_zero(expression, values):
    """Where no divisor is zero the guarded expression gives what the plain one gives; where one is, it gives nothing."""
    names = dict(zip("abc", values, strict=True))
    source = f"{expression} > 0.5"
    try:
        eval(expression.replace("double", "float").replace("}.k", "}['k']"), {}, names)  # Python raises where it divides by zero
    except ZeroDivisionError:
        assert Condition(source).holds(names) is None
    else:
        assert Condition(source).holds(names) is cel.compile(source).execute(names)


def test_guard_leaves_texts_and_comments_alone():
    """A slash in a text or a comment divides nothing."""
    source = "device == 'a/b' && labels.path != \"c/d\" // e/f"
    assert guard_divisions(source, "nonzero") == source


@settings(deadline=None)
@given(st.text(alphabet="abc \"'/\\().&|!<>=0123456789.rR\n", max_size=30))
def test_tokens_hold_the_text(source):
    """Tokens are the text in order, with nothing but white space and comments between them."""
    for token in tokens(source):
        assert source[token.start : token.end] == token.text


@settings(deadline=None)
@given(st.text(alphabet="wdl \"'/\\().&|!<>=01.,[]{}?:+-*%@é\n", max_size=24))
def test_no_expression_makes_checking_fail(source):
    """Whatever the text, checking it gives flaws within it; without flaws it compiles, and gives true, false or None."""
    scope = {"w": (NUMBER,), "d": (TEXT,), "l": LABELS}
    flaws = check(source, scope)
    assert all(flaw.offset is None or 0 <= flaw.offset <= len(source) for flaw in flaws)
    if not flaws:
        assert Condition(source).holds({"w": 1, "d": "x", "l": {}}) in {True, False, None}


@pytest.mark.parametrize(
    ("source", "values", "text"),
    [
        ("{device} at {warm:.1f} °C", {"device": "t1", "warm": 28.04}, "t1 at 28.0 °C"),
        ("{warm}", {"warm": 28.099999999999998}, "28.1"),
        ("{warm} {count}", {"warm": 2e15, "count": 3.0}, "2e+15 3"),
        ("{warm:.1f}", {}, templates.MISSING),
        ("{warm:.1f}", {"warm": None}, templates.MISSING),
        ("{last:.1f} {on}", {"last": "ON", "on": True}, "ON true"),
        ("{labels.room}, {labels.floor}", {"labels": {"room": "a"}}, f"a, {templates.MISSING}"),
        ("{labels.room}", {"room": "of the group"}, "of the group"),
        ("{{{warm:.0f}}} }}", {"warm": 1}, "{1} }"),
        ("100 %, {warm:>6.1f}|{warm:+.0f}", {"warm": 7.25}, "100 %,    7.2|+7"),
        ("{device}", {"device": "{warm}", "warm": 1}, "{warm}"),
    ],
)
def test_template_renders(source, values, text):
    """Values in their formats, a dash for what is missing; a value is never read as a template."""
    assert Template(source).render(values) == text


def test_template_of_a_device_needs_its_values():
    """Who is commanded is never a dash."""
    device = Template("fan-{room}")
    assert device.exact({"room": "a"}) == "fan-a"
    assert device.exact({"room": ""}) is None
    assert device.exact({}) is None
    assert Template("fan-1").exact({}) == "fan-1"


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("{wram:.1f}", 1, "unknown name 'wram'; did you mean 'warm'?"),
        ("a {warm", 2, "'{' has no partner; a brace in the text is written {{"),
        ("a } b", 2, "'}' has no partner; a brace in the text is written }}"),
        ("{warm!r}", 1, "a field holds a name and a format, such as {device} or {warm:.1f}, not 'warm!r'"),
        ("{warm.__class__}", 1, "a field holds a name and a format, such as {device} or {warm:.1f}, not 'warm.__class__'"),
        ("{warm[0]}", 1, "a field holds a name and a format, such as {device} or {warm:.1f}, not 'warm[0]'"),
        ("{}", 1, "a field holds a name and a format, such as {device} or {warm:.1f}, not ''"),
        ("{device:.1f}", 1, "the format '.1f' does not fit: device is text"),
        ("{warm:d}", 1, "the format 'd' does not fit: warm is a number"),
        ("{warm:9999f}", 1, "'9999f' is no format: use one such as .1f"),
        ("{labels}", 1, "a label is written {labels.room}"),
        ("{{warm}} {wram}", 10, "unknown name 'wram'; did you mean 'warm'?"),
    ],
)
def test_flawed_template_is_told_what_and_where(source, offset, message):
    """A template is as safe as it looks: names and formats, nothing to reach through."""
    assert templates.check(source, SCOPE) == [(offset, message)]


@settings(deadline=None)
@given(st.text(alphabet="{}:!.[]wdf1<>0% ", max_size=20))
def test_sound_template_always_renders(source):
    """What passes the check can be rendered, with or without values."""
    if not templates.check(source, {"w": (NUMBER,), "d": (TEXT,)}):
        for values in ({}, {"w": 1.5, "d": "x"}, {"w": "x", "d": 1}, {"w": True, "d": None}):
            assert isinstance(Template(source).render(values), str)
