"""The recurrent layers of torch, RNN, LSTM and GRU, as stacks, given their weights by torch's own names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import cells
from ...architecture import RecurrentArchitecture
from ...cells import Cell
from ..layers import Read, Refusal

Array = NDArray[Any]
NAME = re.compile(r"(weight|bias)_(ih|hh|hr)(?:_l(\d{1,4})(_reverse)?)?")
"""A weight of a layer, as in ``weight_ih_l0_reverse``; those of a cell, as of `torch.nn.LSTMCell`, have no layer."""
GATES: dict[str, int] = {"rnn": 1, "gru": 3, "lstm": 4}
"""How many gates are stacked along the rows of each kind's matrices."""
CELLS: dict[str, Cell] = {"lstm": cells.lstm, "gru": cells.gru}


def kind_of(weights: Mapping[str, Array]) -> str:
    """Return ``"rnn"``, ``"lstm"`` or ``"gru"``, by the shape of the first recurrent matrix [G·H, H] or [4·H, P].

    Raises Refusal for a shape that none of them has.
    """
    first = weights.get("weight_hh_l0", weights.get("weight_hh"))
    if first is None or first.ndim != 2:
        raise Refusal("it has no recurrent matrix weight_hh_l0 of two axes.")
    if any("_hr" in name for name in weights):
        return "lstm"
    rows, columns = first.shape
    for kind, gates in GATES.items():
        if rows == gates * columns:
            return kind
    raise Refusal(f"its weight_hh_l0 {[rows, columns]} is that of no RNN, GRU or LSTM.")


def read_recurrent(weights: Mapping[str, Array], relu: bool = False) -> Read:
    """Return what the weights of an `nn.RNN`, `nn.LSTM` or `nn.GRU` compute; a single cell's are those of one layer.

    relu: of an RNN, that it has relu in place of tanh, which its weights do not say.

    Raises Refusal where weights are missing, too many, or do not fit one another.
    """
    kind, by_place = kind_of(weights), _by_place(weights)
    layers, ways = 1 + max(layer for layer, _ in by_place), 1 + max(way for _, way in by_place)
    if len(by_place) != layers * ways:
        raise Refusal(f"of {layers} layers in {ways} directions it has weights of {len(by_place)} only.")
    first = by_place[0, 0]
    projected, bias = "weight_hr" in first, "bias_ih" in first
    cell = cells.elman_relu if relu else CELLS.get(kind, cells.elman)
    widths = {"P": first["weight_hr"].shape[0]} if projected else {}
    part = RecurrentArchitecture(
        cells.projected_lstm if projected else cell,
        first["weight_ih"].shape[1] if "weight_ih" in first and first["weight_ih"].ndim == 2 else 1,
        first["weight_hr" if projected else "weight_hh"].shape[-1],
        layers,
        bias,
        ways == 2,
        further_widths=widths,
    )
    named = {
        f"layers.{layer}.{way}.{name}": weight
        for (layer, way), own in by_place.items()
        for name, weight in _read_layer(own, part).items()
    }
    for name, shape in part.weight_shapes().items():
        if named[name].shape != shape:
            came = list(named[name].shape)
            raise Refusal(f"its weights do not fit together: {name} comes to {came}, not {list(shape)}.")
    return Read(part, named)


def _by_place(weights: Mapping[str, Array]) -> dict[tuple[int, int], dict[str, Array]]:
    """Return the weights of each layer and direction, by their names without either."""
    found: dict[tuple[int, int], dict[str, Array]] = {}
    for name, weight in weights.items():
        match = NAME.fullmatch(name)
        if match is None:
            raise Refusal(f"it has a weight {name:.60}, which no RNN, GRU or LSTM has.")
        place = int(match[3] or 0), int(match[4] is not None)
        found.setdefault(place, {})[f"{match[1]}_{match[2]}"] = weight
    return found


def _read_layer(given: Mapping[str, Array], part: RecurrentArchitecture) -> dict[str, Array]:
    """Return the weights of one layer and direction: of torch's two biases our cells have the sum, where that is all.

    A GRU's n keeps its second one, which the reset gate multiplies.
    """
    biases = ["bias_ih", "bias_hh"] if part.bias else []
    expected = ["weight_ih", "weight_hh", *biases, *(["weight_hr"] if part.further_widths else [])]
    if sorted(given) != sorted(expected):
        raise Refusal(f"a layer of it has {', '.join(sorted(given))}, not {', '.join(sorted(expected))}.")
    weights = {"W": given["weight_ih"], "R": given["weight_hh"]}
    if part.further_widths:
        weights["M_project"] = given["weight_hr"]
    if part.bias:
        first, second = given["bias_ih"], given["bias_hh"]
        if first.ndim != 1 or first.shape != second.shape:
            raise Refusal(f"its two biases have shapes {list(first.shape)} and {list(second.shape)}.")
        own = len(part.cell.program.recurrent_bias_gates) * part.hidden_size
        summed = len(first) - own
        weights["W_bias"] = np.concatenate([first[:summed] + second[:summed], first[summed:]])
        weights |= {"R_bias": second[summed:]} if own else {}
    return weights
