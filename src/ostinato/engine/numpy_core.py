"""The core over NumPy arrays: a program bound to weights that are packed once, for sequences and for steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import shapes
from ..errors import ShapeError
from ..program import Program
from ..stored import StoredMatrix
from .bound import Arrays, Bound, Inputs
from .call import Call
from .compiled import compiled, core
from .core import hoisted, rows_of, sizes_of, threads
from .packing import Packing

Array = NDArray[Any]


def numpy_arrays(dtype: np.dtype[Any]) -> Arrays:
    """Return how the core makes and finds NumPy arrays of a type."""
    return Arrays(
        lambda shape: np.empty(shape, dtype),
        lambda shape: np.zeros(shape, dtype),
        np.ndarray.copy,
        lambda count: np.empty(count, dtype),
        core().address,
        dtype.itemsize,
    )


class NumpyCore:
    """A program bound to copies of NumPy weights. The first run tells the widths; then they are packed."""

    def __init__(self, program: Program, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> None:
        self.program = program
        self.dtype = dtype
        self.arrays = numpy_arrays(self.dtype)
        self.weights = {name: weight.copy() for name, weight in weights.items()}
        self._step_program = hoisted(program).step
        self._bound: Bound | None = None
        self._step: Callable[..., None] | None = None

    def run(self, call: Call, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run a call, of which the weights are those that were bound; return y [T, B, O] and the state after it."""
        x, owner = call.x, "Prepared.sequence"
        bound = self._bound_to(owner, x, state, "T B D", call.streams)
        steps, batch, _ = x.shape
        names = [name for name, _ in self._step_program.streams]
        inputs = Inputs(
            np.ascontiguousarray(x).reshape(steps * batch, -1),
            [np.ascontiguousarray(part) for part in state],
            [np.ascontiguousarray(call.streams[name], self.dtype).reshape(steps * batch, -1) for name in names],
            rows_of(call.packing),
            not call.packing.is_full,
            steps * batch,
            batch,
        )
        result = bound.forward(inputs)
        return result.y.reshape(steps, batch, -1), result.state

    def step(self, x: Array, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run one step over x [B, D]; return y [B, O] and the state after it."""
        after = [np.empty_like(part) for part in state]
        return self.advance(x, state, after), after

    def advance(self, x: Array, before: Sequence[Array], after: Sequence[Array], places: Array | None = None) -> Array:
        """Run one step over x [B, D] from a state into another, or the same; return y [B, O].

        places: B whole numbers, where row b moves row places[b] of states [N, width]; None: where each moves its own.
        """
        if self._step is None:
            rows = slice(None) if places is None else slice(0)
            bound = self._bound_to("Prepared.step", x[rows], [part[rows] for part in before], "B D", {})
            self._step = partial(core().step, bound.sized.forward_layout, bound.packed, bound.threads)
        try:
            y = np.empty((x.shape[0], self._output_width), self.dtype)
            self._step(x, before, y, after, places)
        except (TypeError, ValueError, AttributeError, IndexError):
            # The core checks every array in passing; what is wrong with which is told here.
            state = before if places is None else [part[places] for part in before]
            self._check("Prepared.step", x, state, "B D", {}, contiguous=True)
            raise
        return y

    def _bound_to(
        self, owner: str, x: Array, state: Sequence[Array], letters: str, streams: Mapping[str, Array]
    ) -> Bound:
        """Return the step with its weights packed, once everything is seen to fit together."""
        if self._bound is None:
            self._check_kinds(owner, x, state, letters)
            self._check_names(owner)
            self.widths = self.program.measured_widths(self.weights, state, streams, x)
            self.input_size = self._measured_input_size(x)
            self._check_weights(owner)
        self._check(owner, x, state, letters, streams, contiguous=letters == "B D")
        if self._bound is None:
            self._output_width = self.program.output_width(self.widths)
            self._bound = self._packed()
        return self._bound

    def _packed(self) -> Bound:
        weights, parameters = dict(self.weights), hoisted(self.program).parameters
        if parameters is not None:
            weights |= self._computed(parameters)
        used = self._step_program.weight_shapes(self.input_size, self.widths)
        weights = {name: weight for name, weight in weights.items() if name in used}
        sizes = sizes_of(self._step_program, self.widths, weights, self.input_size)
        return Bound(compiled(self._step_program), sizes, weights, self.arrays, threads())

    def _computed(self, program: Program) -> dict[str, Array]:
        """Return the vectors that depend on parameters alone: one step of one row."""
        weights = {n: self.weights[n] for n in program.weight_shapes(1, self.widths) if n in self.weights}
        sizes = sizes_of(program, self.widths, weights, 1)
        state = [self.arrays.zeros((1, self.widths[width])) for _, width in program.states]
        inputs = Inputs(self.arrays.zeros((1, 1)), state, (), _one_row(), False, 1, 1)
        after = Bound(compiled(program), sizes, weights, self.arrays, 1).forward(inputs).state
        return {f"p_{name}": part[0] for name, part in zip(program.state_names, after, strict=True)}

    # ---- checks

    def _measured_input_size(self, x: Array) -> int:
        return self.weights["W"].shape[1] if "W" in self.weights else int(x.shape[-1])

    def _check_kinds(self, owner: str, x: Array, state: Sequence[Array], letters: str) -> None:
        """Check what can be checked before sizes are known: numbers of axes, types, how many states."""
        self._check_count(owner, state)
        _expect(owner, "x", x, letters, self.dtype)
        for (name, width), part in zip(self.program.states, state, strict=True):
            _expect(owner, f"state {name!r}", part, f"B {width}", self.dtype)
        for name, weight in self.weights.items():
            axes = "H" if name.endswith("_bias") or name.startswith("p_") else "H D"
            _expect_weight(owner, name, weight, axes, self.dtype)

    def _check_count(self, owner: str, state: Sequence[Array]) -> None:
        if len(state) != len(self.program.states):
            names = " ".join(self.program.state_names)
            raise ShapeError(f"{owner} expected a state of {len(self.program.states)} ({names}), got {len(state)}.")

    def _check_names(self, owner: str) -> None:
        for name in self.program.weight_shapes(1, dict.fromkeys(self.program.width_letters, 1), bias=False):
            if name not in self.weights:
                came = " ".join(self.weights) or "none"
                raise ShapeError(f"{owner} expected a weight {name!r}, got {came}.", "give every weight but biases.")

    def _check_weights(self, owner: str) -> None:
        heads = self._measured_heads(owner)
        for name, shape in self.program.weight_shapes(self.input_size, self.widths, heads=heads).items():
            if name in self.weights:
                _expect_weight(owner, name, self.weights[name], " ".join(map(str, shape)), self.dtype)

    def _measured_heads(self, owner: str) -> int:
        if "R" not in self.weights:
            return 1
        width, columns = self.widths[self.program.recurrent_width], self.weights["R"].shape[1]
        if columns == 0 or width % columns or self.widths["H"] % (width // columns):
            expected = f"{width} columns, or that divided by a number of heads"
            raise ShapeError(f"{owner} expected weight 'R' with {expected}, got {columns}.")
        return int(width // columns)

    def _check(
        self,
        owner: str,
        x: Array,
        state: Sequence[Array],
        letters: str,
        streams: Mapping[str, Array],
        contiguous: bool,
    ) -> None:
        self._check_count(owner, state)
        _expect(owner, "x", x, letters, self.dtype, D=self.input_size)
        batch = x.shape[letters.split().index("B")]
        for (name, width), part in zip(self.program.states, state, strict=True):
            sizes = {"B": batch, width: self.widths[width]}
            _expect(owner, f"state {name!r}", part, f"B {width}", self.dtype, **sizes)
        for name, width in self.program.streams:
            sizes = {"T": x.shape[0], "B": batch, width: self.widths[width]}
            _expect(owner, f"stream {name!r}", streams[name], f"T B {width}", self.dtype, **sizes)
        if contiguous:
            for name, part in (("x", x), *zip(self.program.state_names, state, strict=True)):
                if not part.flags.c_contiguous:
                    raise ShapeError(
                        f"{owner} expected {_named(name)} contiguous, got strides {part.strides}.",
                        "use numpy.ascontiguousarray.",
                    )


def _named(name: str) -> str:
    return name if name == "x" else f"state {name!r}"


@cache
def _one_row() -> Any:
    return rows_of(Packing.of(1, 1, None, reverse=False))


def _expect_weight(owner: str, name: str, weight: Any, letters: str, dtype: np.dtype[Any]) -> None:
    if isinstance(weight, StoredMatrix) and dtype == weight.dtype:
        shapes.expect(owner, f"weight {name!r}", weight, letters)
    else:
        _expect(owner, f"weight {name!r}", weight, letters, dtype)


def _expect(owner: str, name: str, array: Any, letters: str, dtype: np.dtype[Any], **sizes: int) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        came = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise ShapeError(f"{owner} expected {name} as NumPy array of {dtype}, got {came}.", "convert it with astype.")
    shapes.expect(owner, name, array, letters, **sizes)
