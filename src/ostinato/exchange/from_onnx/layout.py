"""Nodes that compute nothing: they move axes, or take some of what is stacked or of the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...architecture import LastArchitecture
from ...errors import DataError
from .axes import (
    Atom,
    Axes,
    Axis,
    has,
    letters_of,
    normalised,
    reshaped,
    size_of,
    sizes_of,
    squeezed,
    transposed,
    unsqueezed,
)
from .folding import slices, split_sizes
from .paths import NO_RUNS, Path, joined
from .values import CellState, Constant, Given, Node, Signal, Start, Symbols, Value

MAX_JOINED = 1024
"""What lies side by side, or is stacked, at once: more than the layers of any stack here."""
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")


def move(node: Node, given: Given) -> list[Value] | None:
    """Return what a node puts out that only moves what it reads; None for any other operator.

    Raises DataError where the result cannot be followed.
    """
    value = given[0]
    if node.operation == "Concat":
        return [_concatenated(node, given)]
    if node.operation == "Shape" and isinstance(value, Signal | Symbols):
        sizes = sizes_of(value.axes)[node.get("start", 0) : node.get("end", len(value.axes))]
        return [Constant(np.array(sizes, np.int64), is_open=True)]
    if isinstance(value, Start | CellState):
        return _carried(node, given, value)
    if isinstance(value, Signal) and node.operation in TAKING:
        return TAKING[node.operation](node, given, value)
    if isinstance(value, Signal | Symbols) and node.operation in MOVING:
        axes = MOVING[node.operation](node, given, value)
        return [replace(value, axes=axes)]
    return None


# ---- axes alone


def _same(node: Node, given: Given, value: Signal | Symbols) -> Axes:
    return value.axes


def _dropout(node: Node, given: Given, value: Signal | Symbols) -> Axes:
    training = given.constant(2, "training mode")
    if training is not None and training.any():
        raise DataError("it acts as in training")
    return value.axes


def _cast(node: Node, given: Given, value: Signal | Symbols) -> Axes:
    from .tensors import type_name

    kind = type_name(node.get("to", 0))
    if isinstance(value, Symbols) and kind not in INTEGERS:
        raise DataError(f"it makes {kind} of the symbols, which here only an embedding reads")
    if isinstance(value, Signal) and kind not in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"):
        raise DataError(f"it makes {kind} of numbers")
    return value.axes


def _reshape(node: Node, given: Given, value: Signal | Symbols) -> Axes:
    sizes = given.numbers(node, "shape", 1)
    if sizes is None:
        raise DataError("it lacks its shape")
    stacked = len(value.paths) if isinstance(value, Signal) and not value.is_stacked else 1
    axes = reshaped(value.axes, sizes, stacked, zero_copies=not node.get("allowzero", 0))
    if isinstance(value, Signal) and stacked > 1 and has(axes, "N") and len({path.size for path in value.paths}) > 1:
        raise DataError("it stacks what has different numbers of features")
    return axes


def _flatten(node: Node, given: Given, value: Signal | Symbols) -> Axes:
    at = normalised(node.get("axis", 1), len(value.axes) + 1)
    sizes = sizes_of(value.axes)
    products = [int(np.prod(part, dtype=object)) for part in (sizes[:at], sizes[at:])]
    return reshaped(value.axes, products, 1)


MOVING: dict[str, Callable[[Node, Given, Signal | Symbols], Axes]] = {
    "Identity": _same,
    "Dropout": _dropout,
    "Cast": _cast,
    "CastLike": _same,
    "Transpose": lambda node, given, value: transposed(value.axes, node.ints("perm") or None),
    "Squeeze": lambda node, given, value: squeezed(value.axes, given.numbers(node, "axes", 1)),
    "Unsqueeze": lambda node, given, value: unsqueezed(value.axes, given.numbers(node, "axes", 1) or ()),
    "Reshape": _reshape,
    "Flatten": _flatten,
}
"""What moves axes."""


# ---- taking a part


def last_step(signal: Signal, axes: Axes, reverse: bool = False) -> Signal:
    """Return each sequence's last step, or its first; a single step is that already."""

    def last(path: Path) -> Path:
        if path.ragged and not reverse:
            raise DataError(
                "it takes the last of all steps, which a shorter sequence does not have (ONNX has zeros there); "
                "the last step of each sequence is the output Y_h of its recurrent node"
            )
        return path.then(LastArchitecture(path.size, reverse))

    return signal.each(last, axes)


def _gather(node: Node, given: Given, value: Signal) -> list[Value]:
    indices = given.constant(1, "indices")
    axis = normalised(node.get("axis", 0), len(value.axes))
    if indices is None or indices.ndim > 1 or not indices.size:
        raise DataError("it gathers by other than a list of places")
    places = [int(index) for index in indices.reshape(-1)]
    return [_taken(value, axis, places, drop=indices.ndim == 0)]


def _slice(node: Node, given: Given, value: Signal) -> list[Value]:
    for axis, taken in enumerate(slices(node, given, len(value.axes))):
        size = size_of(value.axes[axis])
        places = range(*taken.indices(size))
        if places != range(size):
            value = _taken(value, axis, places, drop=False)
    return [value]


def _split(node: Node, given: Given, value: Signal) -> list[Value]:
    axis = normalised(node.get("axis", 0), len(value.axes))
    ends = np.cumsum(split_sizes(node, given, size_of(value.axes[axis])))
    pieces = [
        range(end - size, end) for end, size in zip(ends.tolist(), np.diff(ends, prepend=0).tolist(), strict=True)
    ]
    return [_taken(value, axis, piece, drop=False) for piece in pieces]


