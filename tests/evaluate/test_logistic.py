"""Logistic regression at the least of what it minimises, beside scikit-learn's own predictions, and kept as tensors."""

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from ostinato import extras
from ostinato.errors import DataError, FileFormatError, MissingExtraError, ShapeError
from ostinato.evaluate import logistic as module
from ostinato.evaluate.logistic import Features, LinearPart, Logistic
from tests.comparison import assert_close
from tests.quick import examples


def problem(classes, examples=60, features=4, seed=0):
    random = np.random.default_rng(seed)
    labels = np.r_[np.arange(classes), random.integers(0, classes, examples - classes)]
    means = random.normal(size=(classes, features))
    return means[labels] + random.normal(size=(examples, features)), labels


def probabilities(regression, features):
    return regression.probabilities(Features.of(features))


def slope(found, features, labels, weights, strength, matrix):
    """The gradient of −C Σ n log p + ½ ‖W‖², for W and b [K, F + 1]."""
    truth = np.eye(found.shape[1])[labels]
    off = (found - truth) * weights[labels][:, None] * strength
    return np.c_[off.T @ features + matrix, off.sum(axis=0)]


@pytest.mark.parametrize("weights", [np.ones(3), np.array([0.5, 1.0, 3.0])])
def test_of_several_classes_it_is_where_the_gradient_is_zero(weights):
    features, labels = problem(3)
    regression = Logistic(3, strength=0.7, class_weights=weights).fit(features, labels)
    found, matrix = probabilities(regression, features), regression.weights_.T
    assert np.abs(slope(found, features, labels, weights, 0.7, matrix)).max() < 0.02
    assert np.abs(slope(found, features, labels, weights, 0.7, 1.2 * matrix)).max() > 0.1


def test_of_two_classes_one_weighs_for_both():
    features, labels = problem(2)
    regression = Logistic(2, strength=0.7).fit(features, labels)
    assert regression.weights_.shape == (4, 1)
    found = slope(probabilities(regression, features), features, labels, np.ones(2), 0.7, regression.weights_.T)
    assert np.abs(found[1]).max() < 0.02


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_equals_scikit_learn(classes):
    features, labels = problem(classes)
    peer = LogisticRegression(C=2.0, max_iter=300).fit(features, labels)
    regression = Logistic(classes, strength=2.0).fit(features, labels)
    found = probabilities(regression, features)
    assert np.abs(found - peer.predict_proba(features)).max() < 1e-5
    assert np.abs(found - peer.predict_proba(features[::-1])).max() > 0.1
    sparse = Logistic(classes, strength=2.0).fit(csr_matrix(features), labels)
    assert np.abs(found - probabilities(sparse, features)).max() < 1e-3


def test_a_weight_of_two_is_being_there_twice():
    features, labels = problem(3)
    twice = np.concatenate([np.arange(len(labels)), np.flatnonzero(labels == 1)])
    weighted = Logistic(3, strength=1.0, class_weights=[1, 2, 1]).fit(features, labels)
    repeated = Logistic(3, strength=1.0).fit(features[twice], labels[twice])
    assert np.abs(probabilities(weighted, features) - probabilities(repeated, features)).max() < 1e-3


def test_balanced_weights_are_the_inverse_of_the_counts():
    features, labels = problem(3)
    weights = len(labels) / (3 * np.bincount(labels))
    balanced = Logistic(3, strength=1.0, class_weights="balanced").fit(features, labels)
    given = Logistic(3, strength=1.0, class_weights=weights).fit(features, labels)
    assert_close(probabilities(balanced, features), probabilities(given, features))
    plain = Logistic(3, strength=1.0).fit(features, labels)
    assert np.abs(probabilities(balanced, features) - probabilities(plain, features)).max() > 0.01


@pytest.mark.parametrize("weights", [None, "balanced", [1.0, 2.0, 3.0, 4.0, 5.0]])
@pytest.mark.parametrize("count", [2, 3])
def test_a_class_that_training_did_not_show_has_no_probability(weights, count):
    features, labels = problem(count)
    places = np.array([0, 2, 3])[:count]
    regression = Logistic(5, strength=1.0, class_weights=weights).fit(features, places[labels])
    found = probabilities(regression, features)
    assert found.shape == (60, 5)
    assert not np.delete(found, places, axis=1).any()
    assert_close(found.sum(axis=1), np.ones(60))
    seen = [weights[place] for place in places] if isinstance(weights, list) else weights
    alone = probabilities(Logistic(count, strength=1.0, class_weights=seen).fit(features, labels), features)
    assert_close(found[:, places], alone)


