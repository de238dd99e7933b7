"""The temperature of probabilities, against a general minimiser."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ostinato.errors import DataError
from ostinato.evaluate.calibration import MOST, fit_temperature, tempered
from ostinato.evaluate.classification_metrics import classification_figures
from tests.comparison import assert_close

SEEDS = st.integers(0, 2**32 - 1)


def loss_at(temperature, truth, scores):
    return -log_softmax(scores / temperature, axis=1)[np.arange(len(truth)), truth].mean()


def drawn(random, count, classes, sharpness):
    """Return scores [N, O] that are too sure by a factor, and truth drawn by the probabilities that are meant."""
    meant = random.normal(size=(count, classes)) * 2
    p = np.exp(log_softmax(meant, axis=1))
    truth = np.array([random.choice(classes, p=row) for row in p])
    return truth, log_softmax(sharpness * meant, axis=1)


@given(SEEDS, st.floats(-2, 2))
def test_the_temperature_is_the_best_and_never_worse_than_1(seed, power):
    random = np.random.default_rng(seed)
    truth, scores = drawn(random, int(random.integers(1, 30)), int(random.integers(2, 6)), 10.0**power)
    found = fit_temperature(truth, scores)
    loss = loss_at(found, truth, scores)
    assert loss <= loss_at(1.0, truth, scores) + 1e-12
    if (scores.argmax(axis=1) == truth).all():
        assert found == 1
        return
    bounds = (-math.log(MOST), math.log(MOST))
    best = minimize_scalar(lambda x: loss_at(math.exp(x), truth, scores), bounds=bounds, method="bounded")
    assert loss <= best.fun + 1e-9


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_what_was_too_sure_by_a_factor_is_divided_by_it(sharpness):
    random = np.random.default_rng(1)
    truth, scores = drawn(random, 4000, 5, sharpness)
    temperature = fit_temperature(truth, scores)
    assert temperature == pytest.approx(sharpness, rel=0.06)
    further, more = drawn(random, 4000, 5, sharpness)
    before, after = (classification_figures(further, each) for each in (more, tempered(more, temperature)))
    assert after["accuracy"] == before["accuracy"]
    assert after["calibration_error"] < 0.025
    if sharpness != 1:
        assert before["calibration_error"] > 0.1
        assert after["log_loss"] < before["log_loss"]


def test_scores_may_lie_anywhere():
    truth, scores = drawn(np.random.default_rng(2), 50, 3, 3.0)
    moved = scores + np.linspace(-50, 50, 50)[:, None]
    assert fit_temperature(truth, moved) == pytest.approx(fit_temperature(truth, scores), rel=1e-6)


def test_where_all_is_right_nothing_tells_how_sure_to_be():
    assert fit_temperature([0, 1], np.log([[0.6, 0.4], [0.3, 0.7]])) == 1
    assert fit_temperature([0, 0], np.log([[0.5, 0.5], [0.7, 0.3]])) == 1


def test_bounds():
    """What is always wrong should say nothing, and what errs by a hair among much that is right be almost certain."""
    assert fit_temperature([1, 0], np.log([[0.9, 0.1], [0.2, 0.8]])) == MOST
    hair = np.array([[0.0, 1e-9], [0.0, -0.01], [0.0, -0.01]])
    assert fit_temperature([0, 0, 0], hair) == pytest.approx(1 / MOST)


def test_probabilities_of_0_stay_0_and_have_no_say():
    log_p = np.log([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
    expected = fit_temperature([0, 1, 0], log_p)
    with_zero = np.concatenate([log_p, np.full((3, 1), -np.inf)], axis=1)
    assert fit_temperature([0, 1, 0], with_zero) == pytest.approx(expected, rel=1e-9)
    unknown = np.concatenate([with_zero, [[math.log(0.5), math.log(0.5), -np.inf, -np.inf]]])
    assert fit_temperature([0, 1, 0, 3], unknown) == pytest.approx(expected, rel=1e-9)
    assert fit_temperature([3], with_zero[:1]) == 1
    found = tempered(with_zero, 2.0)
    assert (found[:, 3] == -np.inf).all()
    assert_close(found[:, :3], log_softmax(log_p / 2, axis=1))


def test_nothing_to_fit_is_refused():
    with pytest.raises(DataError, match="no decision to judge"):
        fit_temperature([], np.zeros((0, 3)))
