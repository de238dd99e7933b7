"""The figures in which a model of text and its baselines are compared."""

from __future__ import annotations

import math

from ..errors import DataError

FIGURES = ("nats_per_character", "bits_per_character", "perplexity")
_LARGEST_EXPONENT = 709.0


def figures(nats: float, characters: int) -> dict[str, float]:
    """Return nats and bits a character, and the perplexity exp(nats a character), of a text's total nats.

    characters: how many were scored; characters for a model of bytes too, so that both compare. The
    perplexity is at most exp(709), so that it stays a number that JSON can hold.

    Raises DataError when nothing was scored.
    """
    if characters < 1:
        raise DataError(
            "the text is too short to score: its first symbol is only read.", "give a text of two characters or more."
        )
    rate = nats / characters
    return dict(zip(FIGURES, (rate, rate / math.log(2), math.exp(min(rate, _LARGEST_EXPONENT))), strict=True))
