"""What the contenders on torch share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..problem import Array, Problem
from .contender import Contender, Run


class TorchContender(Contender):
    """A contender whose threads are torch's."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        torch.set_num_threads(threads)


def tensor(values: Array) -> Tensor:
    """Return a copy of an array as a tensor."""
    return torch.tensor(values)


def array(values: Tensor) -> Array:
    """Return a tensor's values."""
    return values.detach().numpy()


def leaves(arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """Return tensors that gradients are taken of."""
    return {name: tensor(values).requires_grad_() for name, values in arrays.items()}


def forward_run(forward: Callable[[], Tensor]) -> Run:
    """Return the run of a forward pass alone."""

    def call() -> Tensor:
        with torch.no_grad():
            return forward()

    return Run(call, lambda: {"y": array(call())})


def training_run(
    forward: Callable[[], Tensor],
    inputs: Mapping[str, Tensor],
    d_y: Array,
    named: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = dict,
) -> Run:
    """Return the run of a forward and a backward pass.

    inputs: what gradients are taken of, by name. d_y: the output's gradient. named: turns gradients by those names
    into gradients by the names of the problem.
    """
    upstream, wanted = tensor(d_y), list(inputs.values())

    def call() -> tuple[Tensor, Sequence[Tensor]]:
        y = forward()
        return y, torch.autograd.grad(y, wanted, upstream)

    def arrays() -> dict[str, Array]:
        y, gradients = call()
        by_name = named(dict(zip(inputs, gradients, strict=True)))
        return {"y": array(y)} | {f"d_{name}": array(gradient) for name, gradient in by_name.items()}

    return Run(call, arrays)


def step_run(step: Callable[[], tuple[Tensor, Sequence[Tensor]]]) -> Run:
    """Return the run of one step, which gives its output [B, O] and the new states."""

    def call() -> Any:
        with torch.no_grad():
            return step()

    def arrays() -> dict[str, Array]:
        y, state = call()
        return {"y": array(y)[None]} | {f"state_{k}": array(part) for k, part in enumerate(state)}

    return Run(call, arrays)


def layer_run(problem: Problem, forward: Callable[[Tensor], Tensor], weights: Mapping[str, Tensor], named: Any) -> Run:
    """Return the run of a layer's group, forward alone or training. weights, named: as in `training_run`, without x."""
    x = tensor(problem.x)
    if problem.d_y is None:
        return forward_run(lambda: forward(x))
    x.requires_grad_()
    return training_run(
        lambda: forward(x), {"x": x, **weights}, problem.d_y, lambda given: {"x": given["x"], **named(given)}
    )
