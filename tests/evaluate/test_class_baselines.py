"""What baselines of classifiers share: labels, class weights, and the majority."""

import numpy as np
import pytest

from ostinato.errors import DataError, ShapeError
from ostinato.evaluate.class_baselines import check_labels, check_weights, majority


def test_the_majority_is_how_frequent_classes_are():
    assert majority([2, 0, 2, 1], 4, 3).tolist() == [[0.25, 0.25, 0.5, 0]] * 3
    assert majority([[1, 0], [1, 1]], 2, 1).tolist() == [[1, 0.5]]
    assert majority([0], 1, 0).shape == (0, 1)


def test_labels():
    assert check_labels([0, 2, 1], 3, 3).tolist() == [0, 2, 1]
    assert check_labels([[0, 1], [1, 1]], 2, 2).tolist() == [[False, True], [True, True]]


def test_class_weights():
    assert check_weights(None, 2) is check_weights("balanced", 2) is None
    assert check_weights([1, 2.5], 2).tolist() == [1, 2.5]


class TestRefused:
    @pytest.mark.parametrize(
        ("labels", "error", "message"),
        [
            ([0, 1], ShapeError, "labels are expected in shape [S=3] or [S=3, K=2], got [2]."),
            ([[0], [1], [0]], ShapeError, "got [3, 1]"),
            ([0, 1, 2], DataError, "labels are expected as whole numbers from 0 to 1."),
            ([0, -1, 1], DataError, "whole numbers"),
            ([0.0, 1.0, 0.0], DataError, "whole numbers"),
            (["a", "b", "a"], DataError, "whole numbers"),
            ([[0, 2], [1, 0], [0, 0]], DataError, "there (1) or not (0)"),
        ],
    )
    def test_labels(self, labels, error, message):
        with pytest.raises(error) as caught:
            check_labels(labels, 3, 2)
        assert message in str(caught.value)

    def test_no_example(self):
        with pytest.raises(DataError, match="no example to learn from"):
            majority([], 2, 1)

    @pytest.mark.parametrize("weights", ["even", [1.0], [1.0, 0.0], [1.0, np.nan], [[1.0, 1.0]], [1.0, np.inf]])
    def test_weights(self, weights):
        with pytest.raises(DataError, match="class weights are 'balanced' or 2 numbers above 0"):
            check_weights(weights, 2)
