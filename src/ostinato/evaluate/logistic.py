"""Logistic regression: fitted by scikit-learn, kept as arrays, applied by NumPy alone.

It is a baseline of classifiers (see `class_baselines` for labels and probabilities), and may be the linear part of one,
which is kept in its model file. Letters: S examples, F features, K classes, R classes with weights of their own.
"""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError
from ..extras import require
from ..runtime.softmax import softmax
from .class_baselines import ClassWeights, Floats, Labels, check_labels, check_weights

Numbers = NDArray[np.int64]
Singles = NDArray[np.float32]
Tensors = Mapping[str, Any]
Path = str | os.PathLike[str]
Expected = tuple[type[np.generic], tuple[int, ...]]
"""Type and shape of a tensor."""
Inputs = TypeVar("Inputs")

MOST_ITERATIONS = 300
"""Where regression is not done by then its figures no longer move; it is a baseline either way."""
CERTAIN = 10_000.0
"""The score of a class that is certain; its negative is that of one that training did not show. exp(-10,000) is 0."""
BLOCK_VALUES = 1_000_000
"""Products in memory at once: 24 MB with their places."""


class Features(NamedTuple):
    """The features of S examples that are not zero, one example after the other.

    columns: which feature, from 0 [N]. values: [N]. starts: where those of each example begin, and the last ones end
    [S + 1].
    """

    columns: NDArray[np.integer[Any]]
    values: Floats
    starts: Numbers

    @classmethod
    def of(cls, matrix: Floats) -> Features:
        """Return all features of a matrix [S, F], zeros too."""
        examples, size = matrix.shape
        return cls(np.tile(np.arange(size), examples), matrix.ravel(), np.arange(examples + 1) * size)

    def sparse(self, size: int) -> Any:
        """Return a sparse matrix of scipy [S, F], which scikit-learn takes."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, self.columns, self.starts), (len(self.starts) - 1, size))


class Logistic:
    """Multinomial logistic regression; for several classes at once, a regression of two classes for each.

    With x a row of F features, p = softmax(x W + b) and n_c the weight of class c, it minimises

        −C Σ n_c log p_c + ½ ‖W‖²

    Of two classes the second one alone has weights: p = 1 / (1 + exp(−x w − b)), and ‖w‖² stands for ‖W‖².

    classes: K. strength: C, so that a larger one holds W down less. class_weights: n. To fit it needs scikit-learn,
    whose L-BFGS solves it (extra ``[baselines]``); it predicts with NumPy alone.

    After `fit`: ``weights_`` [F, R] and ``bias_`` [K], where R is K, or 1 for two classes of which an example is one;
    ``several_``, whether an example may be of several classes at once.
    """

    weights_: Singles
    bias_: Singles
    several_: bool

    def __init__(self, classes: int, *, strength: float, class_weights: ClassWeights = None) -> None:
        self.classes, self.strength, self.class_weights = classes, strength, class_weights

    def fit(self, features: Any, labels: Any) -> Logistic:
        """Learn from features [S, F], an array or a sparse matrix without anything missing, and return self.

        Raises DataError, ShapeError, MissingExtraError.
        """
        learned = check_labels(labels, features.shape[0], self.classes)
        given = check_weights(self.class_weights, self.classes)
        if learned.ndim == 2:
            each = [self._solve(features, column, _of_two(given, place)) for place, column in enumerate(learned.T)]
            weights = np.concatenate([one[0] for one in each], axis=1)
            bias = np.array([one[1][1] - one[1][0] for one in each])
        else:
            weights, bias = self._solve(features, learned, given)
        self.several_ = learned.ndim == 2
        # Rounded to what a file keeps, so that it predicts the same before and after.
        self.weights_, self.bias_ = weights.astype(np.float32), bias.astype(np.float32)
        return self

    def probabilities(self, features: Features) -> Floats:
        """Return the probability of each class [S, K] from features of F columns.

        An example has the same bits alone and in any company: its products are summed one after the other.
        """
        sums = _sums(features, self.weights_)
        scores = np.zeros((len(sums), self.classes))
        scores[:, self.classes - sums.shape[1] :] = sums
        scores += self.bias_
        if self.several_:
            return softmax(np.stack([np.zeros_like(scores), scores], axis=-1))[..., 1]
        return softmax(scores)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the weights and the bias by name."""
        return {"weights": self.weights_, "bias": self.bias_}

    def _solve(self, features: Any, labels: Labels, given: Floats | None) -> tuple[Floats, Floats]:
        """Return W [F, R] and b [K] for one class an example, of two classes where labels are truth values."""
        classes = 2 if labels.dtype == bool else self.classes
        seen, places, counts = np.unique(labels.astype(np.int64), return_inverse=True, return_counts=True)
        weights, bias = np.zeros((features.shape[1], classes)), np.full(classes, -CERTAIN)
        bias[seen] = 0
        if len(seen) > 1:
            require("sklearn", "baselines")
            from sklearn.exceptions import ConvergenceWarning
            from sklearn.linear_model import LogisticRegression

            own = given[seen] if given is not None else len(labels) / (len(seen) * counts)
            model = LogisticRegression(C=self.strength, max_iter=MOST_ITERATIONS)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(features, places, sample_weight=None if self.class_weights is None else own[places])
            solved = seen[-len(model.coef_) :]
            weights[:, solved], bias[solved] = model.coef_.T, model.intercept_
        return weights[:, 1:] if classes == 2 else weights, bias


