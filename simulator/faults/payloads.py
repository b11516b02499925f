"""Faults of what a message says: malformed, truncated, schema-change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, Literal, TypeVar

from pydantic import Field

from gateway.findings import Problem
from simulator.dialect import Outgoing, Value
from simulator.faults.fault import Fault
from simulator.faults.spec import FaultSpec


class DamagedSpec(FaultSpec):
    """Some of the payloads arrive damaged."""

    share: float = Field(default=1.0, gt=0, le=1, description="Which part of the reports is hit.")


class MalformedSpec(DamagedSpec):
    """The payload is no payload of its convention: bytes that are no text, a bracket too many, a colon that is missing."""

    kind: Literal["malformed"]


class TruncatedSpec(DamagedSpec):
    """The payload ends too early, as where a buffer is too small."""

    needs = "a document"

    kind: Literal["truncated"]


D = TypeVar("D", bound=DamagedSpec)


class _Damage(Fault[D], Generic[D]):
    """Damages the last message of a report: it is the one with the values, after any that only announce them."""

    def spoilt(self, messages: list[Outgoing]) -> list[Outgoing]:
        if not messages or self._dice.uniform() >= self.spec.share:
            return messages
        self.touched += 1
        self.topics.add(messages[-1].topic)
        return [*messages[:-1], replace(messages[-1], payload=self.damaged(messages[-1].payload))]

    def damaged(self, payload: bytes) -> bytes:
        """Give the payload as it arrives."""
        raise NotImplementedError


class Malformed(_Damage[MalformedSpec]):
    def damaged(self, payload: bytes) -> bytes:
        """Damage it in one of several ways.

        Each leaves JSON that no parser takes; what is not JSON begins with bytes that are no text, and no field of a protobuf message.
        """
        if payload[:1] not in (b"{", b"["):
            return b"\xff\xfe" + payload
        middle = len(payload) // 2
        ways = (payload[:middle] + b"\xff\xfe" + payload[middle:], payload + payload[-1:], payload.replace(b":", b"", 1) + b"}")
        return ways[int(self._dice.uniform() * len(ways))]


class Truncated(_Damage[TruncatedSpec]):
    def damaged(self, payload: bytes) -> bytes:
        """Cut it anywhere, where it is JSON; other documents lack their last byte, since one that ends between two fields may be whole."""
        if payload[:1] not in (b"{", b"["):
            return payload[:-1]
        return payload[: 1 + int(self._dice.uniform() * (len(payload) - 1))]


class SchemaChangeSpec(FaultSpec):
    """New firmware: metrics have other names, or numbers come as text. At the end the old firmware is back."""

    kind: Literal["schema-change"]
    rename: dict[str, str] = Field(default_factory=dict, description="What metrics are called instead: {temperature: temp_c}.")
    text: bool = Field(default=False, description='True: numbers are text, "21.5".')

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if not self.rename and not self.text:
            yield Problem((), "a schema-change needs rename, or text: true", key=True, show=False)


class SchemaChange(Fault[SchemaChangeSpec]):
    def measured(self, values: dict[str, Value], *, elapsed: int) -> dict[str, Value]:  # noqa: ARG002
        return {self.spec.rename.get(metric, metric): self._written(value) for metric, value in values.items()}

    def _written(self, value: Value) -> Value:
        return str(value) if self.spec.text and not isinstance(value, bool) else value
