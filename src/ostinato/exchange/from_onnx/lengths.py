"""What a graph computes of the lengths of sequences: masks of the steps that there are, and places of the last ones.

It is followed by example: what is computed of lengths is computed for a few sequences of different lengths, and its use
is understood where it is, for these, what a mask or the place of the last step would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...architecture import LastArchitecture
from ...errors import DataError
from .axes import UNKNOWN, Axes, Axis, letters_of, size_of
from .folding import fold
from .values import CellState, Constant, Given, Node, OfLengths, Signal, Start, Value

Array = NDArray[Any]


@dataclass(frozen=True)
class Example:
    """Sequences for which lengths are computed with. steps, batch: T and B, those of the file where it fixes them."""

    steps: int
    batch: int

    @classmethod
    def of(cls, axes: Axes) -> Example:
        """Return the example for an input that has these axes."""
        sizes = {letters_of(axis): size_of(axis) for axis in axes}
        known = {letter: size for letter, size in sizes.items() if size != UNKNOWN.get(letter)}
        return cls(min(known.get("T", 7), 10_000), min(known.get("B", 6), 1000))

    @cached_property
    def lengths(self) -> Array:
        """B lengths, of which one is T and one 0, where there are as many."""
        lengths = np.array([5 * index % (self.steps + 1) for index in range(self.batch)])
        lengths[-1], lengths[:1] = self.steps, max(self.steps - 2, 0) if self.batch == 1 else 0
        return lengths

    def closed(self, constant: Constant) -> Array:
        """Return a constant in which the sizes of the example stand for those that are not known."""
        array = constant.array
        if constant.is_open and array.dtype.kind in "iu":
            array = np.where(array == UNKNOWN["T"], self.steps, array)
            array = np.where(array == UNKNOWN["B"], self.batch, array)
        return array

    def mask(self, axes: Axes) -> Array:
        """Return which steps there are, laid out as axes; which sequences have any, where no axis is time."""
        letters = "".join(letters_of(axis) for axis in axes if letters_of(axis) in ("T", "B"))
        exists = np.arange(self.steps)[:, None] < self.lengths
        laid_out = {"TB": exists, "BT": exists.T, "B": self.lengths > 0}.get(letters)
        if laid_out is None:
            raise DataError("it takes lengths to what has no axis of the batch alone")
        return laid_out.reshape([self._size(axis) for axis in axes])

    def _size(self, axis: Axis) -> int:
        return {"T": self.steps, "B": self.batch}.get(letters_of(axis), 1)


def compute(node: Node, given: Given, example: Example) -> list[Value] | None:
    """Return what a node puts out that computes with lengths, or with the numbers of the steps; None for any other.

    Raises DataError where it makes of them what is not understood.
    """
    lengths = [value for value in given.values if isinstance(value, OfLengths)]
    counts = node.operation == "Range" and any(isinstance(value, Constant) and value.is_open for value in given.values)
    if not lengths and not counts:
        return None
    if all(value is None or isinstance(value, Constant | OfLengths) for value in given.values):
        closed = Given(tuple(_closed(value, example) for value in given.values))
        found = fold(node, closed)
        return None if found is None else [OfLengths(constant.array) for constant in found]
    if node.operation == "Where":
        return [_chosen(given, example)]
    if node.operation == "Mul" and isinstance(given[0], Signal | OfLengths):
        return [_multiplied(given, example)]
    if node.operation == "GatherND":
        return [_gathered(node, given, example)]
    return None


def _closed(value: Value | None, example: Example) -> Value | None:
    if isinstance(value, OfLengths):
        return Constant(value.array)
    return Constant(example.closed(value)) if isinstance(value, Constant) else value


# ---- masks


def _chosen(given: Given, example: Example) -> Value:
    """Return what a node Where takes: what there is, where there is a step, and else zero, or the state before."""
    condition, first, second = given[0], given[1], given[2]
    if not isinstance(condition, OfLengths) or condition.array.dtype != np.bool_:
        raise DataError("it chooses by what is no mask")
    mask = condition.array
    if isinstance(second, Signal | CellState) and not isinstance(first, Signal | CellState):
        first, second, mask = second, first, ~mask
    if isinstance(first, CellState) or (isinstance(first, Signal) and first.state):
        if isinstance(second, Start) and np.array_equal(mask.reshape(-1), example.lengths > 0):
            return first
    elif isinstance(first, Signal) and isinstance(second, Constant) and not second.array.any():
        _check_mask(first, mask, example)
        return first
    raise DataError("it chooses between what is no step and its padding")


def _multiplied(given: Given, example: Example) -> Signal:
    signal, mask = given[0], given[1]
    if isinstance(signal, OfLengths):
        signal, mask = mask, signal
    if not isinstance(signal, Signal) or not isinstance(mask, OfLengths):
        raise DataError("it computes with lengths what is not understood")
    _check_mask(signal, mask.array, example)
    return Signal(signal.paths, signal.axes)


def _check_mask(signal: Signal, mask: Array, example: Example) -> None:
    """Raise DataError unless an array is 1 at each step that there is, and 0 beyond: there is zero here anyway."""
    expected = example.mask(signal.axes)
    shape = (1,) * (expected.ndim - mask.ndim) + mask.shape
    if shape != expected.shape or not np.array_equal(mask.reshape(shape), expected):
        raise DataError("it multiplies or chooses by lengths otherwise than by a mask of the steps that there are")


# ---- the last step


def _gathered(node: Node, given: Given, example: Example) -> Signal:
    """Return the last step of each sequence, or the first, which a node GatherND takes by its place."""
    signal, indices = given[0], given[1]
    if not isinstance(signal, Signal) or not isinstance(indices, OfLengths):
        raise DataError("it gathers by places that are computed")
    letters = "".join(letters_of(axis) for axis in signal.axes[:2])
    places = indices.array
    if node.get("batch_dims", 0) == 1 and letters == "BT" and places.shape == (example.batch, 1):
        times = places[:, 0]
    elif node.get("batch_dims", 0) == 0 and letters in ("BT", "TB") and places.shape == (example.batch, 2):
        times = places[:, letters.index("T")]
        if not np.array_equal(places[:, letters.index("B")], np.arange(example.batch)):
            raise DataError("it takes steps of some of the sequences")
    else:
        raise DataError("it gathers along other axes than time")
    some = example.lengths > 0
    is_last = np.array_equal(times[some], example.lengths[some] - 1)
    if not is_last and times.any():
        raise DataError("it takes steps other than the last or the first")
    axes = ((signal.axes[letters.index("B")]), *signal.axes[2:])
    return signal.each(lambda path: path.then(LastArchitecture(path.size, not is_last)), axes)
