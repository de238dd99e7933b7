"""Temperature scaling, so that probabilities mean what they say (Guo et al. 2017).

Log-probabilities s are divided by one number T, the temperature, before they are probabilities: p ∝ exp(s / T). That
moves no decision, and makes all of them surer (T < 1) or less sure (T > 1). T is the one with the least log loss on
data that was held out. With β = 1 / T that loss,

    f(β) = mean of log Σ_j exp(β s_j) - β s_y,    f' = mean of E[s] - s_y,    f'' = mean of Var[s]

with mean and variance of s under p, is convex: f' rises, and is 0 at the best β.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ..runtime.softmax import softmax
from .classification_metrics import Floats, Numbers, check_decisions, log_loss

MOST = 100.0
"""A temperature lies between 1 / MOST and MOST: beyond, probabilities are all but 0 and 1, or all alike."""
_STEPS = 100


def fit_temperature(truth: ArrayLike, log_p: ArrayLike) -> float:
    """Return the temperature with the least log loss on N held-out decisions; never one that is worse than 1.

    truth: classes [N]. log_p: log-probabilities [N, O], or scores that differ from them by a number a decision.

    It is 1 where the likeliest class is right every time: such data asks for certainty, of which it cannot say how far
    it goes. A true class of probability 0 has it at any temperature, so such decisions have no say.

    Raises DataError where there is no decision or no such class, ShapeError.
    """
    scores, true = check_decisions("fit_temperature", truth, log_p)
    of_truth = scores[np.arange(len(true)), true]
    told = of_truth > -np.inf
    scores, true, of_truth = scores[told], true[told], of_truth[told]
    off = scores - scores.max(axis=1, keepdims=True)
    if not (off[np.arange(len(true)), true] < 0).any():
        return 1.0
    found = 1 / _least(off, true)
    losses = [log_loss(true, tempered(scores, one)) for one in (found, 1.0)]
    return found if losses[0] <= losses[1] else 1.0


def tempered(log_p: ArrayLike, temperature: float) -> Floats:
    """Return log-probabilities [N, O] at a temperature, from those at 1."""
    return np.asarray(softmax(np.asarray(log_p, np.float64) / temperature, log=True))


def _least(scores: Floats, truth: Numbers) -> float:
    """Return the β at which f' is 0, or the bound nearest to it: by Newton's method, held between known signs of f'."""
    low, high = 1 / MOST, MOST
    if _slopes(scores, truth, low)[0] >= 0:
        return low
    if _slopes(scores, truth, high)[0] <= 0:
        return high
    beta = 1.0
    for _ in range(_STEPS):
        slope, curve = _slopes(scores, truth, beta)
        low, high = (beta, high) if slope < 0 else (low, beta)
        moved = beta - slope / curve if curve > 0 else math.inf
        moved = moved if low <= moved <= high else math.sqrt(low * high)
        if abs(moved - beta) <= 1e-12 * beta:
            return moved
        beta = moved
    return beta


def _slopes(scores: Floats, truth: Numbers, beta: float) -> tuple[float, float]:
    """Return f' and f'' at β."""
    p = softmax(beta * scores)
    finite = np.where(scores > -np.inf, scores, 0.0)  # of probability 0, where 0 · inf would be no number
    mean = (p * finite).sum(axis=1)
    variance = (p * (finite - mean[:, None]) ** 2).sum(axis=1)
    return float((mean - finite[np.arange(len(truth)), truth]).mean()), float(variance.mean())
