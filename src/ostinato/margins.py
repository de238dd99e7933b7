"""A margin: what is said of one value by its quantiles at some levels, read between these levels and beyond them.

Quantiles are joined by straight lines over the normal score of their level, z = Φ⁻¹(level), and the last lines go on:
beyond the outermost levels, and between two of them, values are distributed as a part of a normal distribution is.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .quantile_functions import normal_probability, normal_quantile

Array = NDArray[Any]
LEVELS = tuple(NormalDist().cdf(tenth / 10) for tenth in range(-30, 31))
"""Levels, evenly spaced in their normal scores from −3 to 3, that stand for a whole margin; 0.5 is one of them."""


def read(quantiles: Array, levels: Sequence[float], at: ArrayLike) -> Array:
    """Return margins [..., N] at other levels [..., N], from quantiles [..., Q] that rise; Q is 2 or more."""
    scores, asked = normal_quantile(levels), normal_quantile(at)
    place = np.clip(np.searchsorted(scores, asked, side="right"), 1, len(scores) - 1)
    below, above = (np.take_along_axis(quantiles, each, axis=-1) for each in (place - 1, place))
    weight = (asked - scores[place - 1]) / (scores[place] - scores[place - 1])
    return np.asarray((1 - weight) * below + weight * above)


def probabilities(values: Array, quantiles: Array, levels: Sequence[float]) -> tuple[Array, Array]:
    """Return the probabilities of less than each value [...] and of no more than it, from quantiles [..., Q].

    They differ where margins stand still, as those of counts do.
    """
    is_less, is_least = quantiles < values[..., None], quantiles <= values[..., None]
    less, least = (_crossed(values, quantiles, levels, each.sum(axis=-1)) for each in (is_less, is_least))
    return normal_probability(less), normal_probability(least)


def _crossed(values: Array, quantiles: Array, levels: Sequence[float], count: Array) -> Array:
    """Return the normal scores at which margins reach values, given how many quantiles lie before them."""
    scores = normal_quantile(levels)
    place = np.clip(count, 1, len(scores) - 1)
    below, above = (np.take_along_axis(quantiles, each[..., None], axis=-1)[..., 0] for each in (place - 1, place))
    is_flat = ~(above > below)
    weight = (values - below) / np.where(is_flat, 1, above - below)
    found = scores[place - 1] + weight * (scores[place] - scores[place - 1])
    # A line that goes on without rising never reaches what lies beyond it.
    return np.where(is_flat, np.where(count == 0, -np.inf, np.inf), found)
