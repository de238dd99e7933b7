"""A classifier of reviews in torch.nn, as a good script has it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .classification_script import Array, Encoded, Setting, by_length, drawn, padded


class Network(nn.Module):
    """Embedding, one bidirectional layer, pooling over the words of a text, dropout, a score for each of two classes.

    packed: whether the layer reads a `PackedSequence`. Without, its second direction begins with what pads a text,
    which is quicker where texts are as long as each other, and not quite the same model.
    """

    def __init__(self, setting: Setting, symbols: int, packed: bool) -> None:
        super().__init__()
        self.setting, self.packed = setting, packed
        self.embedding = nn.Embedding(symbols, setting.embedding_size)
        nn.init.normal_(self.embedding.weight, std=setting.embedding_deviation)
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[setting.kind]
        self.layer = layer(setting.embedding_size, setting.hidden_size, bidirectional=True)
        self.dropout = nn.Dropout(setting.dropout)
        self.head = nn.Linear(2 * setting.hidden_size * len(setting.pooling), 2)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Read words [T, B] and return scores [B, 2]."""
        x = self.embedding(ids)
        if self.packed:
            y, _ = self.layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
            y, _ = pad_packed_sequence(y)
        else:
            y, _ = self.layer(x)
        is_there = (torch.arange(len(ids))[:, None] < lengths)[..., None]
        pooled = {
            "max": lambda: y.masked_fill(~is_there, -torch.inf).amax(0),
            "mean": lambda: (y * is_there).sum(0) / lengths[:, None],
        }
        return self.head(self.dropout(torch.cat([pooled[name]() for name in self.setting.pooling], dim=1)))


class TorchClassifier:
    """Trains a network and predicts with it."""

    def __init__(self, setting: Setting, symbols: int, packed: bool = True) -> None:
        torch.manual_seed(setting.seed)
        torch.set_num_threads(setting.threads)
        self.setting = setting
        self.network = Network(setting, symbols, packed)

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return sum(weight.numel() for weight in self.network.parameters())

    def fit(self, train: Encoded, valid: Encoded) -> None:
        """Train for as many epochs as are set, and go on with the weights of the least held-out loss."""
        setting, network = self.setting, self.network
        random = np.random.default_rng(setting.seed)
        steps = setting.epochs * -(-len(train.rows) // setting.batch_size)
        optimiser = torch.optim.AdamW(
            network.parameters(), setting.learning_rate, betas=setting.betas, weight_decay=setting.decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
        best: tuple[float, dict[str, Any]] = (float("inf"), {})
        for _ in range(setting.epochs):
            network.train()
            for numbers in drawn(train.lengths, setting.batch_size, random):
                loss = self._losses(train, numbers).mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), setting.clip_norm)
                optimiser.step()
                schedule.step()
            held_out = self._held_out(valid)
            if held_out < best[0]:
                best = held_out, copy.deepcopy(network.state_dict())
        network.load_state_dict(best[1])

    def predict(self, rows: list[Array]) -> Array:
        """Return the likelier class of each text [S]."""
        found = np.empty(len(rows), np.int64)
        self.network.eval()
        with torch.inference_mode():
            for numbers in by_length(np.array([len(row) for row in rows]), self.setting.judged_size):
                found[numbers] = self._scores([rows[number] for number in numbers]).argmax(1).numpy()
        return found

    def _held_out(self, valid: Encoded) -> float:
        self.network.eval()
        with torch.inference_mode():
            batches = by_length(valid.lengths, self.setting.judged_size)
            return sum(float(self._losses(valid, numbers).sum()) for numbers in batches)

    def _losses(self, examples: Encoded, numbers: Array) -> Tensor:
        scores = self._scores([examples.rows[number] for number in numbers])
        return nn.functional.cross_entropy(scores, torch.from_numpy(examples.labels[numbers]), reduction="none")

    def _scores(self, rows: list[Array]) -> Tensor:
        ids, lengths = padded(rows)
        scores: Tensor = self.network(torch.from_numpy(ids.T), torch.from_numpy(lengths))
        return scores