@pytest.mark.parametrize(("classes", "shown"), [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_a_single_class(classes, shown):
    features, labels = problem(1)
    found = probabilities(Logistic(classes, strength=1.0).fit(features, labels + shown), features[:2])
    assert found.tolist() == [np.eye(classes)[shown].tolist()] * 2


@pytest.mark.parametrize("weights", [[1, 4, 1, 1], "balanced", None])
def test_several_classes_at_once_are_regressions_of_their_own(weights):
    features, labels = problem(3)
    several = np.c_[labels == 0, features[:, 1] > 0, np.zeros(60), np.ones(60)]
    regression = Logistic(4, strength=1.0, class_weights=weights).fit(features, several)
    assert regression.weights_.shape == (4, 4)
    found = probabilities(regression, features)
    for column in (0, 1):
        own = (1, weights[column]) if isinstance(weights, list) else weights
        one = Logistic(2, strength=1.0, class_weights=own).fit(features, several[:, column].astype(int))
        assert_close(found[:, column], probabilities(one, features)[:, 1])
    assert not found[:, 2].any()
    assert (found[:, 3] == 1).all()


def test_stopping_early_is_no_warning(monkeypatch):
    monkeypatch.setattr(module, "MOST_ITERATIONS", 1)
    features, labels = problem(3)
    assert probabilities(Logistic(3, strength=1.0).fit(features, labels), features).shape == (60, 3)


def regression_of(weights, bias, several):
    regression = Logistic(len(bias), strength=1.0)
    regression.weights_, regression.bias_ = weights.astype(np.float32), bias.astype(np.float32)
    regression.several_ = several
    return regression


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@examples(30, 500, st.integers(0, 9), st.integers(1, 9), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_company_gives_the_same_bits(count, classes, size, several, seed):
    """Sparse examples, some without anything: against a dense product, and alone against any block."""
    random = np.random.default_rng(seed)
    rows = 1 if classes == 2 and not several else classes
    weights, bias = random.normal(size=(size, rows)).astype(np.float32), random.normal(size=classes).astype(np.float32)
    dense = np.where(random.random((count, size)) < 0.5, random.normal(size=(count, size)), 0)
    matrix = csr_matrix(dense)
    regression = regression_of(weights, bias, several)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_VALUES", int(random.integers(1, 60)))
        found = regression.probabilities(Features(matrix.indices, matrix.data, matrix.indptr))
    scores = np.c_[np.zeros((count, classes - rows)), dense @ weights.astype(float)] + bias
    assert_close(found, 1 / (1 + np.exp(-scores)) if several else softmax(scores) if count else scores)
    for place, row in enumerate(found):
        part = slice(*matrix.indptr[place : place + 2])
        alone = Features(matrix.indices[part], matrix.data[part], np.array([0, part.stop - part.start]))
        assert regression.probabilities(alone)[0].tobytes() == row.tobytes()


def test_large_scores_overflow_nothing():
    features = np.array([[1000.0], [-1000.0]])
    two, several = (regression_of(np.ones((1, rows)), np.zeros(2), rows == 2) for rows in (1, 2))
    assert probabilities(two, features).tolist() == [[0, 1], [1, 0]]
    assert probabilities(several, features).tolist() == [[1, 1], [0, 0]]


class Plain(LinearPart[np.ndarray]):
    """The features are the inputs."""

    strength = 1.0

    def fit(self, inputs, labels):
        self.regression.fit(inputs, labels)
        return self

    def probabilities(self, inputs):
        return self.regression.probabilities(Features.of(inputs))

    def tensors(self):
        return self.regression.tensors()

    @classmethod
    def from_tensors(cls, path, tensors, classes, *, several=False):
        part = cls(classes)
        part._restore(path, tensors, 4, several, {})
        return part


class TestTensors:
    @pytest.mark.parametrize(("classes", "several"), [(2, False), (2, True), (3, False), (5, False), (1, True)])
    def test_they_predict_the_same(self, classes, several):
        features, labels = problem(min(classes, 3))
        shown = np.eye(classes)[labels] if several else labels
        part = Plain(classes).fit(features, shown)
        tensors = part.tensors()
        assert {array.dtype for array in tensors.values()} == {np.dtype(np.float32)}
        same = Plain.from_tensors("m", tensors, classes, several=several)
        assert same.probabilities(features).tobytes() == part.probabilities(features).tobytes()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda tensors: tensors.pop("bias"), "lacks a tensor: 'bias'"),
            (lambda tensors: tensors.update(odd=np.zeros(1)), "has a tensor too many: 'odd'"),
            (
                lambda tensors: tensors.update(bias=np.zeros(4, np.float32)),
                r"should be float32 \[3\], but is float32 \[4\]",
            ),
            (lambda tensors: tensors.update(bias=np.zeros(3)), r"should be float32 \[3\], but is float64 \[3\]"),
            (
                lambda tensors: tensors.update(weights=tensors["weights"][:3]),
                r"float32 \[4, 3\], but is float32 \[3, 3\]",
            ),
            (lambda tensors: tensors.update(weights=tensors["weights"] * np.float32(np.nan)), "are not finite"),
            (lambda tensors: tensors.update(bias=tensors["bias"] / np.zeros(3, np.float32)), "are not finite"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, change, message):
        tensors = Plain(3).fit(*problem(3)).tensors()
        with np.errstate(divide="ignore"):
            change(tensors)
        with pytest.raises(FileFormatError, match=message):
            Plain.from_tensors("m.safetensors", tensors, 3)


class TestRefused:
    def test_labels(self):
        with pytest.raises(ShapeError, match=r"labels are expected in shape \[S=3\] or \[S=3, K=2\], got \[2\]"):
            Logistic(2, strength=1.0).fit(np.ones((3, 2)), [0, 1])

    def test_class_weights(self):
        with pytest.raises(DataError, match="class weights are 'balanced' or 2 numbers above 0"):
            Logistic(2, strength=1.0, class_weights="even").fit(np.ones((2, 1)), [0, 1])

    def test_without_scikit_learn(self, monkeypatch):
        monkeypatch.setattr(extras, "find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"pip install 'ostinato\[baselines\]'"):
            Logistic(2, strength=1.0).fit(np.ones((2, 1)), [0, 1])
