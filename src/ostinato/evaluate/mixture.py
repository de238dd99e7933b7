"""Several predictions as one, with probabilities that mean what they say.

Each of M parts gives log-probabilities s_m of K classes. Together they say

    p ∝ exp(Σ_m w_m s_m),   w_m ≥ 0

with the weights that have the least

    sum of -log p_y over held-out decisions + ½ P Σ_m (w_m - 1/M)²

One part alone has one weight, 1 / T with T its temperature (Guo et al. 2017, "On Calibration of Modern Neural
Networks"); of several a larger weight has more to say. The second term, with P = 5, is how far the weights stay at the
mean of the parts when there are few decisions to learn them from. The sum is convex, and solved by Newton's method.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.softmax import softmax

Floats = NDArray[np.float64]
PRIOR = 5.0
LEAST = -30.0
"""Log-probabilities below count as this, so that a part that calls impossible what it never saw does not decide."""
_STEPS = 100


def mixed(parts: Sequence[Any], weights: Sequence[float]) -> Floats:
    """Return the log-probabilities [N, K] of several parts [N, K] together."""
    total = sum(
        weight * np.maximum(np.asarray(part, np.float64), LEAST) for part, weight in zip(parts, weights, strict=True)
    )
    return np.asarray(softmax(np.asarray(total), log=True))


def fit_weights(parts: Sequence[Any], truth: NDArray[np.int64], counts: Any = None) -> list[float]:
    """Return a weight for each of M parts.

    parts: log-probabilities [N, K] each. truth: classes [N]. counts: how much each decision counts [N]; by default 1.
    """
    scores = np.stack([np.maximum(np.asarray(part, np.float64), LEAST) for part in parts])
    scores = scores - scores.mean(axis=2, keepdims=True)
    each = np.ones(len(truth)) if counts is None else np.asarray(counts, np.float64)
    each = each * (len(each) / each.sum())
    found = []
    for size in range(len(parts), 0, -1):
        for some in combinations(range(len(parts)), size):
            loss, weights = _least(scores, truth, each, list(some))
            if (weights >= 0).all():
                found.append((loss, weights.tolist()))
    best: list[float] = min(found)[1] if found else [1.0 / len(parts)] * len(parts)
    return best


def _least(scores: Floats, truth: NDArray[np.int64], each: Floats, some: list[int]) -> tuple[float, Floats]:
    """Return the least sum, and the weights that have it, where only some of the parts may have one."""
    own, rows, start = scores[some], np.arange(len(truth)), 1.0 / len(scores)
    weights = np.full(len(some), start)
    loss, slope, curve = _derivatives(own, truth, each, weights, start, rows)
    for _ in range(_STEPS):
        step, length = np.linalg.solve(curve, -slope), 1.0
        while length > 1e-9:
            tried = _derivatives(own, truth, each, weights + length * step, start, rows)
            if tried[0] <= loss:
                break
            length /= 2
        else:
            break
        gained = loss - tried[0]
        weights = weights + length * step
        loss, slope, curve = tried
        if gained <= 1e-12 * max(1.0, abs(loss)):
            break
    all_weights = np.zeros(len(scores))
    all_weights[some] = weights
    # What has no weight is off the mean, too.
    return loss + 0.5 * PRIOR * start**2 * (len(scores) - len(some)), all_weights


def _derivatives(
    scores: Floats, truth: NDArray[np.int64], each: Floats, weights: Floats, start: float, rows: NDArray[Any]
) -> tuple[float, Floats, Floats]:
    """Return the sum, its slope [M] and its curvature [M, M]."""
    total = np.tensordot(weights, scores, 1)
    log_p = softmax(total, log=True)
    p = np.exp(log_p)
    mean = (p * scores).sum(axis=2)
    apart = scores - mean[:, :, None]
    slope = ((mean - scores[:, rows, truth]) * each).sum(axis=1) + PRIOR * (weights - start)
    curve = np.einsum("nk,ank,bnk->ab", p * each[:, None], apart, apart) + PRIOR * np.eye(len(weights))
    loss = -(log_p[rows, truth] * each).sum() + 0.5 * PRIOR * ((weights - start) ** 2).sum()
    return float(loss), slope, curve
