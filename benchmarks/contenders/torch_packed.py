"""torch.nn's layers on a ragged batch, with PackedSequence."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..problem import Problem
from . import torch_weights
from .contender import Run
from .torch_tools import TorchContender, layer_run, tensor


class TorchPacked(TorchContender):
    """Packs, runs over live rows only, pads again."""

    def prepare(self, problem: Problem) -> Run:
        point = problem.point
        layer = torch_weights.LAYERS[point.cell](point.inputs, point.hidden)
        parameters = torch_weights.put(layer, problem.weights)
        assert problem.lengths is not None
        lengths = tensor(problem.lengths)

        def forward(x: Tensor) -> Tensor:
            packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
            padded: Tensor = pad_packed_sequence(layer(packed)[0], total_length=point.steps)[0]
            return padded

        return layer_run(problem, forward, parameters, lambda given: torch_weights.back(given, problem.weights))
