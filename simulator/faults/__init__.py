"""Faults: what goes wrong with simulated devices, when, and the truth about it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from simulator.faults.actuators import Dead, DeadSpec, Late, LateSpec, Nack, NackSpec
from simulator.faults.clocks import EpochReset, EpochResetSpec, Jump, JumpSpec, Skew, SkewSpec
from simulator.faults.delivery import (
    Duplicates,
    DuplicatesSpec,
    Ghost,
    GhostSpec,
    Offline,
    OfflineSpec,
    Reordering,
    ReorderingSpec,
    Storm,
    StormSpec,
)
from simulator.faults.fault import Fault
from simulator.faults.payloads import Malformed, MalformedSpec, SchemaChange, SchemaChangeSpec, Truncated, TruncatedSpec
from simulator.faults.spec import FaultSpec, ValueFaultSpec
from simulator.faults.values import (
    Drift,
    DriftSpec,
    Dropout,
    DropoutSpec,
    Noise,
    NoiseSpec,
    Spike,
    SpikeSpec,
    Stuck,
    StuckSpec,
    UnitFlip,
    UnitFlipSpec,
)

KINDS: Final[dict[str, type[Fault[Any]]]] = {
    "spike": Spike,
    "drift": Drift,
    "stuck-at": Stuck,
    "dropout": Dropout,
    "noise-burst": Noise,
    "unit-flip": UnitFlip,
    "clock-skew": Skew,
    "clock-jump": Jump,
    "epoch-reset": EpochReset,
    "duplicates": Duplicates,
    "reordering": Reordering,
    "offline-then-flush": Offline,
    "malformed": Malformed,
    "truncated": Truncated,
    "schema-change": SchemaChange,
    "retained-ghost": Ghost,
    "message-storm": Storm,
    "nack": Nack,
    "late-answer": Late,
    "dead": Dead,
}
"""What each kind does, by the name that scenarios and truth files give."""

AnyFault = Annotated[
    SpikeSpec
    | DriftSpec
    | StuckSpec
    | DropoutSpec
    | NoiseSpec
    | UnitFlipSpec
    | SkewSpec
    | JumpSpec
    | EpochResetSpec
    | DuplicatesSpec
    | ReorderingSpec
    | OfflineSpec
    | MalformedSpec
    | TruncatedSpec
    | SchemaChangeSpec
    | GhostSpec
    | StormSpec
    | NackSpec
    | LateSpec
    | DeadSpec,
    Field(discriminator="kind"),
]

__all__ = ["KINDS", "AnyFault", "Fault", "FaultSpec", "SchemaChangeSpec", "ValueFaultSpec"]
