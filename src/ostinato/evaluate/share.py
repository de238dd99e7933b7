"""How much of a mean of two forecasts each should be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from .windows import Floats, Numbers


class Pair(NamedTuple):
    """Two forecasts of W windows and what came: series [W], the number of each window's series; first, second and truth
    [W, H, C], not-a-number where missing.
    """

    series: Numbers
    first: Floats
    second: Floats
    truth: Floats


def best_share(pairs: Iterable[Pair], num_series: int, channels: int) -> Floats:
    """Return the share s [C] of the first forecast that serves best, for each channel.

    Of y = s · first + (1 - s) · second each series asks for the s between 0 and 1 that has the least squared error; the
    share is the mean of what they ask for, so that no series counts more for being larger. 1 where nothing asks.
    """
    products, squares = np.zeros((2, num_series, channels))
    for series, first, second, truth in pairs:
        apart, left = first - second, truth - second
        is_known = ~np.isnan(apart + left)
        np.add.at(products, series, np.where(is_known, apart * left, 0).sum(axis=1))
        np.add.at(squares, series, np.where(is_known, apart**2, 0).sum(axis=1))
    asks = squares > 0
    each = np.clip(np.divide(products, squares, out=np.zeros_like(products), where=asks), 0, 1)
    count = asks.sum(axis=0)
    return np.asarray(np.where(count > 0, each.sum(axis=0) / np.maximum(count, 1), 1.0))
