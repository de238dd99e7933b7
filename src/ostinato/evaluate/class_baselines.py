"""What baselines of classifiers share: how labels are given, and the majority.

Everywhere `labels` are the numbers of the classes, below K [S], or, where an example may be of several classes at once,
whether it is of each [S, K]; S counts examples. Probabilities are [S, K], a column a class in the order of these
numbers: of one class each they sum to 1 over a row, of several each column stands for itself. A class that training
did not show has probability 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ShapeError

Floats = NDArray[np.float64]
Labels = NDArray[Any]
ClassWeights = Sequence[float] | NDArray[np.floating[Any]] | str | None
"""How much an example of each class counts [K]; "balanced": as much less as the class is frequent; None: all alike."""


def check_labels(labels: Any, examples: int, classes: int) -> Labels:
    """Return labels as numbers below K [S], or as truth values [S, K].

    Raises ShapeError where there is not one for each example, DataError for no example or no such class.
    """
    given = np.asarray(labels)
    if given.shape not in ((examples,), (examples, classes)):
        raise ShapeError(
            f"labels are expected in shape [S={examples}] or [S={examples}, K={classes}], got {list(given.shape)}."
        )
    if not examples:
        raise DataError("there is no example to learn from.", "give at least one.")
    if given.ndim == 2:
        if not np.isin(given, (0, 1)).all():
            raise DataError("of several classes at once each is there (1) or not (0), but other labels came.")
        return given.astype(bool)
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= classes:
        raise DataError(f"labels are expected as whole numbers from 0 to {classes - 1}.", "number the classes.")
    return given.astype(np.int64)


def check_weights(weights: ClassWeights, classes: int) -> Floats | None:
    """Return the weights of the classes [K], None where they are balanced or all alike. Raises DataError."""
    if weights is None or (isinstance(weights, str) and weights == "balanced"):
        return None
    if not isinstance(weights, str):
        values = np.asarray(weights, np.float64)
        if values.shape == (classes,) and np.isfinite(values).all() and (values > 0).all():
            return values
    raise DataError(f"class weights are 'balanced' or {classes} numbers above 0, not {weights!r:.80}.")


def majority(labels: Any, classes: int, examples: int) -> Floats:
    """Return for some examples [S, K] how frequent the classes are in training, so that the majority is likeliest."""
    given = np.asarray(labels)
    learned = check_labels(given, len(given), classes)
    shares = learned.mean(axis=0) if learned.ndim == 2 else np.bincount(learned, minlength=classes) / len(learned)
    return np.tile(shares, (examples, 1))
