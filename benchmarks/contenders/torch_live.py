"""Live states in torch: a module's step, alone or between an embedding and a linear layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..problem import Array, Problem
from .contender import Run
from .live import Push, live_run
from .torch_tools import tensor

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""y and the state after it, of x and the state before it."""


def run(problem: Problem, step: Step, start: Any, given: Callable[[Array], Tensor] = tensor) -> Run:
    """Return the run of a live group, each step under inference mode. start: the first state. given: as `live_run`."""
    advance = _to_symbols(problem, step) if problem.point.group == "generation" else step

    def begin() -> Push:
        state = start

        def push(x: Tensor) -> Tensor:
            nonlocal state
            with torch.inference_mode():
                y, state = advance(x, state)
                return y

        return push

    return live_run(problem, begin, given)


def _to_symbols(problem: Problem, step: Step) -> Step:
    """Return a step that reads a symbol and gives the likeliest one after it."""
    embedding, head, bias = (tensor(problem.weights[name]) for name in ("embedding", "head", "head_bias"))

    def advance(symbol: Tensor, state: Any) -> tuple[Tensor, Any]:
        y, state = step(functional.embedding(symbol, embedding), state)
        return functional.linear(y, head, bias).argmax(-1), state

    return advance
