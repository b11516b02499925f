"""The whole of a flow file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from flows.aggregates import AGGREGATES, AggregateCall
from flows.cases import Case
from flows.detectors import AnyDetector
from flows.flow_file.action import Action
from flows.flow_file.select import Lookup, Select
from flows.flow_file.trigger import TriggerSpec
from flows.flow_file.window import Window, window_written
from gateway.findings import Checked

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


def _flow_name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("must be a name of a-z, 0-9, - and _, such as greenhouse-climate")
    return value


_SHOWN = ("p50", "p95", "p99")  # of p01 to p99
Call = Annotated[
    AggregateCall,
    BeforeValidator(AggregateCall.parse),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\s*[a-z][a-z0-9_]*\s*\(.+\)\s*$",
            "examples": [one.usage for name, one in AGGREGATES.items() if name in _SHOWN or not re.fullmatch(r"p\d\d", name)],
        }
    ),
]


class FlowSpec(Checked):
    """A flow file."""

    name: Annotated[str, BeforeValidator(_flow_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})] = Field(
        description="The flow's name, in topics and in the store: greenhouse-climate."
    )
    about: str = Field(default="", description="A sentence for people.")
    select: Select = Field(description="Which readings the flow wants.")
    group: tuple[str, ...] = Field(description="What is decided apart: by device, metric, channel or a label; [] is all together.")
    window: Annotated[Window, BeforeValidator(window_written, json_schema_input_type=Window | Literal["none"])] = Field(
        description="How readings are put together; `none`: each decides by itself."
    )
    lookup: dict[str, Lookup] = Field(default_factory=dict, description="Newest values of other series, by the name expressions use.")
    aggregate: dict[str, Call] = Field(default_factory=dict, description="What a window computes, by name: {warm: mean(temperature)}.")
    derive: dict[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict, description="Values computed (CEL) from those before, by name, in order."
    )
    detect: dict[str, AnyDetector] = Field(default_factory=dict, description="Anomaly scores, by name.")
    trigger: TriggerSpec | None = Field(default=None, description="When an episode is raised and when it clears.")
    do: tuple[Action, ...] = Field(default=(), description="What follows.")
    tests: tuple[Case, ...] = Field(default=(), description="Readings, and what must follow from them: `sluice check` runs them.")
