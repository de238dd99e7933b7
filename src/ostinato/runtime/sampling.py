"""Drawing the next symbol from scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError


@dataclass(frozen=True)
class Sampling:
    """How to draw: p ∝ exp(score / temperature), over the symbols that remain.

    temperature: below 1 sharper, above 1 flatter; 0 always takes the likeliest. top_k: only the k
    likeliest remain. top_p: only the fewest that together have at least probability p remain (nucleus
    sampling, Holtzman et al. 2020). Both may be given; top_k acts first.

    Raises OptionError for figures out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise OptionError(f"temperature must be a number of at least 0, not {self.temperature}.")
        if self.top_k is not None and self.top_k < 1:
            raise OptionError(f"top_k must be at least 1, not {self.top_k}.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise OptionError(f"top_p must be more than 0 and at most 1, not {self.top_p}.")

    def draw(self, scores: NDArray[Any], random: np.random.Generator) -> int:
        """Return a symbol drawn by its score (logit) among scores [V]."""
        if self.temperature == 0 or self.top_k == 1:
            return int(scores.argmax())
        kept = self._kept(scores)
        chosen = (scores if kept is None else scores[kept]).astype(np.float64)
        # What is further below the largest than this has no share, and might overflow when divided.
        below = np.maximum(chosen - chosen.max(), -1e3 * self.temperature)
        share = np.cumsum(np.exp(below / self.temperature))
        if self.top_p is not None:
            share = share[: int(np.searchsorted(share, self.top_p * share[-1])) + 1]
        drawn = min(int(np.searchsorted(share, random.random() * share[-1], side="right")), len(share) - 1)
        return drawn if kept is None else int(kept[drawn])

    def _kept(self, scores: NDArray[Any]) -> NDArray[Any] | None:
        """Return the symbols that top_k and top_p may leave, likeliest first; None for all, in their own order."""
        if self.top_k is None and self.top_p is None:
            return None
        return np.argsort(-scores, kind="stable")[: self.top_k]
