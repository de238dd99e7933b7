"""Arithmetic on constants: of weights that a file holds in pieces, and of shapes.

No result is larger than `MAX_ELEMENTS`, which is checked before it is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .axes import is_open, normalised
from .values import Constant, Given, Node

Array = NDArray[Any]
MAX_ELEMENTS = 2**28
SHAPES = {"Reshape": 1, "Expand": 1, "Tile": 1, "ConstantOfShape": 0}
"""Which input says only what sizes the result has."""


def fold(node: Node, given: Given) -> list[Constant] | None:
    """Return what a node over constants alone puts out; None for an operator that is not among those known.

    Raises DataError where it cannot be computed.
    """
    compute = OPERATIONS.get(node.operation)
    if compute is None:
        return None
    shape = SHAPES.get(node.operation)
    numbers = [value for place, value in enumerate(given.values) if place != shape and isinstance(value, Constant)]
    came_open = any(value.is_open for value in numbers)
    try:
        results = compute(node, given)
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError) as error:
        raise DataError(f"it cannot be computed: {error}") from None
    results = results if isinstance(results, list) else [results]
    return [Constant(array, came_open) for array in results]


def attribute_of_constant(node: Node) -> Array:
    """Return the array of a node Constant, whichever attribute holds it."""
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if name in node.attributes:
            value = node.attributes[name]
            kind = {"f": np.float32, "i": np.int64}.get(name[6:7])
            return np.asarray(value) if kind is None else np.asarray(value, kind)
    raise DataError("it holds no numbers")


def check_size(shape: Sequence[int]) -> None:
    """Raise DataError for a shape that no array here may have."""
    if any(size < 0 for size in shape) or math.prod(shape) > MAX_ELEMENTS:
        raise DataError(f"it makes an array of shape {list(shape)}, of which at most {MAX_ELEMENTS} numbers are taken")


def closed(shape: Sequence[int]) -> list[int]:
    """Return a shape in which 1 stands for each size that is not known before the model runs."""
    return [1 if is_open(size) else size for size in shape]


# ---- the operators


def _array(given: Given, place: int, what: str = "input") -> Array:
    array = given.constant(place, what, may_be_open=True)
    if array is None:
        raise DataError(f"it lacks its {what}")
    return array


def _shape(given: Given, place: int) -> list[int]:
    return [int(size) for size in _array(given, place, "shape").reshape(-1)]


def _elementwise(function: Callable[..., Any]) -> Callable[[Node, Given], Array]:
    def compute(node: Node, given: Given) -> Array:
        arrays = [_array(given, place) for place in range(len(given))]
        check_size(np.broadcast_shapes(*(array.shape for array in arrays)))
        return np.asarray(function(*arrays))

    return compute


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.asarray(a / b)
    if not np.all(b):
        raise DataError("it divides by zero")
    # As C does: towards zero.
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _matmul(node: Node, given: Given) -> Array:
    a, b = _array(given, 0), _array(given, 1)
    if a.ndim != 2 or b.ndim != 2:
        raise DataError("a product of constants is taken of matrices alone")
    check_size((a.shape[0], b.shape[1]))
    return np.asarray(a @ b)


def _transpose(node: Node, given: Given) -> Array:
    return np.transpose(_array(given, 0), node.ints("perm") or None)


def _reshape(node: Node, given: Given) -> Array:
    array = _array(given, 0)
    sizes = given.numbers(node, "shape", 1) or []
    copies = not node.get("allowzero", 0)
    return array.reshape([array.shape[i] if size == 0 and copies else size for i, size in enumerate(sizes)])


def _flatten(node: Node, given: Given) -> Array:
    array, axis = _array(given, 0), node.get("axis", 1)
    return array.reshape(math.prod(array.shape[:axis]), -1)


def _squeeze(node: Node, given: Given) -> Array:
    at = given.numbers(node, "axes", 1)
    return np.squeeze(_array(given, 0), None if at is None else tuple(at))


def _unsqueeze(node: Node, given: Given) -> Array:
    return np.expand_dims(_array(given, 0), tuple(given.numbers(node, "axes", 1) or ()))


def _concat(node: Node, given: Given) -> Array:
    arrays = [_array(given, place) for place in range(len(given))]
    if sum(array.size for array in arrays) > MAX_ELEMENTS:
        raise DataError("it makes too large an array")
    return np.concatenate(arrays, node.get("axis", 0))


def slices(node: Node, given: Given, count: int) -> list[slice]:
    """Return what a node Slice takes of each of so many axes."""
    starts, ends = given.numbers(node, "starts", 1), given.numbers(node, "ends", 2)
    if starts is None or ends is None:
        raise DataError("it lacks a beginning or an end")
    axes = given.numbers(node, "axes", 3) or list(range(len(starts)))
    steps = given.numbers(node, "steps", 4) or [1] * len(starts)
    found = [slice(None)] * count
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # A step back from the end to before the beginning is told by an end far below it.
        stop = None if step < 0 and end < -(2**30) else end
        found[normalised(axis, count)] = slice(start, stop, step)
    return found


def _slice(node: Node, given: Given) -> Array:
    array = _array(given, 0)
    return np.asarray(array[tuple(slices(node, given, array.ndim))])


def _gather(node: Node, given: Given) -> Array:
    array, indices, axis = _array(given, 0), _array(given, 1), node.get("axis", 0)
    axis = normalised(axis, array.ndim)
    check_size((*array.shape[:axis], *indices.shape, *array.shape[axis + 1 :]))
    return np.take(array, indices, axis)


def split_sizes(node: Node, given: Given, size: int) -> list[int]:
    """Return the sizes of the pieces into which a node Split cuts an axis of a size."""
    sizes = given.numbers(node, "split", 1)
    if sizes is None:
        count = len(node.outputs)
        piece = -(-size // count)
        sizes = [min(piece, size - piece * index) for index in range(count)]
    if sum(sizes) != size or any(piece < 1 for piece in sizes) or len(sizes) != len(node.outputs):
        raise DataError(f"it splits {size} into {sizes}")
    return sizes


def _split(node: Node, given: Given) -> list[Array]:
    array = _array(given, 0)
    axis = normalised(node.get("axis", 0), array.ndim)
    sizes = split_sizes(node, given, array.shape[axis])
    return np.split(array, np.cumsum(sizes)[:-1], axis)


def _expand(node: Node, given: Given) -> Array:
    array, shape = _array(given, 0), _shape(given, 1)
    if is_open(math.prod(array.shape)):
        raise DataError("it repeats what has no fixed size")
    # What has the size of B or T is repeated when the model runs; here one is kept.
    shape = list(np.broadcast_shapes(array.shape, closed(shape)))
    check_size(shape)
    return np.broadcast_to(array, shape)


def _tile(node: Node, given: Given) -> Array:
    array, repeats = _array(given, 0), closed(_shape(given, 1))
    check_size([size * n for size, n in zip(array.shape, repeats, strict=True)])
    return np.tile(array, repeats)


def _constant_of_shape(node: Node, given: Given) -> Array:
    shape = closed(_shape(given, 0))
    check_size(shape)
    value = np.asarray(node.attributes.get("value", np.zeros(1, np.float32)))
    return np.full(shape, value.reshape(-1)[0], value.dtype)


def _range(node: Node, given: Given) -> Array:
    start, stop, step = (_array(given, place).reshape(-1)[0] for place in range(3))
    check_size([int((stop - start) / step) + 1] if step else [-1])
    return np.arange(start, stop, step)


def _product(node: Node, given: Given) -> Array:
    axes = given.numbers(node, "axes", 1)
    keep = bool(node.get("keepdims", 1))
    return np.asarray(np.prod(_array(given, 0), None if axes is None else tuple(axes), keepdims=keep))


CASTS = {"FLOAT": np.float32, "DOUBLE": np.float64, "FLOAT16": np.float16, "BOOL": np.bool_}


def _cast(node: Node, given: Given) -> Array:
    from .tensors import type_name

    kind = type_name(node.get("to", 0))
    if kind not in CASTS and not kind.startswith(("INT", "UINT")):
        raise DataError(f"it casts to {kind}")
    # All whole numbers are kept in 64 bits, in which sizes that are not known have room.
    return _array(given, 0).astype(CASTS.get(kind, np.int64))


OPERATIONS: dict[str, Callable[[Node, Given], Array | list[Array]]] = {
    "Constant": lambda node, given: attribute_of_constant(node),
    "Identity": lambda node, given: _array(given, 0),
    "Dropout": lambda node, given: _array(given, 0),
    "Cast": _cast,
    "CastLike": lambda node, given: _array(given, 0).astype(_array(given, 1).dtype),
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": _concat,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "Expand": _expand,
    "Tile": _tile,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "ReduceProd": _product,
    "Shape": lambda node, given: np.array(_array(given, 0).shape, np.int64),
    "Size": lambda node, given: np.asarray(_array(given, 0).size),
    "MatMul": _matmul,
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _elementwise(_divide),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Sqrt": _elementwise(np.sqrt),
    "Exp": _elementwise(np.exp),
    "Pow": _elementwise(np.power),
    "Max": _elementwise(lambda *arrays: np.max(np.broadcast_arrays(*arrays), axis=0)),
    "Min": _elementwise(lambda *arrays: np.min(np.broadcast_arrays(*arrays), axis=0)),
    "Equal": _elementwise(np.equal),
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Not": _elementwise(np.logical_not),
    "And": _elementwise(np.logical_and),
    "Or": _elementwise(np.logical_or),
    "Where": _elementwise(np.where),
}
"""What is computed when a file is read."""
