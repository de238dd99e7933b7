"""The right answer: a problem in float64, by equations of its own for what everybody has, and for the other cells
by Ostinato's interpreter, whose cells are compared with their papers in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ostinato.engine.interpreter import Interpreter
from ostinato.engine.torch import LIBRARY

from ..grid import KINDS, LINEAR_CELLS
from ..problem import Array, Problem
from . import linear
from .contender import Run
from .live import written
from .torch_linear import linear_run
from .torch_tools import TorchContender, array

State = tuple[Tensor, ...]


class Reference(TorchContender):
    """Gives arrays; its time means nothing."""

    def prepare(self, problem: Problem) -> Run:
        problem = _double(problem)
        cell = problem.point.cell
        if cell in LINEAR_CELLS and problem.point.group in ("whole", "alone"):
            return linear_run(problem, lambda x, raw, w: linear.loop(*linear.coefficients(cell, x, raw, w)))

        def arrays() -> dict[str, Array]:
            return _write(problem) if problem.point.group == "generation" else _solve(problem)

        return Run(arrays, arrays)


def _double(problem: Problem) -> Problem:
    def double(values: Any) -> Any:
        return values if values is None or values.dtype.kind == "i" else values.astype(np.float64)

    return Problem(
        problem.point,
        {name: double(values) for name, values in problem.weights.items()},
        double(problem.x),
        double(problem.d_y),
        tuple(map(double, problem.state)),
        problem.lengths,
    )


def _write(problem: Problem) -> dict[str, Array]:
    """Return what is written after the first symbol, the likeliest each time."""
    weights = {name: torch.tensor(values) for name, values in problem.weights.items()}
    symbol = torch.tensor(problem.x[0])
    state: State = tuple(map(torch.tensor, problem.state))
    symbols = []
    for _ in range(problem.point.steps):
        x = functional.embedding(symbol, weights["embedding"])
        state = _STEPS[problem.point.cell](x @ weights["W"].T + weights["W_bias"], state, weights)
        symbol = functional.linear(state[0], weights["head"], weights["head_bias"]).argmax(-1)
        symbols.append(symbol)
    return written(array(torch.stack(symbols)))


def _solve(problem: Problem) -> dict[str, Array]:
    group = problem.point.group
    weights = {name: torch.tensor(values).requires_grad_() for name, values in problem.weights.items()}
    x = torch.tensor(problem.x).requires_grad_(group != "text")
    entered = functional.embedding(x[:-1], weights["embedding"]) if group == "text" else x
    run = _equations if problem.point.cell in KINDS else _interpreted
    y, state = run(problem, weights, entered)
    if problem.mask is not None:
        y = y * torch.tensor(problem.mask)
    if group == "text":
        y = functional.linear(y, weights["head"], weights["head_bias"])
    found = {"y": array(y)}
    if group == "step":
        found |= {f"state_{k}": array(part) for k, part in enumerate(state)}
    if problem.d_y is not None:
        target = functional.cross_entropy(y.flatten(0, 1), x[1:].flatten()) if group == "text" else None
        value = (y * torch.tensor(problem.d_y)).sum() if target is None else target
        named = weights if group == "text" else {"x": x, **weights}
        gradients = torch.autograd.grad(value, list(named.values()))
        found |= {f"d_{name}": array(gradient) for name, gradient in zip(named, gradients, strict=True)}
    return found


def _interpreted(problem: Problem, weights: dict[str, Tensor], x: Tensor) -> tuple[Tensor, State]:
    steps, batch, inputs = x.shape
    rows = x.reshape(steps * batch, inputs)
    state = [torch.tensor(part) for part in problem.state]
    y, final = Interpreter(problem.program, weights, LIBRARY, rows).sequence(rows, (batch,) * steps, state)
    return y.reshape(steps, batch, -1), tuple(final)


# ---- the equations of the kinds that everybody has; gates stacked as torch stacks them


def _equations(problem: Problem, weights: dict[str, Tensor], x: Tensor) -> tuple[Tensor, State]:
    step = _STEPS[problem.point.cell]
    state: State = tuple(torch.tensor(part) for part in problem.state)
    outputs = []
    for x_t in x @ weights["W"].T + weights["W_bias"]:
        state = step(x_t, state, weights)
        outputs.append(state[0])
    return torch.stack(outputs), state


def _elman(x: Tensor, state: State, weights: dict[str, Tensor]) -> State:
    return (torch.tanh(x + state[0] @ weights["R"].T),)


def _gru(x: Tensor, state: State, weights: dict[str, Tensor]) -> State:
    (h,) = state
    (x_r, x_z, x_n), (h_r, h_z, h_n) = x.chunk(3, dim=-1), (h @ weights["R"].T).chunk(3, dim=-1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    return ((1 - z) * torch.tanh(x_n + r * (h_n + weights["R_bias"])) + z * h,)


def _lstm(x: Tensor, state: State, weights: dict[str, Tensor]) -> State:
    h, c = state
    i, f, g, o = (x + h @ weights["R"].T).chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


_STEPS: dict[str, Callable[[Tensor, State, dict[str, Tensor]], State]] = {"elman": _elman, "gru": _gru, "lstm": _lstm}
