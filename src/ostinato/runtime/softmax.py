"""Scores into probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memoryless import Memoryless

Array = NDArray[Any]


def softmax(x: Array, log: bool = False) -> Array:
    """Return exp(x) / Σ exp(x) over the last axis, or its logarithm, without overflow."""
    # Rows of one length, one after the other: then a row's bits do not depend on how many there are.
    rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    shifted = rows - rows.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=-1, keepdims=True)
    result: Array = shifted - np.log(total) if log else powers / total
    return result.reshape(x.shape)


class Softmax(Memoryless):
    """The softmax of each step's features, as a part of a chain; `log`: its logarithm."""

    weights: Mapping[str, Array] = {}

    def __init__(self, size: int, log: bool = False) -> None:
        self.output_size, self.log = size, log
        self.text = "log softmax" if log else "softmax"

    def sequence(self, x: Array, state: Any = (), lengths: Any = None) -> tuple[Array, tuple[()]]:
        """Return y [T, B, D] of x [T, B, D], zero beyond each length."""
        y = softmax(x, self.log)
        if lengths is not None:
            y[np.arange(len(y))[:, None] >= np.asarray(lengths)] = 0
        return y, ()

    def step(self, x: Array, state: Any = ()) -> tuple[Array, tuple[()]]:
        """Return y [B, D] of x [B, D]."""
        return softmax(x, self.log), ()

    def advance(self, x: Array, before: Any = (), after: Any = (), places: Array | None = None) -> Array:
        """Return y [B, O] of x [B, D]: no state moves."""
        return softmax(x, self.log)