def _of_two(weights: Floats | None, place: int) -> Floats | None:
    """Return what an example that is of a class counts, after one that is not, where several are told at once."""
    return None if weights is None else np.array([1.0, weights[place]])


def _sums(features: Features, weights: Singles) -> Floats:
    """Return the product of features and weights [S, R]."""
    columns, values, starts = features
    size = weights.shape[1]
    sums = np.empty((len(starts) - 1, size))
    for first, last in _blocks(starts, BLOCK_VALUES // size):
        part = slice(starts[first], starts[last])
        examples = np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))
        products = values[part, None] * weights[columns[part]]
        places = examples[:, None] * size + np.arange(size)
        # bincount adds in order, which no width of vectors and no number of examples changes.
        found = np.bincount(places.ravel(), products.ravel(), (last - first) * size)
        sums[first:last] = found.reshape(last - first, size)
    return sums


def _blocks(starts: Numbers, most: int) -> Iterator[tuple[int, int]]:
    """Yield from which example to which, so that they have up to `most` values together, or are one."""
    first = 0
    while first < len(starts) - 1:
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + most, side="right")) - 1)
        yield first, last
        first = last


class LinearPart(ABC, Generic[Inputs]):
    """Logistic regression on features that it makes of inputs itself: a baseline, and the linear part of a classifier.

        part = TextLogistic(2).fit(texts, labels)
        part.probabilities(others)  # [S, K]
        same = TextLogistic.from_tensors("m.safetensors", part.tensors(), 2)

    classes: K. class_weights: see `class_baselines`. To fit needs scikit-learn; to predict, NumPy alone.
    """

    strength: float
    """C of the regression."""

    def __init__(self, classes: int, *, class_weights: ClassWeights = None) -> None:
        self.classes = classes
        self.regression = Logistic(classes, strength=self.strength, class_weights=class_weights)

    @abstractmethod
    def fit(self, inputs: Inputs, labels: Any) -> LinearPart[Inputs]:
        """Learn from inputs and their labels, and return self; what was learned before is forgotten.

        Raises DataError, ShapeError, MissingExtraError.
        """

    @abstractmethod
    def probabilities(self, inputs: Inputs) -> Floats:
        """Return the probability of each class [S, K]: the same bits for an input alone or in any company."""

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return what `fit` learned as arrays by name, which `from_tensors` takes."""

    def _restore(self, path: Path, tensors: Tensors, size: int, several: bool, own: Mapping[str, Expected]) -> None:
        """Take W and b from what `tensors` gave. size: F. own: what is there beside them. Raises FileFormatError."""
        rows = 1 if self.classes == 2 and not several else self.classes
        _check(path, tensors, {**own, "weights": (np.float32, (size, rows)), "bias": (np.float32, (self.classes,))})
        self.regression.weights_, self.regression.bias_ = tensors["weights"], tensors["bias"]
        self.regression.several_ = several


def _check(path: Path, tensors: Tensors, expected: Mapping[str, Expected]) -> None:
    """Raise FileFormatError unless exactly the expected tensors are there, of finite numbers."""
    if tensors.keys() != expected.keys():
        odd = sorted(tensors.keys() ^ expected.keys())[0]
        what = "has a tensor too many" if odd in tensors else "lacks a tensor"
        raise FileFormatError(f"{path} is damaged: its linear part {what}: {odd!r:.80}.")
    for name, (dtype, shape) in expected.items():
        tensor, which = tensors[name], f"{path} is damaged: {name!r} of its linear part"
        if not isinstance(tensor, np.ndarray) or tensor.dtype != np.dtype(dtype) or tensor.shape != shape:
            found = f"{tensor.dtype} {list(tensor.shape)}"
            raise FileFormatError(f"{which} should be {dtype.__name__} {list(shape)}, but is {found}.")
        if not np.isfinite(tensor).all():
            raise FileFormatError(f"{which} holds values that are not finite.")
