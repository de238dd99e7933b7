"""A model of symbol sequences over NumPy: embedding, recurrent stack, and a score for each next symbol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import SymbolArchitecture
from ..data.streams import Ids, chunks, segments
from .stack import Stack, State

Array = NDArray[Any]
CHUNK = 128
"""Steps of a text that are scored at a time; bounds memory."""


class SymbolRuntime:
    """Runs the weights of a symbol model: p(next symbol) = softmax(head · stack(embedding(symbol)) + bias).

    architecture: the sizes and the cell. weights: the arrays that `SymbolArchitecture.weight_shapes` names.
    """

    def __init__(self, architecture: SymbolArchitecture, weights: dict[str, Array]) -> None:
        self.embedding = weights["embedding.weight"]
        self.head = np.ascontiguousarray(weights["head.weight"].T)
        self.head_bias = weights["head.bias"]
        layers = [architecture.layer_weights(weights, index) for index in range(architecture.num_layers)]
        self.stack = Stack(architecture.cell, architecture.widths, layers)

    def initial_state(self, batch: int = 1) -> State:
        """Return the state before the first symbol of B sequences."""
        return self.stack.initial_state(batch)

    def read(self, ids: Ids, state: State) -> State:
        """Read symbols [T, B] and return the state after them."""
        for part in chunks(len(ids), CHUNK):
            _, state = self.stack.sequence(self.embedding[ids[part]], state)
        return state

    def step(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Read one symbol of each of B sequences; return scores (logits) [B, V] of the next, and the state."""
        y, state = self.stack.step(self.embedding[ids], state)
        return y @ self.head + self.head_bias, state

    def nats(self, ids: Ids, progress: Callable[[float], None] = lambda done: None) -> float:
        """Return -log p of a text: of every symbol but the first, given all symbols before it, summed.

        progress is told the share that is done.
        """
        inputs, targets, scored = segments(ids)
        state = self.initial_state(inputs.shape[1])
        total = 0.0
        for part in chunks(len(inputs), CHUNK):
            y, state = self.stack.sequence(self.embedding[inputs[part]], state)
            losses = _cross_entropy(y @ self.head + self.head_bias, targets[part])
            total += float(losses[scored[part]].sum(dtype=np.float64))
            progress(part.stop / len(inputs))
        return total


def _cross_entropy(logits: Array, targets: Ids) -> Array:
    """Return -log softmax(logits [T, B, V]) at the targets [T, B]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    result: Array = np.log(np.exp(shifted).sum(axis=-1)) - chosen
    return result
