"""A classifier of sequences by plain loops: one sequence after the other, one step after the other.

    head(pool(stack(read(sequence))))

last       the output of the last step, and of a stack that reads both ways that of the first, too
mean, max  over the steps, feature by feature
attention  Σ_t s_t ⊙ y_t with s_t = exp(A y_t) / Σ exp(A y), feature by feature

A sequence without a step has outputs of zeros.
"""

import numpy as np

from .sequence import Oracle, run


def stacked(cell: Oracle, layers, widths, x):
    """Return the outputs [T, O] of layers over x [T, D]. layers: for each a dict of weights a direction."""
    for directions in layers:
        x = np.concatenate([_one_way(cell, w, widths, x, back=k == 1) for k, w in enumerate(directions)], axis=1)
    return x


def _one_way(cell, w, widths, x, back):
    x = x[::-1] if back else x
    start = {name: np.zeros((1, width)) for name, width in widths.items()}
    if not len(x):
        return np.zeros((0, sum(widths[name] for name in cell.output)))
    y = run(cell, w, x[:, None], start)[0][:, 0]
    return y[::-1] if back else y


def pooled(kind, y, attention=None, both_ways=False):
    """Return what outputs [T, O] come to. attention: A, for that pooling."""
    if not len(y):
        return np.zeros(y.shape[1] * (2 if kind == "last" and both_ways else 1))
    if kind == "last":
        return np.concatenate([y[-1], y[0]]) if both_ways else y[-1]
    if kind == "mean":
        return y.sum(axis=0) / len(y)
    if kind == "max":
        return y.max(axis=0)
    asked = y @ attention.T
    power = np.exp(asked - asked.max(axis=0))
    return (power / power.sum(axis=0) * y).sum(axis=0)


def log_loss(scores, truth, smoothing=0.0):
    """The mean of -Σ_k q_k log p_k, with p of scores [B, K]; q is 1 at the truth, less what is spread over all K."""
    total = 0.0
    for row, true in zip(scores, truth, strict=True):
        log_p = row - np.log(np.exp(row).sum())
        total -= (1 - smoothing) * log_p[true] + smoothing * log_p.mean()
    return total / len(truth)


def several_loss(scores, truth, smoothing=0.0):
    """The mean over examples and classes of -log p of what is true, of classes [B, K] that apply or do not."""
    terms = []
    for score, applies in zip(scores.ravel(), truth.ravel(), strict=True):
        p = 1 / (1 + np.exp(-score))
        q = (1 - smoothing) * applies + smoothing / 2
        terms.append(-q * np.log(p) - (1 - q) * np.log(1 - p))
    return sum(terms) / len(terms)
