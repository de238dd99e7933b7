"""torch.nn.RNN, GRU and LSTM, over whole sequences, over one step, on live states, and in the character model."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..problem import Problem
from . import character_model, torch_live, torch_weights
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
        if point.is_live:
            return torch_live.run(problem, layer, _state(problem), lambda x: tensor(x)[None])
        if point.group == "step":
            return _step(problem, layer)
        return layer_run(problem, lambda x: layer(x)[0], parameters, back)


def _state(problem: Problem) -> Any:
    """Return the first state as the layer takes it: [1, B, H] each, and not in a tuple where there is one alone."""
    h, *rest = (tensor(part)[None] for part in problem.state)
    return (h, *rest) if rest else h


def _step(problem: Problem, layer: nn.Module) -> Run:
    x, state = tensor(problem.x), _state(problem)

    def step() -> tuple[Tensor, list[Tensor]]:
        y, after = layer(x, state)
        return y[0], [part[0] for part in (after if isinstance(after, tuple) else [after])]

    return step_run(step)
