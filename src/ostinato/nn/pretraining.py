"""The torch network that reads text without labels, and hands its weights on to one that labels (Dai & Le 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..architecture import RecurrentArchitecture
from ..data.streams import StreamBatch
from ..label_architecture import LabelArchitecture
from .labels import EMBEDDING_DEVIATION
from .noise import dropout
from .recurrent import Recurrent, detach

Ids = NDArray[np.integer[Any]]


class ReadingBatch(NamedTuple):
    """What a step reads in each direction, and the units beside the right one that it tells it from [K]."""

    directions: list[StreamBatch]
    candidates: Ids


class ReadingNetwork(nn.Module):
    """Learns to say the next unit of a text, and where the classifier reads both ways the one before, too.

        score of unit v after step t = E_v · (P h_t) + b_v

    with the embedding E of what is read; h is the output of the first layer in that direction. Both directions share E
    and b, so they learn one embedding. A further unit V stands between two texts.

    Of all units only K + 1 are scored in a step: the right one, and candidates drawn more often the more frequent they
    are; each score less the logarithm of how likely its unit is to be scored at all, so that what is learned is what
    all units would teach (sampled softmax, Jean et al. 2015).

    counts: how often each unit occurs in training [V + 1]. dropout: of the inputs, the same features at all steps, and
    of what P puts out.
    """

    log_scored: Tensor

    def __init__(
        self, architecture: LabelArchitecture, counts: NDArray[np.int64], candidates: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = architecture.embedding
        assert sizes is not None
        self.dropout = dropout
        stack = reader_of(architecture)
        self.embedding = nn.Embedding(sizes.vocabulary_size + 1, sizes.size)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_DEVIATION)
        self.readers = nn.ModuleList(
            Recurrent(stack.cell, sizes.size, stack.hidden_size, widths=stack.further_widths)
            for _ in range(architecture.stack.num_directions)
        )
        self.heads = nn.ModuleList(nn.Linear(stack.output_size, sizes.size) for _ in self.readers)
        self.bias = nn.Parameter(torch.zeros(sizes.vocabulary_size + 1))
        chance = likelihoods(counts)
        scored = -np.expm1(candidates * np.log1p(-chance))
        self.register_buffer("log_scored", torch.from_numpy(np.log(scored)).float(), persistent=False)

    def loss(self, batch: ReadingBatch, state: Sequence[Any] | None) -> tuple[Tensor, list[Any]]:
        """Return the mean -log p of a batch's targets, among the candidates, and the detached state after it."""
        candidates = self._tensor(batch.candidates)
        losses: list[Tensor] = []
        after: list[Any] = []
        for place, (reader, head, read) in enumerate(zip(self.readers, self.heads, batch.directions, strict=True)):
            vectors = self.embedding(self._tensor(read.inputs))
            vectors = vectors * dropout(torch.ones_like(vectors[:1]), self.dropout, self.training)
            before = None if read.starts or state is None else [state[place]]
            y, final = reader(vectors, before)
            found = dropout(head(y).flatten(0, 1), self.dropout, self.training)
            losses.append(self._among(found, self._tensor(read.targets).flatten(), candidates))
            after.extend(detach(final))
        return torch.stack(losses).mean(), after

    def _among(self, found: Tensor, targets: Tensor, candidates: Tensor) -> Tensor:
        weight, shift = self.embedding.weight, self.bias - self.log_scored
        right = (found * weight[targets]).sum(1) + shift[targets]
        others = torch.addmm(shift[candidates], found, weight[candidates].T)
        # The right unit, where it is a candidate, is scored once.
        others = others.masked_fill(targets[:, None] == candidates, float("-inf"))
        return (torch.logaddexp(others.logsumexp(1), right) - right).mean()

    def _tensor(self, ids: Ids) -> Tensor:
        return torch.from_numpy(ids).to(self.bias.device)


def reader_of(architecture: LabelArchitecture) -> RecurrentArchitecture:
    """Return what reads in one direction: the classifier's first layer."""
    return msgspec.structs.replace(architecture.stack, num_layers=1, bidirectional=False)


def weight_shapes(architecture: LabelArchitecture) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of a `ReadingNetwork` by its name."""
    sizes, reader = architecture.embedding, reader_of(architecture)
    assert sizes is not None
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (sizes.vocabulary_size + 1, sizes.size),
        "bias": (sizes.vocabulary_size + 1,),
    }
    for direction in range(architecture.stack.num_directions):
        shapes |= {f"readers.{direction}.{name}": shape for name, shape in reader.weight_shapes().items()}
        shapes[f"heads.{direction}.weight"] = (sizes.size, reader.output_size)
        shapes[f"heads.{direction}.bias"] = (sizes.size,)
    return shapes


def handed_on(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of a `ReadingNetwork` by the names of the classifier's: the embedding, and its first layer's."""
    found = {"embedding.weight": weights["embedding.weight"][:-1]}
    for name, weight in weights.items():
        reader, _, own = name.partition(".layers.0.0.")
        if own:
            found[f"parts.0.layers.0.{reader.removeprefix('readers.')}.{own}"] = weight
    return found


def likelihoods(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how likely each unit is drawn as a candidate [V]: as the power ¾ of its count (Mikolov et al. 2013)."""
    powers = (counts + 1.0) ** 0.75
    return np.asarray(powers / powers.sum())
