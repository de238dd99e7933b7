"""A problem's weights in the form of torch.nn's layers and cells, and gradients on the way back.

torch gives every gate two biases, which are only ever added, save that of the n gate of its GRU.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..problem import Array

LAYERS = {"elman": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CELLS = {"elman": nn.RNNCell, "gru": nn.GRUCell, "lstm": nn.LSTMCell}


def put(module: nn.Module, weights: Mapping[str, Array]) -> dict[str, Tensor]:
    """Copy weights into a module of one layer; return its parameters by torch's names without the layer."""
    parameters = {name.removesuffix("_l0"): parameter for name, parameter in module.named_parameters()}
    values = {name: torch.tensor(weights[name]) for name in weights}
    recurrent_bias = torch.zeros_like(values["W_bias"])
    if "R_bias" in values:
        recurrent_bias[-len(values["R_bias"]) :] = values["R_bias"]
    with torch.no_grad():
        parameters["weight_ih"].copy_(values["W"])
        parameters["weight_hh"].copy_(values["R"])
        parameters["bias_ih"].copy_(values["W_bias"])
        parameters["bias_hh"].copy_(recurrent_bias)
    return parameters


def back(gradients: Mapping[str, Tensor], weights: Mapping[str, Array]) -> dict[str, Tensor]:
    """Return gradients by torch's names under the names of a problem's weights."""
    named = {"W": "weight_ih", "R": "weight_hh", "W_bias": "bias_ih"}
    given = {name: gradients[theirs] for name, theirs in named.items()}
    if "R_bias" in weights:
        given["R_bias"] = gradients["bias_hh"][-len(weights["R_bias"]) :]
    return given
