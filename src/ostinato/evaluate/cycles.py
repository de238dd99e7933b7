"""Which cycles of the calendar, such as the day or the week, tell what a linear forecast does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .linear import Ridge
from .residuals import lookback_scale, spread
from .windows import Floats, Range, Rows, gather, hold

PARTS = 24
"""A cycle is looked at in so many equal parts: the hours of a day, the half-months of a year; of a week its days."""
WINDOWS = 2000
"""Windows of each part that are looked at, at most, evenly spread."""
VALUES = 16_000_000
"""Where windows are large there are fewer, so that they have no more values than this, or 50 windows."""
GAIN = 0.01
"""The share of the squared error that a cycle has to explain. What explains less is chance, or hardly worth an input:
a network learns its noise by heart."""


def telling(
    linear: Ridge,
    rows: Rows,
    phases: Mapping[str, Floats],
    train: Sequence[Range],
    validation: Sequence[Range],
) -> list[str]:
    """Return the names of those cycles that explain `GAIN` of a linear forecast's errors in the validation rows.

    phases: how much of each cycle is over at each row [N], in [0, 1). Errors one step, half the horizon and the whole
    of it ahead are explained by their mean in each part of the cycle in the training rows, each target for itself. A
    cycle that the forecast's lookback shows, as 14 days show the day and the week, mostly explains nothing more.
    """
    before = [(max(first - linear.lookback, 0), last) for first, last in validation]
    learned, where_learned = _errors(linear, rows, list(train))
    checked, where_checked = _errors(linear, rows, before)
    if not len(learned) or not len(checked):
        return []
    return [
        name
        for name, phase in phases.items()
        if _gain(_parts(phase[where_learned]), learned, _parts(phase[where_checked]), checked) >= GAIN
    ]


def _parts(phase: Floats) -> np.ndarray:
    return (phase * PARTS + 1e-9).astype(np.int64)


def _errors(linear: Ridge, rows: Rows, ranges: list[Range]) -> tuple[Floats, np.ndarray]:
    """Return what the truth was above forecasts of some windows [W, K, C] at K steps ahead, and these rows [W, K]."""
    steps = np.unique([0, linear.horizon // 2, linear.horizon - 1])
    most = max(50, min(WINDOWS, VALUES // ((linear.lookback + linear.horizon) * rows.values.shape[1])))
    number, origins = spread(ranges, linear.lookback, linear.horizon, most)
    windows = gather(rows, number, origins, linear.lookback, linear.horizon)
    held = hold(windows[:, : linear.lookback])
    errors = (windows[:, linear.lookback :] - linear.predict(held))[:, steps]
    if linear.shared:
        scale = lookback_scale(held)
        errors = np.divide(errors, scale, out=np.full(errors.shape, np.nan), where=scale > 0)
    return errors, (rows.starts[number] + origins)[:, None] + steps


def _gain(parts: np.ndarray, learned: Floats, checked_parts: np.ndarray, checked: Floats) -> float:
    """Return the share of the squared errors that their means in parts of a cycle explain, averaged over targets."""
    left = before = np.zeros(checked.shape[2])
    for step in range(checked.shape[1]):
        errors, usual = learned[:, step], np.nanmean(learned[:, step], axis=0)
        means = np.stack([_mean(errors[parts[:, step] == part], usual) for part in range(PARTS)])
        truth = checked[:, step]
        left = left + np.nansum((truth - means[checked_parts[:, step]]) ** 2, axis=0)
        before = before + np.nansum((truth - usual) ** 2, axis=0)
    return float(1 - np.divide(left, before, out=np.ones_like(left), where=before > 0).mean())


def _mean(errors: Floats, usual: Floats) -> Floats:
    """Return the mean of errors [n, C], or the usual one [C] where there are none."""
    known = ~np.isnan(errors)
    count = known.sum(axis=0)
    return np.asarray(np.where(count > 0, np.where(known, errors, 0).sum(axis=0) / np.maximum(count, 1), usual))
