"""A model of symbol sequences: embedding, recurrent stack, and a score for each next symbol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import SymbolArchitecture, below
from ..data.streams import Ids, chunks, segments
from .feedforward import Feedforward
from .model import Model
from .stack import Stack, State

Array = NDArray[Any]
CHUNK = 128
"""Steps of a text that are scored at a time; bounds memory."""


class SymbolRuntime(Model):
    """Scores (logits) of each next symbol: p(next symbol) = softmax(head · stack(embedding(symbol)) + bias).

    architecture: the sizes and the cell. weights: the arrays that `SymbolArchitecture.weight_shapes` names.
    """

    def __init__(self, architecture: SymbolArchitecture, weights: dict[str, Array]) -> None:
        self.stack = Stack(architecture.stack, below("recurrent", weights))
        head = Feedforward.linear(weights["head.weight"], weights["head.bias"])
        super().__init__([self.stack, head], weights["embedding.weight"])

    def skim(self, ids: Ids, state: State) -> State:
        """Read symbols [T, B] without scoring what follows; return the state after them."""
        for part in chunks(len(ids), CHUNK):
            _, state = self.stack.sequence(self._read(ids[part], "T B", 2), state)
        return state

    def nats(self, ids: Ids, progress: Callable[[float], None] = lambda done: None) -> float:
        """Return -log p of a text: of every symbol but the first, given all symbols before it, summed.

        progress is told the share that is done.
        """
        inputs, targets, scored = segments(ids)
        state = self.initial_state(inputs.shape[1])
        total = 0.0
        for part in chunks(len(inputs), CHUNK):
            logits, state = self.run(inputs[part], state=state)
            losses = cross_entropy(logits, targets[part])
            total += float(losses[scored[part]].sum(dtype=np.float64))
            progress(part.stop / len(inputs))
        return total


def cross_entropy(logits: Array, targets: Ids) -> Array:
    """Return -log softmax(logits [T, B, V]) at the targets [T, B]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]
    result: Array = np.log(np.exp(shifted).sum(axis=-1)) - chosen
    return result
