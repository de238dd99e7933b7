"""What a candidate is asked to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..program import Program
from .packing import Packing


@dataclass(frozen=True)
class Call:
    """One sequence call: a program with its weights over x [T, B, D], laid out by a packing.

    streams: [T, B, width] for each of the program's streams, by name. checkpoint_steps: keep states for a
    gradient every so many steps only; None: keep what is needed of every step.
    """

    program: Program
    weights: Mapping[str, Any]
    x: Any
    packing: Packing
    streams: Mapping[str, Any] = field(default_factory=dict)
    checkpoint_steps: int | None = None
