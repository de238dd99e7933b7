"""torch.nn.RNN, GRU and LSTM, over whole sequences, over one step, and in the character model."""

from __future__ import annotations

from torch import Tensor

from ..problem import Problem
from . import character_model, torch_weights
from .contender import Run
from .torch_tools import TorchContender, layer_run, step_run, tensor


class TorchLayer(TorchContender):
    """The layer as it comes."""

    def prepare(self, problem: Problem) -> Run:
        point = problem.point
        layer = torch_weights.LAYERS[point.cell](point.inputs, point.hidden)
        parameters = torch_weights.put(layer, problem.weights)

        def back(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
            return torch_weights.back(gradients, problem.weights)

        if point.group == "text":
            return character_model.run(problem, layer, parameters, back)
        if point.group == "step":
            return _step(problem, layer)
        return layer_run(problem, lambda x: layer(x)[0], parameters, back)


def _step(problem: Problem, layer: Tensor) -> Run:
    x, (h, *rest) = tensor(problem.x), [tensor(part)[None] for part in problem.state]
    state = (h, *rest) if rest else h

    def step() -> tuple[Tensor, list[Tensor]]:
        y, after = layer(x, state)
        return y[0], [part[0] for part in (after if rest else [after])]

    return step_run(step)
