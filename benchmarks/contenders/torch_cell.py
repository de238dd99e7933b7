"""torch.nn.RNNCell, GRUCell and LSTMCell, over one step and on live states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..problem import Problem
from . import torch_live, torch_weights
from .contender import Run
from .torch_tools import TorchContender, step_run, tensor


class TorchCell(TorchContender):
    """The cell as it comes."""

    def prepare(self, problem: Problem) -> Run:
        point = problem.point
        cell = torch_weights.CELLS[point.cell](point.inputs, point.hidden)
        torch_weights.put(cell, problem.weights)
        if point.is_live:
            return _live(problem, cell)
        x, (h, *rest) = tensor(problem.x)[0], [tensor(part) for part in problem.state]
        state = (h, *rest) if rest else h

        def step() -> tuple[Tensor, Sequence[Tensor]]:
            after = cell(x, state)
            return (after[0], after) if rest else (after, [after])

        return step_run(step)


def _live(problem: Problem, cell: nn.Module) -> Run:
    h, *rest = map(tensor, problem.state)

    def step(x: Tensor, state: Any) -> tuple[Tensor, Any]:
        after = cell(x, state)
        return (after[0] if rest else after), after

    return torch_live.run(problem, step, (h, *rest) if rest else h)
