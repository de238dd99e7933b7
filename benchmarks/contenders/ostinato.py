"""Ostinato: `ostinato.nn.Recurrent` for training, `ostinato.engine.prepare` without gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ostinato import engine
from ostinato.nn import Recurrent

from ..problem import Array, Problem, all_widths
from . import character_model
from .contender import Run
from .linear import with_diagonal_input
from .torch_tools import TorchContender, layer_run, leaves, tensor, training_run


class Ostinato(TorchContender):
    """The layer, the prepared program, or the bare recurrence."""

    def prepare(self, problem: Problem) -> Run:
        if problem.point.group == "step":
            return _step(problem)
        if problem.point.group == "alone":
            return _alone(problem)
        if not problem.point.is_training:
            return _forward(problem)
        layer = _layer(problem)
        parameters = layer.layers[0][0].named()
        if problem.point.group == "text":
            return character_model.run(problem, layer, parameters, dict)
        lengths = None if problem.lengths is None else tensor(problem.lengths)
        return layer_run(problem, lambda x: layer(x, lengths=lengths)[0], parameters, _weights_of)


def _layer(problem: Problem) -> Recurrent:
    point, program = problem.point, problem.program
    widths = {k: v for k, v in all_widths(program, point.hidden).items() if k != "H"}
    layer = Recurrent(point.cell, point.inputs, point.hidden, widths=widths)
    with torch.no_grad():
        for name, parameter in layer.layers[0][0].named().items():
            parameter.copy_(tensor(problem.weights[name]))
    return layer


def _weights_of(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: gradient for name, gradient in gradients.items() if name != "x"}


def _forward(problem: Problem) -> Run:
    prepared = engine.prepare(problem.program, problem.weights)

    def call() -> Array:
        return prepared.sequence(problem.x, problem.state, problem.lengths)[0]

    return Run(call, lambda: {"y": call()})


def _step(problem: Problem) -> Run:
    prepared = engine.prepare(problem.program, problem.weights)
    x, state = problem.x[0], problem.state

    def call() -> Any:
        return prepared.step(x, state)

    def arrays() -> dict[str, Array]:
        y, after = call()
        return {"y": y[None]} | {f"state_{k}": part for k, part in enumerate(after)}

    return Run(call, arrays)


def _alone(problem: Problem) -> Run:
    program = with_diagonal_input(problem.program)
    given = leaves({"x": problem.x, **problem.weights})
    weights = {name: given[name] for name in problem.weights}
    state = [tensor(part) for part in problem.state]
    assert problem.d_y is not None
    return training_run(lambda: engine.sequence(program, weights, given["x"], state)[0], given, problem.d_y)
