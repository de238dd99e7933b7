"""What torch may be doing around a call on tensors: tracing it, or casting what comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..program import Program
from . import operators


def are_traced() -> bool:
    """Whether torch.compile or torch.export is reading along; it can read no table of candidates."""
    return torch.compiler.is_compiling()


def are_cast(x: Tensor) -> bool:
    """Whether torch.autocast is on, which would cast each operation of a recurrence by itself."""
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)


def as_they_are(x: Tensor) -> Any:
    """Return the context in which no tensor is cast."""
    return torch.autocast(x.device.type, enabled=False)


def in_one_type(
    weights: Mapping[str, Tensor], x: Tensor, state: Sequence[Tensor], streams: Mapping[str, Tensor]
) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Return x, state and streams in the type of the weights; without weights, in that of the state."""
    dtype = next(iter((*weights.values(), *state))).dtype
    return x.to(dtype), [part.to(dtype) for part in state], {name: part.to(dtype) for name, part in streams.items()}


def traced(
    program: Program,
    weights: Mapping[str, Tensor],
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Any,
    reverse: bool,
    streams: Mapping[str, Tensor],
    checkpoint_steps: int | None,
) -> tuple[Tensor, list[Tensor]]:
    """Run a call through the operator; `lengths` may be a tensor here, whose numbers are not known yet."""
    if are_cast(x):
        x, state, streams = in_one_type(weights, x, state, streams)
    if lengths is not None:
        lengths = torch.as_tensor(lengths, dtype=torch.int64, device="cpu")
    return operators.traced(program, weights, x, state, lengths, reverse, streams, checkpoint_steps)