def _taken(value: Signal, axis: int, places: Sequence[int], drop: bool) -> Signal:
    """Return what lies at some places of an axis; drop: there is one, and the axis goes with it."""
    size, letters = size_of(value.axes[axis]), letters_of(value.axes[axis])
    # A range may have as many places as an axis whose size is not known: only its ends are looked at.
    ends = (places[0], places[-1]) if isinstance(places, range) and places else places
    if not ends or not -size <= min(ends) <= max(ends) < size:
        raise DataError(f"it takes places of an axis that has {size}")
    left: Axes = () if drop else ((),)
    axes = value.axes[:axis] + left + value.axes[axis + 1 :]
    if size == 1:
        return replace(value, axes=axes if drop or len(places) == 1 else value.axes)
    if letters == "N":
        return _picked(value, axis, [place % size for place in places], drop)
    if letters == "T" and len(places) == 1 and places[0] % size in (0, size - 1):
        return last_step(value, axes, reverse=places[0] % size == 0)
    if letters == "F" and isinstance(places, range) and places.step == 1 and not value.is_stacked:
        return _features(value, axis, places)
    what = {"T": "steps other than the last or the first", "B": "some of the sequences", "F": "some of the features"}
    raise DataError(f"it takes {what.get(letters, 'a part of several axes')}")


def _picked(value: Signal, axis: int, places: list[int], drop: bool) -> Signal:
    paths = tuple(value.paths[place] for place in places)
    here: tuple[Axis, ...] = ((Atom("N", len(paths)),),) if len(paths) > 1 else () if drop else ((),)
    return replace(value, paths=paths, axes=value.axes[:axis] + here + value.axes[axis + 1 :])


def _features(value: Signal, axis: int, places: range) -> Signal:
    """Return some of the paths whose features lie side by side; parts of one are not taken."""
    ends = np.cumsum([path.size for path in value.paths]).tolist()
    begins = [0, *ends[:-1]]
    if places.start not in begins or places.stop not in ends:
        raise DataError(f"it takes the features {places.start} to {places.stop - 1} alone")
    paths = value.paths[begins.index(places.start) : ends.index(places.stop) + 1]
    axes = (*value.axes[:axis], (Atom("F", len(places)),), *value.axes[axis + 1 :])
    return replace(value, paths=paths, axes=axes)


TAKING: dict[str, Callable[[Node, Given, Signal], list[Value]]] = {"Gather": _gather, "Slice": _slice, "Split": _split}
"""What takes a part."""


# ---- joining


def _concatenated(node: Node, given: Given) -> Value:
    if all(isinstance(value, CellState) for value in given.values):
        return CellState(NO_RUNS.union(*(value.state for value in given.values if isinstance(value, CellState))))
    signals = [value for value in given.values if isinstance(value, Signal)]
    if len(signals) < len(given):
        raise DataError("it joins what is computed with what is not")
    first = signals[0]
    axis = normalised(node.get("axis", 0), len(first.axes))
    around = {s.axes[:axis] + s.axes[axis + 1 :] for s in signals if len(s.axes) == len(first.axes)}
    if len(around) > 1 or any(len(s.axes) != len(first.axes) for s in signals):
        raise DataError("it joins what has different axes")
    if sum(len(signal.paths) for signal in signals) > MAX_JOINED:
        raise DataError(f"it joins more than {MAX_JOINED} parts")
    paths = tuple(path for signal in signals for path in signal.paths)
    state = NO_RUNS.union(*(s.state for s in signals)) if all(s.state for s in signals) else NO_RUNS
    letters = {letters_of(signal.axes[axis]) for signal in signals}
    if letters == {"F"} and not first.is_stacked:
        here = Atom("F", sum(size_of(signal.axes[axis]) for signal in signals))
    elif letters <= {"", "N"} and not (first.is_stacked and "" in letters and "N" not in letters):
        if any(len(signal.paths) > 1 and not signal.is_stacked for signal in signals):
            paths = tuple(path for s in signals for path in (s.paths if s.is_stacked else (joined(s.paths),)))
        here = Atom("N", len(paths))
    else:
        raise DataError("it joins along time or batch, or what is stacked")
    return Signal(paths, (*first.axes[:axis], (here,), *first.axes[axis + 1 :]), state)


# ---- what only passes through


def _carried(node: Node, given: Given, value: Start | CellState) -> list[Value] | None:
    """Return a state as it is passed on: however it is laid out, it stays what it is."""
    if node.operation in MOVING:
        return [value]
    if node.operation not in TAKING:
        return None
    count = len(node.outputs) if node.operation == "Split" else 1
    if isinstance(value, CellState):
        return [value] * count
    if node.operation == "Split":
        return [Start(f"{value.text} (piece {index + 1} of {count})") for index in range(count)]
    if node.operation == "Gather":
        indices = given.constant(1, "indices")
        return [Start(f"{value.text}[{'?' if indices is None else indices.tolist()}]")]
    starts, ends = given.numbers(node, "starts", 1) or [], given.numbers(node, "ends", 2) or []
    parts = ", ".join(f"{start}:{end}" for start, end in zip(starts, ends, strict=False))
    return [Start(f"{value.text}[{parts}]")]
