"""The one comparison of numbers in these tests, with the one table of tolerances."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TOLERANCES = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-5}
"""Largest difference allowed, as a part of the largest expected value (or of 1, where that is less)."""


def assert_close(actual: Any, expected: Any, what: str = "value") -> None:
    """Compare arrays, tensors, or mappings and sequences of them: shapes, values, and where NaN and infinities are.

    The tolerance is that of the coarser of the two types.
    """
    if isinstance(expected, Mapping):
        assert set(actual) == set(expected), f"{what}: {sorted(actual)} instead of {sorted(expected)}"
        for name in expected:
            assert_close(actual[name], expected[name], f"{what}[{name!r}]")
    elif isinstance(expected, Sequence):
        assert len(actual) == len(expected), f"{what}: {len(actual)} parts instead of {len(expected)}"
        for index, part in enumerate(expected):
            assert_close(actual[index], part, f"{what}[{index}]")
    else:
        _assert_arrays_close(_array(actual), _array(expected), what)


def are_close(actual: Any, expected: Any) -> bool:
    """Tell whether `assert_close` would pass."""
    try:
        assert_close(actual, expected)
    except AssertionError:
        return False
    return True


def _assert_arrays_close(actual: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape} instead of {expected.shape}"
    tolerance = max(TOLERANCES[actual.dtype], TOLERANCES[expected.dtype])
    finite = np.isfinite(expected)
    assert np.array_equal(actual[~finite], expected[~finite], equal_nan=True), f"{what}: other NaN or infinities"
    assert np.isfinite(actual[finite]).all(), f"{what}: NaN or infinity where a number is expected"
    expected, difference = expected[finite], np.abs(actual[finite].astype(float) - expected[finite])
    bound = tolerance * max(1.0, np.abs(expected).max(initial=0.0))
    worst = difference.max(initial=0.0)
    assert worst <= bound, f"{what}: differs by {worst:.3g}, allowed are {bound:.3g}"


def _array(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
