"""scikit-learn's own checks of estimators, on a classifier that inherits nothing from it."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_classifiers_train, estimator_checks_generator

from ostinato import Classifier
from ostinato.errors import OstinatoError

SIZES = {
    "steps": 6,
    "hidden_size": 4,
    "batch_size": 16,
    "evaluations": 1,
    "warmup_steps": 0,
    "learning_rate": 0.02,
    "threads": 1,
    "device": "cpu",
}

LENGTHS = "a series may have any number of steps, so none is kept and none is asked for again"
WORDS = "refused, in words of our own; see below"
NAMES = "several labels are told by their names, a list each, and where they were given so"
EXPECTED = {
    "check_n_features_in": LENGTHS,
    "check_n_features_in_after_fitting": LENGTHS,
    "check_classifiers_train": f"{LENGTHS}; the rest of it is below",
    "check_estimators_empty_data_messages": "a series without steps is one, whose class the frequencies tell",
    "check_complex_data": WORDS,
    "check_dtype_object": WORDS,
    "check_fit2d_1sample": WORDS,
    "check_fit2d_predict1d": WORDS,
    "check_requires_y_none": WORDS,
    "check_classifiers_regression_target": WORDS,
    "check_supervised_y_2d": "a column of labels is read like a row of them, without a warning",
    "check_classifier_data_not_an_array": "a frame is a table of columns with names, and not an array of series",
    "check_classifiers_multilabel_representation_invariance": NAMES,
}
"""Checks that do not hold of sequences, or of what this classifier is, and why."""

SLOW = {
    "check_classifiers_train",
    "check_classifiers_classes",
    "check_estimators_dtypes",
    "check_methods_subset_invariance",
}


def called(check):
    """Return the name of a check and what it is asked with."""
    inner = check.func.func if isinstance(check.func, partial) else check.func
    given = {**(check.func.keywords if isinstance(check.func, partial) else {}), **check.keywords}
    return inner.__name__, ",".join(f"{name}={value}" for name, value in given.items())


def checks():
    """Return every check as a parameter of a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it does not inherit from BaseEstimator
        found = [check for _, check in estimator_checks_generator(Classifier(**SIZES))]
    return [parameter(check) for check in found]


def parameter(check):
    name, given = called(check)
    marks = [pytest.mark.xfail(reason=EXPECTED[name], strict=True)] if name in EXPECTED else []
    marks += [pytest.mark.slow] if name in SLOW else []
    return pytest.param(check, marks=marks, id=f"{name}({given})")


@pytest.mark.parametrize("check", checks())
def test_of_scikit_learn(check):
    check(Classifier(**SIZES))


def test_what_is_expected_to_fail_is_checked():
    names = {called(param.values[0])[0] for param in checks()}
    assert names >= EXPECTED.keys() | SLOW
    assert len(names) > 40


@pytest.mark.slow
@pytest.mark.parametrize("given", [{}, {"readonly_memmap": True}, {"readonly_memmap": True, "X_dtype": "float32"}])
def test_the_rest_of_what_a_trained_classifier_does(given, monkeypatch):
    """All of `check_classifiers_train` but that series of another length are refused."""
    tags = Classifier().__sklearn_tags__()
    tags.no_validation = True
    monkeypatch.setattr(Classifier, "__sklearn_tags__", lambda self: tags)
    check_classifiers_train("Classifier", Classifier(**SIZES), **given)


SERIES = np.random.default_rng(0).normal(size=(12, 3))
LABELS = [0, 1] * 6


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda model: model.fit(SERIES + 1j, LABELS), "expected numbers"),
        (lambda model: model.fit(np.where(SERIES > 9, SERIES, {"a": 1}), LABELS), "expected numbers"),
        (lambda model: model.fit(SERIES[:1], LABELS[:1]), "every example is labelled '0'"),
        (lambda model: model.fit(SERIES, LABELS).predict(SERIES[0]), "expected series"),
        (lambda model: model.fit(SERIES, None), "the examples have no labels"),
        (lambda model: model.fit(SERIES[:0], []), "got no series"),
        (lambda model: model.fit(SERIES, [np.nan] * 12), "the examples have no labels"),
        (lambda model: model.fit(SERIES, np.random.default_rng(0).normal(size=12)), "none is left to judge by"),
        (lambda model: model.fit(SERIES, LABELS[1:]), "expected 12 labels"),
    ],
)
def test_what_is_refused_in_words_of_our_own(fit, message):
    with pytest.raises(ValueError, match=message) as caught:
        fit(Classifier(**SIZES))
    assert isinstance(caught.value, OstinatoError)


def test_a_column_of_labels_is_read_like_a_row():
    row, column = (Classifier(**SIZES).fit(SERIES, labels) for labels in (LABELS, np.array(LABELS)[:, None]))
    assert row.predict_proba(SERIES).tobytes() == column.predict_proba(SERIES).tobytes()
