"""The classifier within scikit-learn: validation, search of parameters, pipelines and votes."""

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from ostinato import Classifier
from ostinato.errors import OptionError, OstinatoError, UnfittedError
from tests.small_labels import SIZES, reviews, waves

SMALL = SIZES | {"steps": 12, "evaluations": 1, "threads": 1}


def shouted(texts):
    return [text.upper() for text in texts]


def quietened(texts):
    return [text.lower() for text in texts]


@pytest.mark.parametrize("make", [reviews, waves])
def test_cross_validation_is_training_on_each_fold(make):
    inputs, labels = make(30)
    folds = StratifiedKFold(3)
    found = cross_val_score(Classifier(**SMALL), inputs, labels, cv=folds)
    for score, (train, test) in zip(found, folds.split(inputs, labels), strict=True):
        learned, judged = ([[part[place] for place in some] for part in (inputs, labels)] for some in (train, test))
        assert score == Classifier(**SMALL).fit(*learned).score(*judged)


def test_probabilities_of_what_was_held_out():
    texts, labels = reviews(30)
    found = cross_val_predict(Classifier(**SMALL), texts, labels, cv=3, method="predict_proba")
    assert found.shape == (30, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_search_of_parameters():
    texts, labels = reviews(30)
    search = GridSearchCV(Classifier(**SMALL), {"hidden_size": np.array([2, 5]), "linear": ["never"]}, cv=2)
    search.set_params(scoring=["accuracy", "neg_log_loss", "f1_macro"], refit="neg_log_loss").fit(texts, labels)
    losses = -search.cv_results_["mean_test_neg_log_loss"]
    assert np.isfinite(losses).all()
    assert search.best_params_["hidden_size"] == [2, 5][losses.argmin()]
    assert search.best_estimator_.options_.hidden_size == search.best_params_["hidden_size"]
    assert search.best_estimator_.linear_ is None
    assert search.classes_.tolist() == ["neg", "pos"]
    again = Classifier(**SMALL | search.best_params_).fit(texts, labels)
    assert search.predict_proba(texts).tobytes() == again.predict_proba(texts).tobytes()


def test_a_search_over_what_is_no_option_says_so():
    with pytest.raises(OptionError, match="hidden_sise"):
        GridSearchCV(Classifier(**SMALL), {"hidden_sise": [2]}, error_score="raise").fit(*reviews(12))


@pytest.mark.slow
def test_search_in_several_processes():
    texts, labels = reviews(30)
    alone, together = (
        GridSearchCV(Classifier(**SMALL), {"hidden_size": [2, 5]}, cv=2, n_jobs=jobs).fit(texts, labels)
        for jobs in (1, 2)
    )
    assert alone.cv_results_["mean_test_score"].tolist() == together.cv_results_["mean_test_score"].tolist()


def test_pipelines():
    texts, labels = reviews(30)
    pipeline = make_pipeline(FunctionTransformer(quietened), Classifier(**SMALL))
    assert is_classifier(pipeline)
    assert pipeline.set_params(classifier__hidden_size=3).fit(shouted(texts), labels) is pipeline
    plain = Classifier(**SMALL | {"hidden_size": 3}).fit(texts, labels)
    assert pipeline.predict_proba(shouted(texts)).tobytes() == plain.predict_proba(texts).tobytes()
    assert pipeline.score(texts, labels) == plain.score(texts, labels)
    assert pipeline.classes_.tolist() == plain.classes_.tolist()
    assert 0 <= cross_val_score(pipeline, texts, labels, cv=2).min() <= 1


def test_votes_beside_another_classifier():
    texts, labels = reviews(30)
    others = make_pipeline(TfidfVectorizer(), LogisticRegression())
    vote = VotingClassifier([("network", Classifier(**SMALL)), ("words", others)], voting="soft").fit(texts, labels)
    each = [member.predict_proba(texts) for member in vote.estimators_]
    np.testing.assert_allclose(vote.predict_proba(texts), np.mean(each, axis=0))
    assert vote.score(texts, labels) > 0.5


def test_fitted_models_of_every_fold_go_through_memory():
    texts, labels = reviews(20)
    found = cross_validate(Classifier(**SMALL), texts, labels, cv=2, return_estimator=True)["estimator"][0]
    same = pickle.loads(pickle.dumps(found))
    assert same.predict_proba(texts).tobytes() == found.predict_proba(texts).tobytes()
    assert repr(same) == repr(found)


def test_before_it_has_learned():
    model = clone(Classifier(hidden_size=3))
    assert not hasattr(model, "classes_")
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    with pytest.raises(NotFittedError, match="has not learned anything yet") as caught:
        model.predict(["a"])
    assert isinstance(caught.value, UnfittedError)
    assert isinstance(caught.value, OstinatoError)
    check_is_fitted(Classifier(**SMALL).fit(*reviews(20)))


def test_its_signature_tells_the_parameters():
    known = inspect.signature(Classifier).parameters
    assert {name: one.default for name, one in known.items()} == Classifier().get_params()
    assert known["hidden_size"].kind is inspect.Parameter.KEYWORD_ONLY


def test_parameters_of_a_copy_are_its_own():
    model = Classifier(**SMALL).fit(*reviews(20))
    other = model.reading(text="2")
    other.set_params(hidden_size=77)
    assert model.get_params()["hidden_size"] == SMALL["hidden_size"]


def test_scikit_learn_is_loaded_where_it_is_asked_alone():
    code = """
import sys, ostinato
model = ostinato.Classifier(hidden_size=3).set_params(seed=1)
try:
    model.predict(["a"])
except ostinato.errors.UnfittedError as error:
    print(error.message, model.get_params()["hidden_size"], hasattr(model, "classes_"), "sklearn" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "this classifier has not learned anything yet. 3 False False\n", found.stderr
