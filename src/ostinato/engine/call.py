"""What a candidate is asked to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..program import Program
from .packing import Packing


@dataclass(frozen=True)
class Call:
    """One sequence call: a program with its weights over x [T, B, D], laid out by a packing."""

    program: Program
    weights: Mapping[str, Any]
    x: Any
    packing: Packing
