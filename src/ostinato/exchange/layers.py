"""What the layers of other tools come to: parts of a chain, each with its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..architecture import (
    LastArchitecture,
    LinearArchitecture,
    NormArchitecture,
    ParallelArchitecture,
    Part,
    RecurrentArchitecture,
    below,
)
from ..cells import Cell
from ..cells.pooling import running_max, running_mean
from ..errors import DataError

Array = NDArray[Any]
Merge = Literal["concat", "sum", "mul", "ave"]
POOLINGS: dict[str, Cell] = {"mean": running_mean, "max": running_max}
"""What a whole sequence comes to, and the cell that keeps it up to date."""
MAX_DIAGONAL = 4096
"""The most features that may have a scale and a shift each where no linear layer takes them up: a matrix of 64 MiB."""


class Refusal(DataError):
    """A layer cannot be imported; the message is the reason, without the layer's name."""


class Read(NamedTuple):
    """What a layer is: a part, and its weights by the names of its `weight_shapes`."""

    part: Part
    weights: Mapping[str, Array] = {}


def linear(weight: Array, bias: Array | None = None) -> Read:
    """Return y = weight · x + bias. weight [O, D]; bias [O], or None."""
    size, coming = map(int, weight.shape)
    has_bias = {} if bias is None else {"bias": bias}
    return Read(LinearArchitecture(coming, size, bias is not None), {"weight": weight, **has_bias})


def norm(size: int, scale: Array | None, shift: Array | None, epsilon: float) -> Read:
    """Return layer normalisation over D features; a scale of ones and a shift of zeros where there is none."""
    scale = np.ones(size, np.float32) if scale is None else scale
    shift = np.zeros(size, np.float32) if shift is None else shift
    return Read(NormArchitecture(size, epsilon), {"scale": scale, "shift": shift})


def batch_norm(
    before: Read | None, mean: Array, variance: Array, scale: Array | None, shift: Array | None, epsilon: float
) -> list[Read]:
    """Return what stands in place of the part before and of batch normalisation after it, as it acts after training.

    y = (x - mean) / sqrt(variance + ε) ⊙ scale + shift, all [D]: a number times each feature, and a number added. A
    linear part before takes them up; any other is followed by a linear part that has them on its diagonal.

    Raises Refusal where that diagonal would be too large.
    """
    # What no number comes of is told of later, with all weights that are not finite.
    with np.errstate(all="ignore"):
        factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon) * (1.0 if scale is None else scale)
        offset = (0.0 if shift is None else shift) - mean * factor
    if before is not None and isinstance(before.part, LinearArchitecture):
        weight = before.weights["weight"] * factor[:, None]
        return [linear(weight, before.weights.get("bias", 0.0) * factor + offset)]
    if len(mean) > MAX_DIAGONAL:
        raise Refusal(f"of {len(mean):,} features only {MAX_DIAGONAL:,} can be where no linear layer comes before.")
    return [*([] if before is None else [before]), linear(np.diag(factor), offset)]


def pooling(kind: str, size: int) -> list[Read]:
    """Return the mean or the maximum over time of each of D features."""
    return [Read(RecurrentArchitecture(POOLINGS[kind], size, size)), Read(LastArchitecture(size))]


def parallel(branches: Sequence[Sequence[Read]], merge: Merge) -> Read:
    """Return chains side by side, and what they put out taken together."""
    part = ParallelArchitecture([[read.part for read in branch] for branch in branches], merge)
    weights = {
        f"branches.{b}.{i}.{name}": weight
        for b, branch in enumerate(branches)
        for i, read in enumerate(branch)
        for name, weight in read.weights.items()
    }
    return Read(part, weights)


def stack(cell: Cell, weights: Mapping[str, Array], bias: bool, reverse: bool = False) -> Read:
    """Return one layer of a cell in one direction. weights: by the names of `Program.weight_shapes`."""
    hidden = weights["W"].shape[0] // len(cell.program.input_gates)
    part = RecurrentArchitecture(cell, weights["W"].shape[1], hidden, bias=bias, reverse=reverse)
    return Read(part, {f"layers.0.0.{name}": weight for name, weight in weights.items()})


def two_ways(forward: Read, backward: Read, merge: Merge) -> Read:
    """Return a layer that reads from the beginning beside one that reads from the end, a step out for each step in.

    Two layers that are alike, and whose outputs are joined, are one bidirectional stack.
    """
    one, other = forward.part, backward.part
    assert isinstance(one, RecurrentArchitecture)
    assert isinstance(other, RecurrentArchitecture)
    alike = (one.cell, one.hidden_size, one.bias) == (other.cell, other.hidden_size, other.bias)
    if merge != "concat" or not alike or one.reverse:
        return parallel([[forward], [backward]], merge)
    part = RecurrentArchitecture(one.cell, one.input_size, one.hidden_size, bias=one.bias, bidirectional=True)
    back = {f"layers.0.1.{name}": weight for name, weight in below("layers.0.0", backward.weights).items()}
    return Read(part, {**forward.weights, **back})


def last(before: Read) -> Read:
    """Return the step at which the stack before arrives: its last one, or the first of one that reads from the end."""
    reverse = isinstance(before.part, RecurrentArchitecture) and before.part.reverse
    return Read(LastArchitecture(before.part.output_size, reverse))


def final_states(both: Read) -> list[Read]:
    """Return a bidirectional stack of which each direction answers where it arrives: the last step, and the first.

    The layers below the topmost stay as they are; the topmost becomes two chains side by side.
    """
    part = both.part
    assert isinstance(part, RecurrentArchitecture)
    top = part.num_layers - 1
    coming = part.output_size if top else part.input_size
    branches = []
    for direction in range(2):
        one = _replaced(part, input_size=coming, num_layers=1, bidirectional=False, reverse=direction == 1)
        own = below(f"layers.{top}.{direction}", both.weights)
        read = Read(one, {f"layers.0.0.{name}": weight for name, weight in own.items()})
        branches.append([read, last(read)])
    if not top:
        return [parallel(branches, "concat")]
    kept = {name: weight for name, weight in both.weights.items() if not name.startswith(f"layers.{top}.")}
    return [Read(_replaced(part, num_layers=top), kept), parallel(branches, "concat")]


def _replaced(part: RecurrentArchitecture, **fields: Any) -> RecurrentArchitecture:
    own = {name: getattr(part, name) for name in part.__struct_fields__}
    return RecurrentArchitecture(**(own | fields))
