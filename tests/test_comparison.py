"""A comparison that cannot fail proves nothing: here it must."""

import numpy as np
import pytest
import torch

from .comparison import TOLERANCES, are_close, assert_close
from .oracles import ORACLES, run

ONE = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("kind", TOLERANCES, ids=str)
def test_rounding_passes_and_ten_times_the_tolerance_fails(kind):
    expected = ONE.astype(kind)
    assert_close(expected * (1 + TOLERANCES[kind] / 10), expected)
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(expected * (1 + TOLERANCES[kind] * 10), expected)


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (ONE, ONE[:1], "shape"),
        (ONE[:, 0], ONE, "shape"),
        (np.array([np.nan, 1.0]), np.array([1.0, 1.0]), "NaN"),
        (np.array([1.0, 1.0]), np.array([np.nan, 1.0]), "NaN"),
        (np.array([-np.inf, 1.0]), np.array([np.inf, 1.0]), "infinities"),
        (np.array([np.inf, 1.0]), np.array([1.0, 1.0]), "infinity"),
        (torch.tensor([1.0, 2.0]), np.array([1.0, 3.0]), "differs by"),
        ([ONE], [ONE, ONE], "1 parts instead of 2"),
        ([ONE, ONE], [ONE, -ONE], r"value\[1\]: differs by"),
        ({"a": ONE}, {"b": ONE}, "instead of"),
        ({"a": ONE}, {"a": -ONE}, r"value\['a'\]: differs by"),
    ],
)
def test_what_differs_fails(actual, expected, said):
    assert not are_close(actual, expected)
    assert are_close(expected, expected)
    with pytest.raises(AssertionError, match=said):
        assert_close(actual, expected)


def test_nan_in_the_same_place_passes():
    assert_close(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))


@pytest.mark.parametrize("name", ["lstm", "gru", "gru_v1", "peephole"])
def test_swapped_gates_fail(name):
    oracle, random = ORACLES[name], np.random.default_rng(0)
    w = oracle.draw_weights(random, 2, 3)
    x, state = random.normal(size=(4, 2, 2)), {part: np.zeros((2, 3)) for part in oracle.states}
    one, other = oracle.gates[:2]
    swapped = w | {f"{kind}_{one}": w[f"{kind}_{other}"] for kind in "WRb"}
    swapped |= {f"{kind}_{other}": w[f"{kind}_{one}"] for kind in "WRb"}
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(run(oracle, swapped, x, state)[0], run(oracle, w, x, state)[0])
