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


ENOUGH = 30
"""Windows that do not overlap, of which a channel's own share counts as much as the mean of all channels' shares. With
17 for each of 207 traffic sensors their own shares made the forecast worse than either, the mean better than both."""


def best_share(pairs: Iterable[Pair], num_series: int, channels: int, separate: float) -> Floats:
    """Return the share s [C] of the first forecast that serves best, for each channel.

    Of y = s · first + (1 - s) · second each series asks for the s between 0 and 1 that has the least squared error; a
    channel's share is the mean of what its series ask for, so that none counts more for being larger. 1 where nothing
    asks. Few windows tell little of one channel: its share is drawn to the mean of all.

    separate: how many windows of a series do not overlap.
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
    if not asks.any():
        return np.ones(channels)
    of_all = each.sum() / count.sum()
    own = np.where(count > 0, each.sum(axis=0) / np.maximum(count, 1), of_all)
    return np.asarray(of_all + (own - of_all) * separate / (separate + ENOUGH))
