"""The ends of the dataflow for a worker that has none of them: they are on another."""

from __future__ import annotations

from typing import Any, NoReturn

from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import FixedPartitionedSink

from flows.normaliser import Item


class SourceElsewhere(FixedPartitionedSource[Item, bytes]):
    """No partition of the source."""

    def list_parts(self) -> list[str]:
        return []

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> NoReturn:  # noqa: ARG002  Bytewax's signature
        raise LookupError(f"{step_id}: partition {for_part} is on another worker")


class SinkElsewhere(FixedPartitionedSink[Any, None]):
    """No partition of the sink."""

    def list_parts(self) -> list[str]:
        return []

    def part_fn(self, item_key: str) -> int:  # noqa: ARG002  there is one partition, as in `StoreSink`
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> NoReturn:  # noqa: ARG002  Bytewax's signature
        raise LookupError(f"{step_id}: partition {for_part} is on another worker")
