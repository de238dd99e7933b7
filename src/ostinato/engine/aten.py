"""torch's own RNN, LSTM and GRU kernels (cuDNN on a GPU), for the cells that are exactly those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import cells
from ..program import Program
from .call import Call
from .rows import run_over_rows
from .torch import LIBRARY, refuse_transforms

DESCRIPTION = "torch's own kernel for this cell"

_KERNELS: dict[Program, Any] = {
    cells.elman.program: torch.rnn_tanh,
    cells.elman_relu.program: torch.rnn_relu,
    cells.lstm.program: torch.lstm,
    cells.gru.program: torch.gru,
}


def refuse(call: Call) -> str | None:
    """Return why torch's kernels cannot run a call, or None."""
    if call.program not in _KERNELS:
        return "the cell is not exactly torch's RNN, LSTM or GRU"
    if call.weights["R"].shape[0] != call.weights["R"].shape[1] * len(call.program.recurrent_gates):
        return "torch's kernels take no recurrent matrices in blocks"
    if not call.packing.counts:
        return "torch's kernels need at least one row and one step"
    return refuse_transforms("torch's kernels")


def run(call: Call, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Run a call; return y [T, B, O] and the state after it."""
    return run_over_rows(call, state, LIBRARY, _run_rows)


def _run_rows(
    call: Call, rows: Tensor, counts: Sequence[int], state: Sequence[Tensor], streams: Mapping[str, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Run a call over packed rows; the programs of the table have no streams."""
    live = counts[0]
    initial = tuple(part[None, :live].contiguous() for part in state)
    hidden: Any = initial if len(initial) > 1 else initial[0]
    weights = _flat_weights(call)
    options = (len(weights) == 4, 1, 0.0, torch.is_grad_enabled(), False)
    kernel = _KERNELS[call.program]
    if counts[-1] == live:
        stepped = rows.reshape(len(counts), live, -1)
        y, *final = kernel(stepped, hidden, weights, *options, False)
        y = y.reshape(len(rows), -1)
    else:
        y, *final = kernel(rows, torch.tensor(counts), hidden, weights, *options)
    return y, [LIBRARY.rows([part[0], before[live:]]) for part, before in zip(final, state, strict=True)]


def _flat_weights(call: Call) -> list[Tensor]:
    """Return W, R and both biases as torch's kernels take them: one recurrent bias for every gate."""
    weights, program = call.weights, call.program
    if "W_bias" not in weights:
        return [weights["W"], weights["R"]]
    bias = weights["W_bias"]
    own = len(program.recurrent_bias_gates) * (len(bias) // len(program.gates))
    zeros = bias.new_zeros(len(bias) - own)
    # The gates with a bias of their own stand last in every program of the table.
    recurrent_bias = torch.cat([zeros, weights["R_bias"]]) if own else zeros
    return [weights["W"], weights["R"], bias, recurrent_bias]
