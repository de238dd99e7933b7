"""A program with its weights, prepared once to run on NumPy arrays: what the runtime and streams use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import shapes
from ..program import Program
from . import dispatch
from .call import Call
from .packing import Packing, checked_lengths

Array = NDArray[Any]


class Prepared:
    """A program bound to weights.

    weights: an array for each name of `Program.weight_shapes`; biases may be left out. They are read once:
    a later change of theirs is not seen. dtype: what a program computes in that has none; theirs otherwise.
    """

    def __init__(self, program: Program, weights: Mapping[str, Array], dtype: Any = np.float32) -> None:
        self.program = program
        self.weights = dict(weights)
        self._bound = dispatch.bind(program, self.weights, np.dtype(dtype))

    def sequence(
        self, x: Array, state: Sequence[Array], lengths: Any = None, reverse: bool = False
    ) -> tuple[Array, list[Array]]:
        """Run over x [T, B, D] from a state [B, width] each; return y [T, B, O] and the state after it.

        lengths: B whole numbers, the steps of each sequence; None means all T. reverse: from each sequence's last step
        to its first.
        """
        shapes.expect("Prepared.sequence", "x", np.asarray(x), "T B D")
        steps, batch = np.shape(x)[:2]
        known = checked_lengths("Prepared.sequence", lengths, steps, batch)
        call = Call(self.program, self.weights, x, Packing.of(steps, batch, known, reverse))
        return dispatch.run(call, state, self._bound)

    def step(self, x: Array, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run one step over x [B, D] from a state [B, width] each; return y [B, O] and the state after it.

        Raises ShapeError naming the array that has another shape, type or layout than the weights ask for.
        """
        result: tuple[Array, list[Array]] = self._bound.step(x, state)
        return result

    def advance(self, x: Array, before: Sequence[Array], after: Sequence[Array], places: Array | None = None) -> Array:
        """Run one step over x [B, D] from one state into another, which may be the same arrays; return y [B, O].

        places: None, where states have B rows; else B whole numbers from 0 to N - 1, int64, no two the same: row b of
        x moves row places[b] of states [N, width].
        """
        result: Array = self._bound.advance(x, before, after, places)
        return result


def prepare(program: Program, weights: Mapping[str, Array], dtype: Any = np.float32) -> Prepared:
    """Bind a program to weights, once, for any number of sequences and steps on NumPy arrays."""
    return Prepared(program, weights, dtype)
