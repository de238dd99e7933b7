"""The torch network that learns to predict the next symbol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..architecture import SymbolArchitecture
from ..data.streams import Ids, StreamBatch, chunks, segments
from .noise import dropout
from .recurrent import Recurrent, State, detach

CHUNK = 256
"""Steps of a text that are scored at a time; bounds memory."""


class SymbolNetwork(nn.Module):
    """p(next symbol) = softmax(head(dropout(recurrent(embedding(symbol))))).

    Parameters are named as `SymbolArchitecture.weight_shapes` says. The embedding starts normal with deviation
    1, torch's default. dropout acts on the output of every recurrent layer, in training only.
    """

    def __init__(self, architecture: SymbolArchitecture, dropout: float = 0.0) -> None:
        super().__init__()
        sizes = architecture
        self.embedding = nn.Embedding(sizes.vocabulary_size, sizes.embedding_size)
        self.recurrent = Recurrent(
            sizes.cell,
            sizes.embedding_size,
            sizes.hidden_size,
            sizes.num_layers,
            dropout=dropout,
            widths=sizes.stack.further_widths,
        )
        self.head = nn.Linear(sizes.stack.output_size, sizes.vocabulary_size)
        self.dropout = dropout
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, state: Sequence[Any] | None = None) -> tuple[Tensor, State]:
        """Read symbols [T, B]; return scores (logits) [T, B, V] of each next symbol, and the state."""
        y, after = self.recurrent(self.embedding(ids), state)
        return self.head(dropout(y, self.dropout, self.training)), after

    def loss(self, batch: StreamBatch, state: Sequence[Any] | None) -> tuple[Tensor, State]:
        """Return the mean -log p (nats) of a batch's targets and the detached state after it."""
        inputs, targets = self._tensor(batch.inputs), self._tensor(batch.targets)
        logits, after = self(inputs, None if batch.starts else state)
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()), detach(after)

    @torch.no_grad()
    def nats(self, ids: Ids, progress: Callable[[float], None] = lambda done: None) -> float:
        """Return -log p of a text, as `SymbolRuntime.nats` does; leaves the training mode as it was."""
        inputs, targets, scored = segments(ids)
        was_training, state, total = self.training, None, 0.0
        self.eval()
        for part in chunks(len(inputs), CHUNK):
            logits, state = self(self._tensor(inputs[part]), state)
            counted = np.where(scored[part], targets[part], -100)
            total += nn.functional.cross_entropy(
                logits.flatten(0, 1), self._tensor(counted).flatten(), ignore_index=-100, reduction="sum"
            ).item()
            progress(part.stop / len(inputs))
        self.train(was_training)
        return total

    def _tensor(self, ids: Ids) -> Tensor:
        return torch.from_numpy(ids).to(self.head.weight.device)
