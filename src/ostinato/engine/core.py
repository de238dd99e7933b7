"""The compiled core: any program, on the CPU, in float32 and float64; NumPy arrays and torch tensors."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from .. import shapes
from ..errors import OptionError, ShapeError, closest
from ..program import Program
from ..program.hoist import Hoisted, hoist
from .bound import Arrays, Bound, Inputs, Sizes
from .call import Call
from .compiled import compiled, core
from .packing import Packing
from .plan import OPCODES
from .sized import Sizes

Array = Any
DESCRIPTION = "the compiled core"


@cache
def missing() -> str | None:
    """Return why the core is not there, or None; warns the first time. Chooses the level on the way.

    Raises OptionError when OSTINATO_MAX_ISA names no level of this machine.
    """
    try:
        module = core()
    except ImportError as error:
        warnings.warn(
            f"Ostinato's compiled core is not there ({error}); everything works, several times slower. "
            "Install a C++ compiler and run `pip install --force-reinstall --no-deps ostinato`.",
            RuntimeWarning,
            stacklevel=2,
        )
        return f"it was not built ({error})"
    if tuple(module.OPERATIONS) != OPCODES:
        raise RuntimeError("ostinato._core was built from another version of the sources; build it again.")
    wanted = os.environ.get("OSTINATO_MAX_ISA")
    if wanted:
        if wanted not in module.levels():
            raise OptionError(
                f"OSTINATO_MAX_ISA is {wanted!r}; this machine and build have {', '.join(module.levels())}.",
                closest(wanted, module.levels()),
            )
        module.use_level(wanted)
    return None


def threads() -> int:
    """Return how many threads a call may use: OSTINATO_THREADS, else torch's count if torch is in use, else all."""
    torch = sys.modules.get("torch")
    if os.environ.get("OSTINATO_THREADS") or torch is None or not hasattr(torch, "get_num_threads"):
        return int(core().default_threads())
    return int(torch.get_num_threads())


def refuse(call: Call) -> str | None:
    """Return why the core cannot run a call, or None."""
    return missing() or _refuse_kind(call)


def _refuse_kind(call: Call) -> str | None:
    reason = _refuse_types(call.x, *call.weights.values())
    if reason or isinstance(call.x, np.ndarray):
        return reason
    from . import operators

    return operators.refuse(call)


def _refuse_types(*arrays: Array) -> str | None:
    kinds = {str(array.dtype).removeprefix("torch.") for array in arrays}
    if kinds in ({"float32"}, {"float64"}):
        return None
    return f"it computes in float32 or float64, all of one kind, not {' and '.join(sorted(kinds)) or 'nothing'}"


def refuse_weights(weights: Mapping[str, Array]) -> str | None:
    """Return why NumPy weights cannot be bound to the core, or None."""
    return missing() or _refuse_types(*weights.values())


def bind(program: Program, weights: Mapping[str, Array]) -> NumpyCore:
    """Bind a program to NumPy weights, packed once."""
    return NumpyCore(program, weights, next(iter(weights.values())).dtype)


