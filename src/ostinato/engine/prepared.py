"""A program with its weights, prepared once to run on NumPy arrays: what the runtime and streams use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..program import Program
from . import dispatch
from .numpy import NumpyInterpreter
from .packing import checked_lengths

Array = NDArray[Any]


class Prepared:
    """A program bound to weights.

    weights: an array for each name of `Program.weight_shapes`; biases may be left out.
    """

    def __init__(self, program: Program, weights: Mapping[str, Array]) -> None:
        self.program = program
        self.weights = dict(weights)
        like = next(iter(self.weights.values()), np.empty(0, np.float32))
        self._interpreter = NumpyInterpreter(program, self.weights, like)

    def sequence(self, x: Array, state: Sequence[Array], lengths: Any = None) -> tuple[Array, list[Array]]:
        """Run over x [T, B, D] from a state [B, width] each; return y [T, B, O] and the state after it."""
        known = checked_lengths("Prepared.sequence", lengths, x.shape[0], x.shape[1])
        return dispatch.sequence(self.program, self.weights, x, state, known)

    def step(self, x: Array, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run one step over x [B, D]; return y [B, O] and the state after it."""
        return self._interpreter.sequence(x, (len(x),), state)


def prepare(program: Program, weights: Mapping[str, Array]) -> Prepared:
    """Bind a program to weights, once, for any number of sequences and steps on NumPy arrays."""
    return Prepared(program, weights)
