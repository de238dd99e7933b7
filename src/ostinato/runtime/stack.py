"""A stack of recurrent layers over NumPy: sequences, and one step at a time in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cells import Cell
from ..engine import prepare
from ..engine.call import Call
from ..engine.packing import Packing, checked_lengths

Array = NDArray[Any]
State = tuple[tuple[Array, ...], ...]
"""One named tuple a layer, with an array [B, width] for each of the cell's states."""


class Stack:
    """Layers of one cell in one direction, each reading the output of the one before.

    weights: for each layer the weights that `Program.weight_shapes` names. widths: a size for each of
    the cell's width letters.
    """

    def __init__(self, cell: Cell, widths: dict[str, int], weights: Sequence[dict[str, Array]]) -> None:
        self.cell = cell
        self.widths = widths
        self.layers = [prepare(cell.program, layer) for layer in weights]

    def initial_state(self, batch: int) -> State:
        """Return the zero state for B sequences."""
        zeros = [np.zeros((batch, self.widths[width]), np.float32) for _, width in self.cell.program.states]
        return tuple(self.cell.State(*zeros) for _ in self.layers)

    def sequence(self, x: Array, state: State) -> tuple[Array, State]:
        """Run over x [T, B, D]; return y [T, B, O] and the state after it."""
        return self._through([layer.sequence for layer in self.layers], x, state)

    def step(self, x: Array, state: State) -> tuple[Array, State]:
        """Run one step over x [B, D]; return y [B, O] and the state after it."""
        return self._through([layer.step for layer in self.layers], x, state)

    def _through(self, runs: Sequence[Callable[..., Any]], x: Array, state: State) -> tuple[Array, State]:
        after = []
        for run, before in zip(runs, state, strict=True):
            x, final = run(x, before)
            after.append(self.cell.State(*final))
        return x, tuple(after)

    def engine_call(self, x: Array, lengths: Any = None) -> Call:
        """Return what the first layer would ask the engine to run; for `ostinato.engine.explain`."""
        steps, batch = x.shape[:2]
        known = checked_lengths("Stack", lengths, steps, batch)
        return Call(self.cell.program, self.layers[0].weights, x, Packing.of(steps, batch, known, reverse=False))
