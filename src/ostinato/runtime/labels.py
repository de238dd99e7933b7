"""Scores of classes, over NumPy: what `ostinato.nn.labels.LabelNetwork` learns, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import stored
from ..architecture import below
from ..data.sequences import SequenceBatch
from ..label_architecture import LabelArchitecture
from .model import Model

Array = NDArray[Any]


class LabelRuntime:
    """Runs a `LabelArchitecture` over batches; equal bits for a sequence alone or in any company.

    weights: the arrays that `LabelArchitecture.weight_shapes` names. model: what reads embedded, or plain, input; it
    steps and streams by itself where words are not spelled.
    """

    def __init__(self, architecture: LabelArchitecture, weights: Mapping[str, Array]) -> None:
        speller = architecture.speller
        self.model = Model.of(architecture.chain, weights if speller is None else _without_embedding(weights))
        self._speller = None if speller is None else Model.of(speller, below("speller", weights))
        self._embedding = weights.get("embedding.weight")

    def scores(self, batch: SequenceBatch) -> Array:
        """Return scores (logits): [B, K], one row a sequence, or [T, B, K] where each step has its own."""
        x: Array = batch.x
        if self._speller is not None:
            assert self._embedding is not None
            assert batch.spelled is not None
            words, _ = self._speller.run(batch.spelled.letters, batch.spelled.lengths)
            x = np.concatenate([stored.take(self._embedding, batch.x), words[batch.spelled.words]], axis=-1)
        return self.model.run(x, batch.lengths)[0]


def _without_embedding(weights: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array for name, array in weights.items() if name != "embedding.weight"}
