"""What runs each kind of part that an architecture has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..architecture import (
    ActivationArchitecture,
    LastArchitecture,
    LinearArchitecture,
    NormArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
    below,
)
from ..architecture import Part as PartArchitecture
from ..cells.activations import activation
from .chain import Chain, Last, Parallel, Part
from .feedforward import Feedforward
from .softmax import Softmax
from .stack import Stack

Weights = Mapping[str, NDArray[Any]]


def chain_of(parts: Sequence[PartArchitecture], weights: Weights) -> Chain:
    """Return what runs a chain of parts. weights: by the names of `chain_weight_shapes`."""
    return Chain([_part(part, below(str(index), weights)) for index, part in enumerate(parts)])


def _part(part: PartArchitecture, weights: Weights) -> Part:
    match part:
        case RecurrentArchitecture():
            return Stack(part, weights)
        case LinearArchitecture():
            return Feedforward.linear(weights["weight"], weights.get("bias"))
        case NormArchitecture():
            return Feedforward.norm(weights["scale"], weights["shift"], part.epsilon)
        case ActivationArchitecture():
            return Feedforward.activation(activation(part.function, part.alpha, part.beta), part.input_size)
        case SoftmaxArchitecture():
            return Softmax(part.input_size, part.log)
        case LastArchitecture():
            return Last(part.input_size, part.reverse)
        case ParallelArchitecture():
            branches = (below(f"branches.{index}", weights) for index in range(len(part.branches)))
            return Parallel([chain_of(b, w) for b, w in zip(part.branches, branches, strict=True)], part.merge)
