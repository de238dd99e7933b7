"""The operators RNN, LSTM and GRU: a path for each direction, which begins at a state and stops at each length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ...architecture import LastArchitecture, RecurrentArchitecture
from ...errors import DataError
from ..operators import (
    STATES,
    Kind,
    OnnxWeights,
    Operator,
    Squashing,
    activations_from_onnx,
    cell_of,
    weights_from_onnx,
)
from .axes import Atom, Axis, is_axis, letters_of, size_of
from .lengths import Example
from .paths import Path
from .values import CellState, Constant, Given, Node, OfLengths, Signal, Start, Value

Array = NDArray[Any]
Tell = Callable[[str], None]
OPERATORS: tuple[Kind, ...] = get_args(Kind)
LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLES = 4, 5, 6, 7
"""The places of the inputs after X, W, R and B."""
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


def run(node: Node, given: Given, example: Example, tell: Tell) -> list[Value]:
    """Return what a recurrent node puts out: Y, Y_h, and Y_c of an LSTM. tell: takes what the user should know;
    example: for which lengths are computed with.

    Raises DataError where it is none that can be read.
    """
    x, axes = _input(node, given)
    kind: Kind = node.operation  # type: ignore[assignment]
    directions = DIRECTIONS.get(node.get("direction", "forward"))
    if directions is None:
        raise DataError(f"its direction is {node.get('direction', '')!r:.40}")
    weights = _weights(given, len(directions))
    operators = _operators(node, kind, given, len(directions))
    start = _start(node, kind, given, weights, tell)
    ragged = _is_ragged(given, size_of(axes[0]), example)
    paths = []
    for index, reverse in enumerate(directions):
        own = {name: array[index] for name, array in weights.items()}
        operator = operators[index]
        found = weights_from_onnx(operator, OnnxWeights(**own))
        found |= {f"initial_{name}": array[index] for name, array in start.items()}
        part = RecurrentArchitecture(
            cell_of(operator),
            own["W"].shape[1],
            own["R"].shape[1],
            bias="B" in own,
            reverse=reverse,
            learned_initial_state=bool(start),
        )
        named = {f"layers.0.0.{name}": array for name, array in found.items()}
        paths.append(x.then(part, named, runs=frozenset({(node.title, index)}), ragged=ragged))
    return _outputs(node, paths, axes)


# ---- inputs


def _input(node: Node, given: Given) -> tuple[Path, list[Axis]]:
    """Return the path to X, and its axes in the order T, B, D."""
    x = given[0]
    if not isinstance(x, Signal):
        raise DataError("its X is not computed from the input")
    x = x.joined().featured(2)
    if x.is_stacked or len(x.axes) != 3 or letters_of(x.axes[2]) != "F":
        raise DataError("its X has other axes than time, batch and features")
    order = (1, 0, 2) if _batch_first(node) else (0, 1, 2)
    axes = [x.axes[index] for index in order]
    if not is_axis(axes[0], "T") or not is_axis(axes[1], "B"):
        raise DataError("the axes of its X do not come in the order in which it reads time and batch")
    (path,) = x.paths
    if path.reduced:
        raise DataError("it reads a single step of a sequence that is over")
    weight = given.constant(1, "W")
    if weight is not None and weight.ndim == 3:
        path.expect(weight.shape[2])
    return path, axes


def _batch_first(node: Node) -> bool:
    layout = node.get("layout", 0)
    if layout not in (0, 1):
        raise DataError(f"its layout is {layout}, where 0 and 1 are known")
    return bool(layout)


def _weights(given: Given, count: int) -> dict[str, Array]:
    """Return W, R, B and P, those that are there, each [directions, …]; peepholes that are all zero are none."""
    found = {}
    for name, place, axes in (("W", 1, 3), ("R", 2, 3), ("B", 3, 2), ("P", PEEPHOLES, 2)):
        array = given.constant(place, name)
        if array is None and name in ("W", "R"):
            raise DataError(f"it lacks its {name}")
        if array is None or (name == "P" and not array.any()):
            continue
        if array.ndim != axes or len(array) != count or array.dtype.kind != "f":
            raise DataError(f"its {name} of shape {list(array.shape)} is not one for {count} directions")
        found[name] = array
    return found


def _operators(node: Node, kind: Kind, given: Given, count: int) -> list[Operator]:
    """Return the operator of each direction, by the node's attributes."""
    clip = node.get("clip", 0.0) if "clip" in node.attributes else None
    if clip is not None and not 0 < clip < np.inf:
        raise DataError(f"its clip is {clip:g}, where a number above 0 is read")
    activations = _activations(node, kind, count)
    peepholes = given.constant(PEEPHOLES, "P") if kind == "LSTM" else None
    return [
        Operator(
            kind,
            activations[index],
            clip,
            peepholes=peepholes is not None and bool(peepholes.any()),
            input_forget=kind == "LSTM" and bool(node.get("input_forget", 0)),
            linear_before_reset=kind == "GRU" and bool(node.get("linear_before_reset", 0)),
        )
        for index in range(count)
    ]


