"""Linear recurrences in plain torch, gradients by autograd: a loop and two scans."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from ..problem import Problem
from . import linear
from .contender import Refused, Run
from .torch_tools import TorchContender, leaves, training_run

Recur = Callable[[dict[str, Tensor], Tensor, dict[str, Tensor]], Tensor]


def linear_run(problem: Problem, recur: Recur) -> Run:
    """Return the run of a layer, or of its recurrence alone.

    recur: y [T, B, H] of the gates' inputs [T, B, H], the raw input [T, B, D] and the weights.
    """
    gates = problem.program.input_gates
    given = leaves({"x": problem.x, **problem.weights})

    def enter(x: Tensor) -> dict[str, Tensor]:
        if problem.point.group == "alone":
            return {gate: x * given[f"p_in_{gate}"] for gate in gates}
        projected = functional.linear(x, given["W"], given["W_bias"])
        return dict(zip(gates, projected.chunk(len(gates), dim=-1), strict=True))

    assert problem.d_y is not None
    return training_run(lambda: recur(enter(given["x"]), given["x"], given), given, problem.d_y)


class TorchLoop(TorchContender):
    """Coefficients for all steps at once, then a Python loop."""

    def prepare(self, problem: Problem) -> Run:
        cell = problem.point.cell
        return linear_run(problem, lambda x, raw, w: linear.loop(*linear.coefficients(cell, x, raw, w)))


class TorchDoubling(TorchContender):
    """Coefficients for all steps at once, then log2(T) passes."""

    def prepare(self, problem: Problem) -> Run:
        cell = problem.point.cell
        return linear_run(problem, lambda x, raw, w: linear.doubling(*linear.coefficients(cell, x, raw, w)))


class TorchLogScan(TorchContender):
    """The scan in logarithms, which needs positive coefficients."""

    def prepare(self, problem: Problem) -> Run:
        if problem.point.cell != "min_gru":
            raise Refused("b is of either sign, and has no logarithm")
        return linear_run(problem, lambda x, raw, w: linear.log_scan(x["z"], x["n"]))
