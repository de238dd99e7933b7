"""The torch network that learns to label sequences, or their steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.sequences import SequenceBatch
from ..data.vectors import Vectors
from ..label_architecture import LabelArchitecture
from .chain import ChainNetwork
from .noise import drawn, dropout


class Noise(NamedTuple):
    """What is dropped in training, each the probability of it.

    units: a step's embedding, whole, as if the word were unknown. inputs: of what the stack reads, the same features at
    all steps of a sequence (Gal & Ghahramani 2016). outputs: of what the head reads and between layers. recurrent: as
    `Recurrent` has it. added: no probability, but the deviation of the normal noise that is added to numbers.
    """

    units: float = 0.0
    inputs: float = 0.0
    outputs: float = 0.0
    recurrent: float = 0.0
    added: float = 0.0


EMBEDDING_DEVIATION = 0.1
"""Of an embedding when it starts. With 1, torch's own, sentences of SST-2 were told apart at 0.735 instead of 0.808:
what a word was drawn as says more then than what is learned of it."""


class LabelNetwork(ChainNetwork):
    """What `LabelArchitecture` says, in torch; parameters are named as its `weight_shapes` says.

    Embeddings of units start normal with deviation 0.1.
    """

    def __init__(self, architecture: LabelArchitecture, noise: Noise = Noise()) -> None:  # noqa: B008 - a constant
        super().__init__(architecture.chain, noise.outputs, noise.recurrent)
        self.noise = noise
        sizes, speller = architecture.embedding, architecture.speller
        if sizes is not None and self.embedding is None:
            self.embedding = nn.Embedding(sizes.vocabulary_size, sizes.size)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=EMBEDDING_DEVIATION)
        self.speller = None if speller is None else ChainNetwork(speller)

    def forward(self, batch: SequenceBatch) -> Tensor:  # type: ignore[override]
        """Return scores (logits): [B, K], one row a sequence, or [T, B, K] where each step has its own."""
        return self.after_embedding(self._read(batch), batch.lengths)

    def _read(self, batch: SequenceBatch) -> Tensor:
        """Return the vectors that the stack reads [T, B, D]."""
        x = self.tensor(batch.x)
        noise = self.noise
        if self.embedding is not None:
            x = self.embedding(x)
            if self.training and noise.units:
                x = x * drawn(1 - noise.units, (*x.shape[:2], 1), x)
        elif self.training and noise.added:
            x = x + noise.added * torch.randn_like(x)
        if self.speller is not None and batch.spelled is not None:
            words = self.speller(self.tensor(batch.spelled.letters), batch.spelled.lengths)
            x = torch.cat([x, words[self.tensor(batch.spelled.words)]], dim=-1)
        if self.training and noise.inputs:
            x = x * dropout(x.new_ones(1, *x.shape[1:]), noise.inputs, True)
        return x

    @torch.no_grad()
    def start_at(self, vectors: Vectors) -> None:
        """Let the embeddings of words begin at their vectors, where a file had them."""
        assert self.embedding is not None
        rows = torch.from_numpy(np.flatnonzero(vectors.found))
        self.embedding.weight[rows] = torch.from_numpy(vectors.matrix[vectors.found])

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """Return an array as a tensor beside the weights."""
        return torch.from_numpy(array).to(next(self.parameters()).device)


class Labelled(NamedTuple):
    """A batch with what is true of it: classes [B], or which of K classes apply [B, K]; numbers: of the examples."""

    sequences: SequenceBatch
    truth: NDArray[Any]
    numbers: NDArray[Any]


class ClassifierNetwork(LabelNetwork):
    """A network that scores sequences, with the loss that it learns by.

    shares: how frequent each class is among those learned from [K], where all classes are to count alike; or None.
    smoothing: the share of the truth that is spread evenly over all classes (Szegedy et al. 2016).

    Where each example is of one class, classes count alike by logit adjustment (Menon et al. 2021): the loss is that of
    score + log share, so that a score is what is left when all classes are as frequent. To weigh examples instead
    makes the few of a rare class learned by heart: names of 18 languages were told apart less well so. Where several
    classes may apply, an example counts (1 - share) / share times where the class applies.
    """

    shares: Tensor | None

    def __init__(
        self,
        architecture: LabelArchitecture,
        noise: Noise = Noise(),  # noqa: B008 - a constant
        shares: NDArray[Any] | None = None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__(architecture, noise)
        self.smoothing = smoothing
        given = None if shares is None else torch.as_tensor(shares, dtype=torch.float32)
        self.register_buffer("shares", given, persistent=False)

    def loss(self, batch: Labelled, state: Any) -> tuple[Tensor, None]:
        """Return the mean loss of a batch, as it is trained on, and no state."""
        return self.losses(batch, self.smoothing).mean(), None

    def losses(self, batch: Labelled, smoothing: float = 0.0) -> Tensor:
        """Return -log p of what is true of each sequence [B].

        Where several classes may apply it is the mean over the classes of -log p that each does or does not.
        """
        logits, truth, shares = self(batch.sequences), self.tensor(batch.truth), self.shares
        if truth.dim() == 1:
            scores = logits if shares is None else logits + shares.log()
            return nn.functional.cross_entropy(scores, truth, reduction="none", label_smoothing=smoothing)
        aim = truth.to(logits.dtype) * (1 - smoothing) + smoothing / 2
        counts = None if shares is None else (1 - shares) / shares
        each = nn.functional.binary_cross_entropy_with_logits(logits, aim, reduction="none", pos_weight=counts)
        return each.mean(1)