def _activations(node: Node, kind: Kind, count: int) -> list[tuple[Squashing, ...]]:
    names, alphas, betas = node.texts("activations"), node.floats("activation_alpha"), node.floats("activation_beta")
    if len(names) % count:
        raise DataError(f"it names {len(names)} activations for {count} directions")
    each = len(names) // count
    found = []
    for index in range(count):
        own = activations_from_onnx(kind, names[index * each : (index + 1) * each], alphas, betas)
        found.append(own)
        # The numbers go to the activations in turn; the other direction has what is left.
        alphas = alphas[sum(squashing.alpha is not None for squashing in own if names) :]
        betas = betas[sum(squashing.beta is not None for squashing in own if names) :]
    return found


def _is_ragged(given: Given, steps: int, example: Example) -> bool:
    """Whether each sequence has a length of its own."""
    lengths = given[LENGTHS]
    if lengths is None or (isinstance(lengths, Constant) and (lengths.array == steps).all()):
        return False
    if isinstance(lengths, Constant):
        raise DataError("the lengths of its sequences are fixed in the file; make them an input of the graph")
    if not isinstance(lengths, OfLengths) or not np.array_equal(lengths.array.reshape(-1), example.lengths):
        raise DataError("the lengths of its sequences are computed; make them an input of the graph")
    return True


def _start(node: Node, kind: Kind, given: Given, weights: dict[str, Array], tell: Tell) -> dict[str, Array]:
    """Return the state in which each direction begins, [directions, H] by name; nothing where it is zero."""
    count, hidden = len(weights["R"]), weights["R"].shape[2]
    found: dict[str, Array] = {}
    texts = []
    for name, place in zip(STATES[kind], (INITIAL_H, INITIAL_C), strict=False):
        value = given[place]
        found[name] = np.zeros((count, hidden), np.float32)
        if isinstance(value, Start):
            texts.append(f"{name} by {value.text}")
        elif isinstance(value, Constant):
            array = given.constant(place, f"first state {name}")
            found[name] = found[name] if array is None else _rows(node, name, array, count, hidden)
        elif value is not None:
            raise DataError(f"it begins at a state {name} that is computed")
    if texts:
        tell(
            f"{node.title} begins at a state that comes as input: {' and '.join(texts)}. Here it is in the argument "
            "state of run; without one the model begins anew."
        )
    return found if any(array.any() for array in found.values()) else {}


def _rows(node: Node, name: str, array: Array, count: int, hidden: int) -> Array:
    """Return a constant state [directions, B, H] as [directions, H]."""
    if array.ndim != 3 or array.dtype.kind != "f":
        raise DataError(f"its first state {name} has other axes than directions, batch and units")
    array = array.swapaxes(0, 1) if _batch_first(node) else array
    if (len(array), array.shape[2]) != (count, hidden) or not array.shape[1]:
        raise DataError(f"its first state {name} is not one of {count} × {hidden} units")
    if (array != array[:, :1]).any():
        raise DataError(f"its first state {name} is fixed in the file, another one for each sequence of a batch")
    rows: Array = array[:, 0]
    return rows


# ---- outputs


def _outputs(node: Node, paths: list[Path], axes: list[Axis]) -> list[Value]:
    time, batch, _ = axes
    features = (Atom("F", paths[0].size),)
    stacked: Axis = (Atom("N", len(paths)),) if len(paths) > 1 else ()
    y = (batch, time, stacked, features) if _batch_first(node) else (time, stacked, batch, features)
    final = (batch, stacked, features) if _batch_first(node) else (stacked, batch, features)
    ends = tuple(path if size_of(time) == 1 else _ended(path) for path in paths)
    state = frozenset((node.title, index) for index in range(len(paths)))
    outputs: list[Value] = [Signal(tuple(paths), y), Signal(ends, final, state)]
    return [*outputs, CellState(state)] if node.operation == "LSTM" else outputs


def _ended(path: Path) -> Path:
    part = path.part
    reverse = isinstance(part, RecurrentArchitecture) and part.reverse
    return path.then(LastArchitecture(path.size, reverse))
