"""Calls of aggregates as flow files write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.aggregates import AGGREGATES, AggregateCall


@pytest.mark.parametrize("name", [name for name, wanted in AGGREGATES.items() if wanted.takes == ("metric",)])
def test_every_aggregate_can_be_called(name):
    """What the windows compute is what a file can ask for."""
    assert str(AggregateCall.parse(f" {name} ( soil_moisture ) ")) == f"{name}(soil_moisture)"


@pytest.mark.parametrize(
    ("text", "metrics", "params"),
    [
        ("ewma(temperature, 5m)", ("temperature",), (300 * 10**9,)),
        ("correlation(temperature,humidity)", ("temperature", "humidity"), ()),
        ("correlation(temperature, humidity, 10s)", ("temperature", "humidity"), (10 * 10**9,)),
        ("time_in_state(mode, 'a, b) \"c\" \\'')", ("mode",), ('a, b) "c" \'',)),
        ("time_in_state(state, true)", ("state",), (True,)),
        ("time_in_state(level, -2)", ("level",), (-2.0,)),
        ("mean(10s)", ("10s",), ()),
    ],
)
def test_call_holds_metrics_and_parameters(text, metrics, params):
    """Each argument is what its place asks for, and the call's text reads back as the same."""
    call = AggregateCall.parse(text)
    assert (call.metrics, call.params) == (metrics, params)
    assert [type(param) for param in call.params] == [type(param) for param in params]
    assert AggregateCall.parse(str(call)) == call


@given(value=st.one_of(st.text(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)))
def test_call_of_any_value_reads_back(value):
    """Whatever a state is called, its call can be written and read."""
    call = AggregateCall("time_in_state", ("mode",), (value,))
    assert AggregateCall.parse(str(call)) == call
    assert type(AggregateCall.parse(str(call)).params[0]) is type(value)


@pytest.mark.parametrize("text", ["mean", "mean(a", "mean(mean(a))", "2 * mean(a)", "mean(a,)", 'mean("a)', "mean(a b)", "", 5, None])
def test_call_that_is_none(text):
    """What is no call is told the form."""
    with pytest.raises(ValueError, match=r"must be a call such as mean\(temperature\)"):
        AggregateCall.parse(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("mean()", "must call mean as mean(temperature)"),
        ("mean(a, b)", "must call mean as mean(temperature)"),
        ('mean("a")', 'must call mean as mean(temperature): "a" is no metric: a metric stands without quotes'),
        ("ewma(a)", "must call ewma as ewma(temperature, 5m)"),
        ("ewma(a, 0s)", "must call ewma as ewma(temperature, 5m): 0s is no duration such as 10s, 5m, 2h"),
        ("ewma(a, soon)", "must call ewma as ewma(temperature, 5m): soon is no duration such as 10s, 5m, 2h"),
        (
            "time_in_state(mode, heating)",
            'must call time_in_state as time_in_state(mode, "heating"): heating is no quoted text, truth value or number',
        ),
        (
            "correlation(a, a)",
            "must call correlation as correlation(temperature, humidity) or correlation(temperature, humidity, 10s): of two different metrics",
        ),
        ("meen(a)", "calls an unknown function 'meen'; did you mean 'mean'?"),
        ("p00(a)", "calls an unknown function 'p00'; did you mean"),
    ],
)
def test_call_that_breaks_a_rule(text, rule):
    """A call that does not fit its aggregate is told how that one is called, and what does not fit."""
    with pytest.raises(ValueError) as told:
        AggregateCall.parse(text)
    assert str(told.value).startswith(rule)


def test_samples_are_of_every_kind_a_call_may_give():
    """What comes as it is may be a number, a text or a truth value; everything else is a number."""
    kinds = {name: {type(sample) for sample in AggregateCall.parse(f"{name}(x)").samples} for name in ("first", "last", "mode", "mean")}
    anything = {float, str, bool}
    assert kinds == {"first": anything, "last": anything, "mode": anything, "mean": {float}}
