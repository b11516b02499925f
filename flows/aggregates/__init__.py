"""Aggregates: what a window says about the readings in it. Each is a reading of a mergeable accumulator, and several may read the same one."""

from flows.aggregates.accumulator import Result, State
from flows.aggregates.call import AggregateCall
from flows.aggregates.columns import Columns, aggregate
from flows.aggregates.registry import AGGREGATES, Aggregate
from flows.aggregates.span import Point, Span

__all__ = [
    "AGGREGATES",
    "Aggregate",
    "AggregateCall",
    "Columns",
    "Point",
    "Result",
    "Span",
    "State",
    "aggregate",
]
