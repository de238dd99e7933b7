"""The model of examples/char_lm.py around any recurrent layer, and one step of its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..grid import VOCABULARY
from ..problem import Array, Problem
from .contender import Run
from .torch_tools import array, tensor

DROPOUT = 0.3
LEARNING_RATE = 0.003


class CharacterModel(nn.Module):
    """Embedding, a layer that returns (y, state), dropout, and a head."""

    def __init__(self, layer: nn.Module, inputs: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, inputs)
        self.recurrent = layer
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(hidden, VOCABULARY))

    def forward(self, ids: Tensor) -> Tensor:
        """Return scores [T, B, V] of what follows symbols [T, B]."""
        scores: Tensor = self.head(self.recurrent(self.embedding(ids))[0])
        return scores


def run(
    problem: Problem,
    layer: nn.Module,
    parameters: Mapping[str, Tensor],
    named: Callable[[dict[str, Tensor]], Mapping[str, Tensor]],
) -> Run:
    """Return the run of a training step; it is checked without dropout and before it learns.

    parameters: the layer's, by any name. named: their gradients by the names of the problem.
    """
    model = CharacterModel(layer, problem.point.inputs, problem.point.hidden)
    own = {"embedding": model.embedding.weight, "head": model.head[1].weight, "head_bias": model.head[1].bias}
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(tensor(problem.weights[name]))
    start = {name: value.clone() for name, value in model.state_dict().items()}
    inputs, targets = tensor(problem.x[:-1]), tensor(problem.x[1:])
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)

    def call() -> Tensor:
        model.train()
        loss = _loss(model(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return loss

    def arrays() -> dict[str, Array]:
        model.load_state_dict(start)
        model.eval()
        scores = model(inputs)
        everything: dict[str, Any] = {**parameters, **own}
        gradients = torch.autograd.grad(_loss(scores, targets), list(everything.values()))
        given = dict(zip(everything, gradients, strict=True))
        by_name = {**named({name: given[name] for name in parameters}), **{name: given[name] for name in own}}
        return {"y": array(scores)} | {f"d_{name}": array(gradient) for name, gradient in by_name.items()}

    return Run(call, arrays)


def _loss(scores: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten())
