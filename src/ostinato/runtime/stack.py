"""A stack of recurrent layers over NumPy: sequences, and one step at a time in constant memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import RecurrentArchitecture
from ..engine import prepare
from ..engine.call import Call
from ..engine.packing import Packing, checked_lengths
from ..errors import OptionError, ShapeError

Array = NDArray[Any]
State = tuple[tuple[Array, ...], ...]
"""One named tuple a layer, with an array [B, width] for each of the cell's states ([2, B, width] if bidirectional)."""


class Stack:
    """Layers of one cell, each reading the output of the one before; what `ostinato.nn.Recurrent` is in torch.

    weights: by the names of `RecurrentArchitecture.weight_shapes`.
    """

    reduces = False

    def __init__(self, architecture: RecurrentArchitecture, weights: Mapping[str, Array]) -> None:
        self.architecture, self.program = architecture, architecture.program
        self.weights = dict(weights)
        self.output_size, self.layer_count = architecture.output_size, architecture.num_layers
        self.layers = [
            [
                prepare(architecture.program, architecture.layer_weights(weights, layer, direction))
                for direction in range(architecture.num_directions)
            ]
            for layer in range(architecture.num_layers)
        ]
        self._start = [
            [
                [weights.get(name) for name in architecture.initial_state_names(layer, direction)]
                for direction in range(architecture.num_directions)
            ]
            for layer in range(architecture.num_layers)
        ]
        self._first = [directions[0] for directions in self.layers]
        self._streams = not (architecture.bidirectional or architecture.reverse)
        self._state_type = architecture.cell.State
        self._dtype = next(iter(weights.values())).dtype if weights else np.dtype(np.float32)

    @property
    def text(self) -> str:
        """What decides, beside the weights, what the stack computes."""
        return f"{self.program.text}\nresidual {self.architecture.residual} reverse {self.architecture.reverse}"

    # ---- states

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step of B sequences: zero, or as it was learned."""
        return tuple(self._state(self._initial(layer, batch)) for layer in range(len(self.layers)))

    def empty_state(self, batch: int) -> State:
        """Return a state of B sequences whose values are whatever they are."""
        widths = [self.architecture.widths[width] for _, width in self.program.states]
        return tuple(self._state([np.empty((batch, size), self._dtype) for size in widths]) for _ in self.layers)

    def _initial(self, layer: int, batch: int) -> list[Array]:
        parts = []
        for index, (_, width) in enumerate(self.architecture.program.states):
            size = self.architecture.widths[width]
            given = [start[index] for start in self._start[layer]]
            starts = [
                np.zeros((batch, size), self._dtype) if one is None else np.tile(one, (batch, 1)) for one in given
            ]
            parts.append(np.stack(starts) if self.architecture.bidirectional else starts[0])
        return parts

    def _state(self, parts: Sequence[Array]) -> tuple[Array, ...]:
        return self._state_type(*parts)

    def _check(self, state: Sequence[Sequence[Array]]) -> None:
        names = self.program.state_names
        fits = len(state) == len(self.layers)
        for part in state:  # spelled out: a step of a small model takes no longer than a generator
            fits = fits and len(part) == len(names)
        if not fits:
            raise ShapeError(
                f"a state of {len(self.layers)} layers with {' '.join(names)} each was expected.",
                "give the state that an earlier call returned.",
            )

    # ---- running

    def check_streams(self) -> None:
        """Raise OptionError where the stack reads sequences from the end."""
        if self.architecture.bidirectional:
            reason = "a bidirectional model cannot stream: its second direction reads a sequence from the end."
        elif self.architecture.reverse:
            reason = "this model cannot stream: one of its stacks reads a sequence from the end."
        else:
            return
        raise OptionError(reason, "run whole sequences.")

    def sequence(self, x: Array, state: Sequence[Sequence[Array]], lengths: Any = None) -> tuple[Array, State]:
        """Run over x [T, B, D]; return y [T, B, O], zero beyond each length, and the state after each last step."""
        self._check(state)
        after = []
        for layer, before in enumerate(state):
            y, final = self._run_layer(layer, x, before, lengths)
            x = self._with_residual(y, x, lengths)
            after.append(self._state(final))
        return x, tuple(after)

    def step(self, x: Array, state: Sequence[Sequence[Array]]) -> tuple[Array, State]:
        """Run one step over x [B, D]; return y [B, O] and the state after it.

        Raises OptionError where the stack reads sequences from the end.
        """
        if not self._streams:
            self.check_streams()
        self._check(state)
        after = self.empty_state(len(x))
        return self.advance(x, state, after), after

    def advance(self, x: Array, before: Sequence[Any], after: Sequence[Any], places: Array | None = None) -> Array:
        """Run one step over x [B, D] from one state into another, or the same; return y [B, O].

        places: None, or where row b of x moves row places[b] of each layer's states [N, width].
        """
        for layer, old, new in zip(self._first, before, after, strict=True):
            x = self._with_residual(layer.advance(x, old, new, places), x, None)
        return x

    def _run_layer(self, layer: int, x: Array, state: Sequence[Array], lengths: Any) -> tuple[Array, Sequence[Array]]:
        if not self.architecture.bidirectional:
            return self.layers[layer][0].sequence(x, state, lengths, reverse=self.architecture.reverse)
        outputs, finals = [], []
        for direction, prepared in enumerate(self.layers[layer]):
            before = [part[direction] for part in state]
            y, final = prepared.sequence(x, before, lengths, reverse=direction == 1)
            outputs.append(y)
            finals.append(final)
        return np.concatenate(outputs, axis=-1), [np.stack(parts) for parts in zip(*finals, strict=True)]

    def _with_residual(self, y: Array, x: Array, lengths: Any) -> Array:
        if not self.architecture.residual or x.shape[-1] != y.shape[-1]:
            return y
        if lengths is not None:
            beyond = np.arange(len(x))[:, None] >= np.asarray(lengths)
            x = np.where(beyond[:, :, None], x.dtype.type(0), x)
        total: Array = y + x
        return total

    def engine_call(self, x: Array, lengths: Any = None) -> Call:
        """Return what the first layer would ask the engine to run; for `ostinato.engine.explain`."""
        steps, batch = x.shape[:2]
        known = checked_lengths("Stack", lengths, steps, batch)
        first = self.layers[0][0]
        return Call(first.program, first.weights, x, Packing.of(steps, batch, known, reverse=False))
