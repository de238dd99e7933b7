"""Who is right enough to be timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .problem import Array

TOLERANCE = 1e-4
"""Largest difference from float64 that float32 is allowed, as a part of the largest expected value. Sums over many
thousand rows stay well below it; bfloat16 and TF32 do not."""


def fault(given: Mapping[str, Array], expected: Mapping[str, Array], tolerance: float = TOLERANCE) -> str | None:
    """Return what is wrong with a contender's arrays, or None: names, shapes, and values within the tolerance."""
    for name, values in expected.items():
        if name not in given:
            return f"{name} is missing"
        said = _array_fault(np.asarray(given[name], np.float64), values, tolerance)
        if said:
            return f"{name} {said}"
    return None


def _array_fault(given: Array, expected: Array, tolerance: float) -> str | None:
    if given.shape != expected.shape:
        return f"has shape {list(given.shape)}, expected {list(expected.shape)}"
    bound = tolerance * float(np.abs(expected).max(initial=0.0))
    worst = float(np.abs(given - expected).max(initial=0.0))
    # Written so that not-a-number is a fault.
    return None if worst <= bound else f"differs by {worst:.3g}, allowed are {bound:.3g}"