def run(call: Call, state: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Run a call; return y [T, B, O] and the state after it."""
    if isinstance(call.x, np.ndarray):
        return NumpyCore(call.program, call.weights, call.x.dtype).run(call, state)
    from . import operators

    return operators.run(call, state)


@cache
def hoisted(program: Program) -> Hoisted:
    """Return a program cut into what depends on parameters alone, and the step."""
    return hoist(program)


def sizes_of(program: Program, widths: Mapping[str, int], weights: Mapping[str, Array], input_size: int) -> Sizes:
    """Return the numbers that a compiled step needs."""
    heads = widths[program.recurrent_width] // weights["R"].shape[1] if "R" in weights else 1
    return Sizes(tuple(widths[letter] for letter in program.width_letters), input_size, heads)


def rows_of(packing: Packing) -> Any:
    """Return the core's description of a packing."""
    none = np.empty(0, np.int64)
    given = (np.asarray(packing.counts, np.int64), packing.sources, packing.order)
    return core().Rows(*(none if part is None else part for part in given))


@cache
def _rows_of_full(steps: int, batch: int) -> Any:
    return rows_of(Packing.of(steps, batch, None, reverse=False))


def scratch(itemsize: int, count: int) -> Any:
    """Return an array of `count` floats that speaks DLPack, in memory that the core uses again."""
    return core().floats(count) if itemsize == 4 else core().doubles(count)


def numpy_arrays(dtype: np.dtype[Any]) -> Arrays:
    """Return how the core makes and finds NumPy arrays of a type."""
    return Arrays(
        lambda shape: np.empty(shape, dtype),
        lambda shape: np.zeros(shape, dtype),
        lambda count: np.from_dlpack(scratch(dtype.itemsize, count)),
        lambda array: int(array.ctypes.data),
        dtype.itemsize,
    )


class NumpyCore:
    """A program bound to NumPy weights in the core, which are packed in the first run; that tells the widths."""

    def __init__(self, program: Program, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> None:
        self.program = program
        self.arrays = numpy_arrays(dtype)
        self.dtype = dtype
        parts = hoisted(program)
        self.step_program, self._parameters = parts.step, parts.parameters
        self.given = {name: np.ascontiguousarray(weight) for name, weight in weights.items()}
        self._bound: Bound | None = None
        self._step: Callable[..., None] | None = None

    def bound(self, widths: Mapping[str, int], input_size: int) -> Bound:
        """Return the step with its weights packed; done once, since a layer's widths do not change."""
        if self._bound is None:
            weights = dict(self.given)
            if self._parameters is not None:
                weights |= self._computed(self._parameters, widths)
            used = self.step_program.weight_shapes(input_size, widths)
            weights = {name: weights[name] for name in weights if name in used}
            sizes = sizes_of(self.step_program, widths, weights, input_size)
            self._bound = Bound(compiled(self.step_program), sizes, weights, self.arrays, threads())
        return self._bound

    def _computed(self, program: Program, widths: Mapping[str, int]) -> dict[str, Array]:
        """Return the vectors that depend on parameters alone."""
        weights = {name: self.given[name] for name in program.weight_shapes(1, widths) if name in self.given}
        sizes = sizes_of(program, widths, weights, 1)
        state = [self.arrays.zeros((1, widths[width])) for _, width in program.states]
        inputs = Inputs(self.arrays.zeros((1, 1)), state, (), _rows_of_full(1, 1), False, 1, 1)
        after = Bound(compiled(program), sizes, weights, self.arrays, 1).forward(inputs).state
        return {f"p_{name}": part[0] for name, part in zip(program.state_names, after, strict=True)}

    def run(self, call: Call, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run a call; return y [T, B, O] and the state after it."""
        steps, batch, input_size = call.x.shape
        widths = self.program.measured_widths(self.given, state, call.streams, call.x)
        bound = self.bound(widths, input_size)
        inputs = Inputs(
            np.ascontiguousarray(call.x).reshape(steps * batch, input_size),
            [np.ascontiguousarray(part, self.dtype) for part in state],
            [
                np.ascontiguousarray(call.streams[name], self.dtype).reshape(steps * batch, -1)
                for name, _ in self.step_program.streams
            ],
            rows_of(call.packing),
            not call.packing.is_full,
            steps * batch,
            batch,
        )
        result = bound.forward(inputs)
        return result.y.reshape(steps, batch, -1), result.state

    def step(self, x: Array, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run one step over x [B, D]; return y [B, O] and the state after it."""
        if self._step is None:
            self._step = self._bound_step(x, state)
        y = np.empty((x.shape[0], self._output_width), self.dtype)
        after = [np.empty_like(part) for part in state]
        try:
            self._step(x, list(state), y, after)
        except (TypeError, ValueError):
            self._check_step(x, state)
            raise
        return y, after

    def _bound_step(self, x: Array, state: Sequence[Array]) -> Callable[..., None]:
        widths = self.program.measured_widths(self.given, state, {}, x)
        self._check(x, state, widths)
        bound = self.bound(widths, x.shape[-1])
        self._output_width = self.program.output_width(widths)
        self._widths, self._input_size = widths, x.shape[-1]
        return partial(core().step, bound.sized.forward_layout, bound.packed, bound.threads)

    def _check_step(self, x: Array, state: Sequence[Array]) -> None:
        """Raise ShapeError for what is wrong with the arrays of a step."""
        shapes.expect("Prepared.step", "x", x, "B D", D=self._input_size)
        self._check(x, state, self._widths)

    def _check(self, x: Array, state: Sequence[Array], widths: Mapping[str, int]) -> None:
        if len(state) != len(self.program.states):
            raise ShapeError(f"Prepared.step expected {len(self.program.states)} states, got {len(state)}.")
        _expect_kind("x", x, self.dtype)
        for (name, width), part in zip(self.program.states, state, strict=True):
            sizes = {"B": x.shape[0], width: widths[width]}
            shapes.expect("Prepared.step", f"state {name!r}", part, f"B {width}", **sizes)
            _expect_kind(f"state {name!r}", part, self.dtype)


def _expect_kind(name: str, array: Array, dtype: np.dtype[Any]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        came = getattr(array, "dtype", type(array).__name__)
        raise ShapeError(
            f"Prepared.step expected {name} of {dtype}, got {came}.", f"convert it: {name.split()[0]}.astype({dtype})."
        )
    if not array.flags.c_contiguous:
        raise ShapeError(
            f"Prepared.step expected {name} contiguous, got strides {array.strides}.", "use numpy.ascontiguousarray."
        )
