"""Tags of words over NumPy: what `ostinato.nn.tags.TagNetwork` learns, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import stored
from ..architecture import below
from ..data.tag_sequences import WordsBatch
from ..data.units import Ids
from ..tag_architecture import TagArchitecture
from .crf import CRFRuntime
from .labels import LabelRuntime
from .softmax import softmax

Array = NDArray[Any]
ORDER = ("transitions", "first", "last")
"""The weights of a CRF that say how likely a tag follows another, and not whether it may."""


class TagRuntime:
    """Runs a `TagArchitecture` over batches; equal bits for a sentence alone or in any company.

    weights: the arrays that `TagArchitecture.weight_shapes` names.
    """

    def __init__(self, architecture: TagArchitecture, weights: Mapping[str, Any]) -> None:
        self.network = LabelRuntime(architecture.network, below("network", weights))
        self.outputs = architecture.outputs
        self._features = weights.get("features.weight")
        self._paths = self._order = None
        if architecture.crf:
            crf = below("crf", weights)
            self._paths = CRFRuntime(crf)
            self._order = CRFRuntime({"legal": crf["legal"]} | {name: 0 * crf[name] for name in ORDER})

    def emissions(self, batch: WordsBatch) -> Array:
        """Return a score for each tag of each word [T, B, O]; what lies beyond a length has no meaning."""
        scores = self.network.scores(batch.sequences)
        if self._features is None or batch.features is None:
            return scores
        return scores + _summed(self._features, batch.features)

    def log_probabilities(self, batch: WordsBatch) -> Array:
        """Return log p of each tag of each word [T, B, O], float64; what lies beyond a length has no meaning.

        Where paths are scored, p is the sum of the probabilities of all paths that have the tag there.
        """
        emissions = self.emissions(batch)
        if self._paths is None:
            return softmax(emissions.astype(np.float64), log=True)
        with np.errstate(divide="ignore"):
            return np.log(self._paths.marginals(emissions, batch.sequences.lengths))

    def best(self, log_p: Array, lengths: Array) -> Array:
        """Return the tags with the largest sum of log p [T, B, O] in each sentence [T, B]; of what is legal, by a CRF.

        Of two tags that are as likely it is the first.
        """
        return log_p.argmax(axis=-1) if self._order is None else self._order.best(log_p, lengths)[0]


def _summed(weights: Any, features: Ids) -> Array:
    """Return the sum of the weights of each word's features [T, B, O], one feature after the other."""
    total = stored.take(weights, features[..., 0])
    for feature in range(1, features.shape[-1]):
        total = total + stored.take(weights, features[..., feature])
    return total
