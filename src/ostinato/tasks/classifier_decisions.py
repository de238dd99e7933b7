"""What a classifier decides, given the scores of its classes, or their log-probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.classes import Classes
from ..evaluate.mixture import mixed
from ..runtime.softmax import softmax

Array = NDArray[Any]


def of_scores(scores: Array, classes: Classes) -> Array:
    """Return log-probabilities [S, K] of a network's scores; where several may apply, of not and of it [S, K, 2]."""
    if classes.several:
        scores = np.stack([np.zeros_like(scores), scores], axis=-1)
    return np.asarray(softmax(scores, log=True))


def together(parts: list[Array], weights: list[float]) -> Array:
    """Return the log-probabilities of several parts as one, each [S, K] or [S, K, 2] (`evaluate.mixture`)."""
    return mixed([as_rows(part) for part in parts], weights).reshape(parts[0].shape)


def log_probabilities(scores: Array, classes: Classes, weight: float) -> Array:
    """Return the log-probabilities of a network that speaks alone, by its scores [S, K]."""
    return together([of_scores(scores, classes)], [weight])


def as_rows(log_p: Array) -> Array:
    """Return log-probabilities [S, K], or [S, K, 2] as [S K, 2]: a row a decision."""
    return log_p.reshape(-1, log_p.shape[-1])


def probabilities(log_p: Array, classes: Classes) -> Array:
    """Return the probability of each class [S, K]; where several may apply, each column stands for itself."""
    p = np.exp(log_p)
    return p[..., 1] if classes.several else p


def decision(p: Array, classes: Classes, every_class: bool = False) -> dict[str, Any]:
    """Return the label of one sequence and its probability, by those of the classes [K]; lists where several may apply.

    every_class: and the ``probabilities`` of all classes by name.
    """
    chosen: Any = np.flatnonzero(p > 0.5) if classes.several else int(p.argmax())
    names = classes.names
    told: dict[str, Any] = {"label": [names[one] for one in chosen] if classes.several else names[chosen]}
    told["probability"] = p[chosen].tolist()
    if every_class:
        told["probabilities"] = dict(zip(names, p.tolist(), strict=True))
    return told
