"""The torch network that learns to tag the words of sentences."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.tag_schemes import Legal
from ..data.tag_sequences import WordsBatch
from ..tag_architecture import TagArchitecture
from .crf import CRF
from .labels import LabelNetwork, Noise


class Tagged(NamedTuple):
    """A batch with its tags [T, B], 0 beyond each length; numbers: of the sentences."""

    words: WordsBatch
    tags: NDArray[Any]
    numbers: NDArray[Any]


class TagNetwork(nn.Module):
    """What `TagArchitecture` says, in torch; parameters are named as its `weight_shapes` says.

    legal: which tag may follow which, where there is a CRF; by default any. smoothing: the share of the truth that is
    spread evenly over all tags (Szegedy et al. 2016), where there is none. The weights of features start at zero.
    """

    def __init__(
        self,
        architecture: TagArchitecture,
        noise: Noise = Noise(),  # noqa: B008 - a constant
        legal: Legal | None = None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        tags, buckets = architecture.outputs, architecture.buckets
        self.network = LabelNetwork(architecture.network, noise)
        self.features = nn.EmbeddingBag(buckets, tags, mode="sum") if buckets else None
        self.crf = CRF(tags, legal) if architecture.crf else None
        self.smoothing = smoothing
        if self.features is not None:
            nn.init.zeros_(self.features.weight)

    def forward(self, batch: WordsBatch) -> Tensor:
        """Return emissions [T, B, O]: a score for each tag of each word; what lies beyond a length has no meaning."""
        emissions: Tensor = self.network(batch.sequences)
        if self.features is None or batch.features is None:
            return emissions
        found = self.network.tensor(batch.features)
        added: Tensor = self.features(found.flatten(0, 1)).view_as(emissions)
        return emissions + added

    def loss(self, batch: Tagged, state: Any) -> tuple[Tensor, None]:
        """Return the mean -log p of a word's tag, as it is trained on, and no state."""
        total, words = self.losses(batch, self.smoothing)
        return total / max(words, 1), None

    def losses(self, batch: Tagged, smoothing: float = 0.0) -> tuple[Tensor, int]:
        """Return the sum of -log p of all words' tags, or of all sentences' paths, and how many words there are."""
        emissions, lengths = self(batch.words), batch.words.sequences.lengths
        tags, words = self.network.tensor(batch.tags), int(lengths.sum())
        if self.crf is not None:
            return -self.crf(emissions, tags, lengths).sum(), words
        live = torch.arange(len(tags))[:, None] < torch.from_numpy(lengths)
        live = live.to(emissions.device)
        loss = nn.functional.cross_entropy(emissions[live], tags[live], reduction="sum", label_smoothing=smoothing)
        return loss, words
