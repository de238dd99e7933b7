"""torch.nn's layers on a ragged batch as if it were full, with outputs beyond each length set to zero."""

from __future__ import annotations

from ..problem import Problem
from . import torch_weights
from .contender import Run
from .torch_tools import TorchContender, layer_run, tensor


class TorchPadded(TorchContender):
    """Runs over padding too."""

    def prepare(self, problem: Problem) -> Run:
        point = problem.point
        layer = torch_weights.LAYERS[point.cell](point.inputs, point.hidden)
        parameters = torch_weights.put(layer, problem.weights)
        assert problem.mask is not None
        mask = tensor(problem.mask)
        return layer_run(
            problem,
            lambda x: layer(x)[0] * mask,
            parameters,
            lambda given: torch_weights.back(given, problem.weights),
        )
