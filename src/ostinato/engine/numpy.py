"""The interpreter over NumPy: what runs a model where there is no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..program import Program
from .call import Call
from .interpreter import Array, Interpreter, Library

DESCRIPTION = "the program, interpreted over NumPy"


def _sigmoid(v: Array) -> Array:
    return 1 / (1 + np.exp(-v))


def _put(rows: Array, index: Any, size: int) -> Array:
    result = np.zeros((size, *rows.shape[1:]), rows.dtype)
    result[index] = rows
    return result


def _split(axis: int) -> Any:
    def split(array: Array, sizes: Sequence[int]) -> Sequence[Array]:
        return np.split(array, np.cumsum(sizes)[:-1], axis=axis)

    return split


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
    rows=np.concatenate,
    columns=lambda parts: np.concatenate(parts, axis=-1),
    split_rows=_split(0),
    split_columns=_split(-1),
    constant=lambda value, like: np.asarray(value, like.dtype),
    zeros=lambda shape, like: np.zeros(shape, like.dtype),
    take=lambda array, index: array[index],
    put=_put,
)


class NumpyInterpreter(Interpreter):
    """The interpreter over NumPy. Overflow gives infinity and 0/0 gives NaN, silently, as in torch."""

    def __init__(self, program: Program, weights: Mapping[str, Array], like: Array) -> None:
        with np.errstate(all="ignore"):
            super().__init__(program, weights, LIBRARY, like)

    def sequence(self, rows: Array, counts: Sequence[int], state: Sequence[Array]) -> tuple[Array, list[Array]]:
        """Run over packed rows, as `Interpreter.sequence` does."""
        with np.errstate(all="ignore"):
            return super().sequence(rows, counts, state)


def refuse(call: Call) -> str | None:
    """Never refuses NumPy arrays."""
    return None


def run(call: Call, rows: Array, counts: Sequence[int], state: Sequence[Array]) -> tuple[Array, list[Array]]:
    """Run a call over packed rows."""
    return NumpyInterpreter(call.program, call.weights, rows).sequence(rows, counts, state)
