"""Keras's recurrent layers and their cells, as stacks."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..functions import in_cell
from ..layers import Read, Refusal, stack
from ..operators import GATES, Kind, OnnxWeights, Operator, cell_of, operator, weights_from_onnx
from .activations import activation_of
from .file import Store
from .model import Layer, layer_of, snake_case

Array = NDArray[Any]
GATE_ORDER: dict[Kind, tuple[str, ...]] = {"RNN": ("h",), "LSTM": ("i", "f", "g", "o"), "GRU": ("z", "r", "n")}
"""The gates, in the order in which Keras stacks them, by our names."""
KINDS: dict[str, Kind] = {
    "SimpleRNN": "RNN",
    "SimpleRNNCell": "RNN",
    "LSTM": "LSTM",
    "LSTMCell": "LSTM",
    "GRU": "GRU",
    "GRUCell": "GRU",
}
LAYERS = ("SimpleRNN", "LSTM", "GRU", "RNN")
"""The layers that carry a state over time."""


class CellConfig(msgspec.Struct):
    """What decides what a cell computes."""

    units: int
    activation: Any = "tanh"
    recurrent_activation: Any = "sigmoid"
    use_bias: bool = True
    reset_after: bool = True


class LayerConfig(msgspec.Struct):
    """What decides how a layer runs its cell."""

    go_backwards: bool = False
    return_sequences: bool = False
    stateful: bool = False
    cell: Any = None


def options(layer: Layer, kind: type[Any]) -> Any:
    """Return a layer's arguments, typed. Raises Refusal when they are not what Keras writes."""
    try:
        return msgspec.convert(layer.config, kind)
    except msgspec.ValidationError as error:
        raise Refusal(f"its config is not what Keras writes: {error}.") from None


def read_recurrent(layer: Layer, path: str, store: Store, flipped: bool) -> list[Read]:
    """Return the stacks that a recurrent layer is, one for each of its cells.

    flipped: whether the layer's input lies in reverse order of time; our own stacks put out in the order of the input.

    Raises Refusal for a cell that cannot be imported.
    """
    own: LayerConfig = options(layer, LayerConfig)
    cells = [(layer, f"{path}/cell")] if layer.class_name != "RNN" else _cells(layer_of(own.cell), f"{path}/cell")
    if not cells:
        raise Refusal("it has no cell.")
    return [_read_cell(cell, place, store, own.go_backwards != flipped) for cell, place in cells]


def _cells(cell: Layer, path: str) -> list[tuple[Layer, str]]:
    """Return the cells of an RNN layer, of which each reads what the one before puts out, and their places."""
    if cell.class_name != "StackedRNNCells" or not cell.is_kerass:
        return [(cell, path)]
    given = cell.config.get("cells")
    found: list[tuple[Layer, str]] = []
    count: dict[str, int] = {}
    for inner in [layer_of(data) for data in given] if isinstance(given, list) else []:
        name = snake_case(inner.class_name)
        count[name] = count.get(name, -1) + 1
        found += [(inner, f"{path}/cells/{name}" + (f"_{count[name]}" if count[name] else ""))]
    return found


def _read_cell(cell: Layer, path: str, store: Store, reverse: bool) -> Read:
    if cell.class_name not in KINDS or not cell.is_kerass:
        raise Refusal(f"its cell is a {cell.class_name:.60}, whose equations are not in the file.")
    own: CellConfig = options(cell, CellConfig)
    kind = KINDS[cell.class_name]
    recurrence = _operator(kind, own)
    gates, units = len(GATE_ORDER[kind]), own.units
    two_biases = recurrence.linear_before_reset
    bias: list[tuple[int | None, ...]] = [(2, gates * units) if two_biases else (gates * units,)]
    shapes = [(None, gates * units), (units, gates * units), *(bias if own.use_bias else [])]
    weights = onnx_weights(kind, store.variables(path, shapes))
    return stack(cell_of(recurrence), weights_from_onnx(recurrence, weights), own.use_bias, reverse)


def _operator(kind: Kind, own: CellConfig) -> Operator:
    """Return the operator that a cell's equations are; ONNX's are the same up to names."""
    squash = in_cell(activation_of(own.activation))
    if kind == "RNN":
        return operator(kind, [squash])
    gate = in_cell(activation_of(own.recurrent_activation))
    if kind == "LSTM":
        return operator(kind, [gate, squash, squash])
    return operator(kind, [gate, squash], linear_before_reset=own.reset_after)


def onnx_weights(kind: Kind, variables: list[Array]) -> OnnxWeights:
    """Return a cell's variables as ONNX has them: kernel [D, G·H], recurrent kernel [H, G·H], and a bias, if any.

    bias: [G·H], or [2, G·H] where the recurrent product has one of its own.
    """
    kernel, recurrent, *bias = variables
    order = [GATE_ORDER[kind].index(gate) for gate in GATES[kind]]

    def stacked(array: Array) -> Array:
        # The gates lie along the last axis, and become blocks of rows.
        blocks = np.split(array, len(order), axis=-1)
        joined: Array = np.concatenate([blocks[index] for index in order], axis=-1)
        return joined

    both = None
    if bias:
        of_input, of_state = bias[0] if bias[0].ndim == 2 else (bias[0], np.zeros_like(bias[0]))
        both = np.concatenate([stacked(of_input), stacked(of_state)])
    return OnnxWeights(stacked(kernel).T, stacked(recurrent).T, both)
