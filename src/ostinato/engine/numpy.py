"""The interpreter over NumPy: what runs a model where there is no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import stored
from ..program import Program
from .call import Call
from .interpreter import Array, Interpreter, Library
from .rows import run_over_rows

DESCRIPTION = "the program, interpreted over NumPy"


def _sigmoid(v: Array) -> Array:
    return 1 / (1 + np.exp(-v))


def _put(rows: Array, index: Any, size: int) -> Array:
    result = np.zeros((size, *rows.shape[1:]), rows.dtype)
    result[index] = rows
    return result


def _split_columns(array: Array, sizes: Sequence[int]) -> Sequence[Array]:
    return np.split(array, np.cumsum(sizes)[:-1], axis=-1)


LIBRARY = Library(
    operations={
        "add": np.add,
        "subtract": np.subtract,
        "multiply": np.multiply,
        "divide": np.divide,
        "negate": np.negative,
        "less": np.less,
        "less_equal": np.less_equal,
        "greater": np.greater,
        "greater_equal": np.greater_equal,
        "equal": np.equal,
        "not_equal": np.not_equal,
        "where": np.where,
        "sigmoid": _sigmoid,
        "tanh": np.tanh,
        "relu": lambda v: np.maximum(v, 0),
        "exp": np.exp,
        "log": np.log,
        "softplus": lambda v: np.logaddexp(v, 0),
        "sqrt": np.sqrt,
        "square": np.square,
        "abs": np.abs,
        "sin": np.sin,
        "cos": np.cos,
        "maximum": np.maximum,
        "minimum": np.minimum,
    },
    reductions={"sum": lambda v: v.sum(axis=-1, keepdims=True)},
    einsum=np.einsum,
    rows=stored.joined,
    columns=lambda parts: np.concatenate(parts, axis=-1),
    split_rows=stored.split,
    split_columns=_split_columns,
    constant=lambda value, like: np.asarray(value, like.dtype),
    zeros=lambda shape, like: np.zeros(shape, like.dtype),
    take=lambda array, index: array[index],
    put=_put,
    times=stored.times,
)


class NumpyInterpreter(Interpreter):
    """The interpreter over NumPy. Overflow gives infinity and 0/0 gives NaN, silently, as in torch."""

    def __init__(self, program: Program, weights: Mapping[str, Array], like: Array) -> None:
        with np.errstate(all="ignore"):
            super().__init__(program, weights, LIBRARY, like)

    def sequence(
        self,
        rows: Array,
        counts: Sequence[int],
        state: Sequence[Array],
        streams: Mapping[str, Array] | None = None,
    ) -> tuple[Array, list[Array]]:
        """Run over packed rows, as `Interpreter.sequence` does."""
        with np.errstate(all="ignore"):
            return super().sequence(rows, counts, state, streams)


class Interpreted:
    """A program bound to NumPy weights in the interpreter."""

    def __init__(self, program: Program, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> None:
        self._interpreter = NumpyInterpreter(program, weights, np.empty(0, dtype))

    def run(self, call: Call, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run a call, of which only x, the streams and the packing are looked at."""
        return run_over_rows(call, state, LIBRARY, lambda _, *rest: self._interpreter.sequence(*rest))

    def step(self, x: Array, state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run one step over x [B, D]; return y [B, O] and the state after it."""
        return self._interpreter.sequence(x, (len(x),), state)

    def advance(self, x: Array, before: Sequence[Array], after: Sequence[Array], places: Array | None = None) -> Array:
        """Run one step over x [B, D] from a state into another, or the same, as `Prepared.advance` says."""
        rows = slice(None) if places is None else places
        y, found = self.step(x, [part[rows] for part in before])
        for part, new in zip(after, found, strict=True):
            part[rows] = new
        return y


def refuse_weights(weights: Mapping[str, Array]) -> str | None:
    """Never refuses NumPy weights."""
    return None


def bind(program: Program, weights: Mapping[str, Array], dtype: np.dtype[Any]) -> Interpreted:
    """Bind a program to NumPy weights."""
    return Interpreted(program, weights, dtype)


def refuse(call: Call) -> str | None:
    """Never refuses NumPy arrays."""
    return None


def run(call: Call, state: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Run a call; return y [T, B, O] and the state after it."""
    return run_over_rows(call, state, LIBRARY, _run_rows)


def _run_rows(
    call: Call, rows: Array, counts: Sequence[int], state: Sequence[Array], streams: Mapping[str, Array]
) -> tuple[Array, list[Array]]:
    """Run a call over packed rows of x and of each stream."""
    return NumpyInterpreter(call.program, call.weights, rows).sequence(rows, counts, state, streams)
