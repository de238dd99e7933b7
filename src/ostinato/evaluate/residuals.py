"""By how much forecasts of validation windows were off, which is what intervals around later ones are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .windows import Floats, Numbers, Range

RESIDUAL_WINDOWS = 500
"""Errors of so many validation windows, spread evenly, stand for all; more would sharpen no quantile by much."""
RESIDUAL_VALUES = 16_000_000
"""Where windows are large there are fewer, so that they have no more values than this, or 50 windows."""


def most_windows(values: int) -> int:
    """Return how many windows are looked at that have so many values each."""
    return max(50, min(RESIDUAL_WINDOWS, RESIDUAL_VALUES // values))


def spread(ranges: list[Range], lookback: int, horizon: int, most: int) -> tuple[Numbers, Numbers]:
    """Return series and origin of up to `most` windows [R], spread evenly over all that lie in the ranges."""
    counts = np.array([max(last - first - lookback - horizon + 1, 0) for first, last in ranges])
    ends = np.cumsum(counts)
    picked = np.unique(np.linspace(0, ends[-1] - 1, min(int(ends[-1]), most)).astype(np.int64))
    series = np.searchsorted(ends, picked, side="right")
    firsts = np.array([first for first, _ in ranges])
    return series, picked - (ends - counts)[series] + firsts[series] + lookback


def lookback_scale(held: Floats) -> Floats:
    """Return the scale of lookbacks off their last values [W, 1, C]."""
    return np.asarray(np.sqrt(((held - held[:, -1:]) ** 2).mean(axis=1, keepdims=True)))


def quantiles_of(ordered: Floats, levels: Sequence[float]) -> Floats:
    """Return quantiles [H, C, Q] of values [R, H, C] that are in order, missing ones last, between their neighbours."""
    last = np.maximum((~np.isnan(ordered)).sum(axis=0) - 1, 0)[..., None]
    place = last * np.asarray(levels)
    low = place.astype(np.int64)
    sides = (np.take_along_axis(np.moveaxis(ordered, 0, -1), at, axis=-1) for at in (low, np.minimum(low + 1, last)))
    below, above = sides
    return np.asarray(below + (place - low) * (above - below))
