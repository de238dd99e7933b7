"""A text that goes on for ever, read by a language model as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.vocabulary import Unknown
from ..runtime.symbols import cross_entropy

if TYPE_CHECKING:
    from .language import LanguageModel


class Reading(NamedTuple):
    """What a piece of text was to the model: its symbols, and the nats (-log p) of those that were predicted.

    scored: how many were; all but the very first symbol of a stream.
    """

    symbols: int
    scored: int
    nats: float


class TextStream:
    """Reads a text piece by piece, in constant memory: how surprising was each piece, and what comes next?

    unknown: what to do with characters that the model does not know, ``"error"`` or ``"skip"``.
    """

    def __init__(self, model: LanguageModel, unknown: Unknown = "error") -> None:
        self.vocabulary, self.unknown = model.vocabulary_, unknown
        self.stream = model.stream()

    def read(self, text: str | bytes) -> Reading:
        """Read a piece. Raises DataError for unknown characters; the stream is then as it was."""
        ids = self.vocabulary.encode(text, unknown=self.unknown)
        if not len(ids):
            return Reading(0, 0, 0.0)
        first = self.stream.peek()
        y = self.stream.extend(ids)
        scores = y[:-1] if first is None else np.concatenate([first[None], y[:-1]])
        targets = ids[len(ids) - len(scores) :]
        nats = cross_entropy(scores[:, None], targets[:, None]).sum(dtype=np.float64)
        return Reading(len(ids), len(scores), float(nats))

    def likeliest(self, count: int) -> list[tuple[str, float]]:
        """Return the likeliest next symbols and their probabilities; none before the first symbol."""
        scores = self.stream.peek()
        if scores is None:
            return []
        weights = np.exp(scores.astype(np.float64) - scores.max())
        best = np.argsort(-weights, kind="stable")[:count]
        return [(self.vocabulary.decode(np.array([symbol])), float(weights[symbol] / weights.sum())) for symbol in best]
