"""Several predictions as one: the weights against scipy's, and what must hold of them."""

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax

from ostinato.evaluate.classification_metrics import classification_figures
from ostinato.evaluate.mixture import LEAST, PRIOR, fit_weights, mixed
from tests.quick import examples


def problem(seed=0, count=80, classes=3, sharpness=(1.0, 0.4)):
    """Return parts that know something of the truth, each so much, and the truth."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, count)
    told = np.eye(classes)[truth]
    parts = [
        log_softmax(sharp * (told + random.normal(size=(count, classes))) * random.uniform(0.3, 6), axis=1)
        for sharp in sharpness
    ]
    return parts, truth


def penalised(weights, parts, truth, counts=None):
    """The sum that the weights minimise, from the module's own formula."""
    scores = sum(w * np.maximum(part, LEAST) for w, part in zip(weights, parts, strict=True))
    losses = -log_softmax(scores, axis=1)[np.arange(len(truth)), truth]
    counts = np.ones(len(truth)) if counts is None else counts * len(counts) / counts.sum()
    return (losses * counts).sum() + PRIOR / 2 * ((np.asarray(weights) - 1 / len(parts)) ** 2).sum()


def by_scipy(parts, truth, counts=None):
    start = np.full(len(parts), 1 / len(parts))
    bounds = [(0, None)] * len(parts)
    found = minimize(
        penalised,
        start,
        (parts, truth, counts),
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-14, "gtol": 1e-9},
    )
    return found.x


@pytest.mark.parametrize("sharpness", [(1.0,), (1.0, 0.4), (1.0, 0.0), (0.7, 0.5, 0.9), (1.0, -0.6)], ids=str)
@pytest.mark.parametrize("classes", [2, 5])
def test_weights_are_those_of_the_least_sum(sharpness, classes):
    for seed in range(4):
        parts, truth = problem(seed, classes=classes, sharpness=sharpness)
        counts = None if seed % 2 else np.random.default_rng(seed).uniform(0.1, 3, len(truth))
        found, expected = fit_weights(parts, truth, counts), by_scipy(parts, truth, counts)
        assert found == pytest.approx(expected, abs=1e-4)
        # It is the least: no weights nearby, nor scipy's, give less.
        least = penalised(found, parts, truth, counts)
        assert least <= penalised(expected, parts, truth, counts) + 1e-9
        for place in range(len(found)):
            for step in (-0.01, 0.01):
                beside = [max(0, w + step * (k == place)) for k, w in enumerate(found)]
                assert least <= penalised(beside, parts, truth, counts) + 1e-9


@examples(25, 300, st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 30), st.integers(2, 4))
def test_weights_are_finite_and_never_below_0(seed, size, count, classes):
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, count)
    parts = [
        log_softmax(random.normal(size=(count, classes)) * 10 ** random.uniform(-2, 2), axis=1) for _ in range(size)
    ]
    with np.errstate(divide="ignore"):
        parts[0] = np.log(np.round(np.exp(parts[0]), 1) / np.round(np.exp(parts[0]), 1).sum(axis=1, keepdims=True))
    weights = fit_weights(parts, truth)
    assert len(weights) == size
    assert np.isfinite(weights).all()
    assert min(weights) >= 0
    start = [1 / size] * size
    assert penalised(weights, parts, truth) <= penalised(start, parts, truth) + 1e-9


def test_one_part_has_one_weight_its_temperature():
    """Sharper by a factor than what is true, it gets nearly the inverse of that factor."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(20_000, 3)) * 1.5
    truth = np.array([random.choice(3, p=p) for p in np.exp(log_softmax(scores, axis=1))])
    for factor in (0.5, 1.0, 3.0):
        (weight,) = fit_weights([log_softmax(factor * scores, axis=1)], truth)
        assert weight == pytest.approx(1 / factor, rel=0.05)


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_one_part_that_is_too_sure_or_not_sure_enough_comes_to_mean_what_it_says(factor):
    """On decisions that the weight was not fitted to; which class is likeliest stays as it was."""
    random = np.random.default_rng(1)
    scores = random.normal(size=(8000, 5)) * 2
    truth = np.array([random.choice(5, p=p) for p in np.exp(log_softmax(scores, axis=1))])
    said = log_softmax(factor * scores, axis=1)
    weights = fit_weights([said[:4000]], truth[:4000])
    found = mixed([said[4000:]], weights)
    before, after = (classification_figures(truth[4000:], each) for each in (said[4000:], found))
    assert after["accuracy"] == before["accuracy"]
    assert after["calibration_error"] < 0.025 < 0.1 < before["calibration_error"]
    assert after["log_loss"] < before["log_loss"]


def test_a_useless_part_gets_next_to_nothing():
    random = np.random.default_rng(1)
    (useful,), truth = problem(1, 2000, sharpness=(1.0,))
    noise = log_softmax(random.normal(size=useful.shape) * 3, axis=1)
    first, second = fit_weights([useful, noise], truth)
    assert second < 0.05 < first
    wrong = log_softmax(-3.0 * np.eye(3)[truth], axis=1)
    assert fit_weights([useful, wrong], truth)[1] == 0


def test_of_two_halves_of_what_is_known_both_count():
    random = np.random.default_rng(2)
    halves = random.normal(size=(2, 4000, 3)) * 1.5
    truth = np.array([random.choice(3, p=p) for p in np.exp(log_softmax(halves.sum(axis=0), axis=1))])
    weights = fit_weights([log_softmax(half, axis=1) for half in halves], truth)
    assert weights == pytest.approx([1, 1], rel=0.1)


def test_what_is_told_without_fail_stays_finite():
    truth = np.arange(50) % 2
    sure = np.where(np.eye(2)[truth] == 1, 0.0, -np.inf)
    unsure = log_softmax(0.1 * np.eye(2)[truth], axis=1)
    for parts in ([sure], [unsure], [sure, unsure], [unsure, unsure, sure]):
        weights = fit_weights(parts, truth)
        assert np.isfinite(weights).all()
        together = mixed(parts, weights)
        assert np.isfinite(together).all()
        assert (together.argmax(axis=1) == truth).all()
        assert max(weights) < 100


def test_few_decisions_leave_the_weights_near_their_mean():
    weak, truth = problem(3, 3000, sharpness=(0.05, 0.05))
    off = [np.abs(np.array(fit_weights([part[:few] for part in weak], truth[:few])) - 0.5).max() for few in (3, 3000)]
    assert off[0] < 0.2 < off[1]


def test_decisions_that_count_more_have_more_to_say():
    parts, truth = problem(4, 60)
    twice = fit_weights([np.concatenate([part, part[:20]]) for part in parts], np.concatenate([truth, truth[:20]]))
    counts = np.where(np.arange(60) < 20, 2.0, 1.0)
    # Counts are taken per decision on average, which is 3/4 as many here: only the prior tells that.
    assert fit_weights(parts, truth, counts) == pytest.approx(twice, rel=0.1)
    assert fit_weights(parts, truth, 7 * counts) == pytest.approx(fit_weights(parts, truth, counts))
    assert fit_weights(parts, truth) != pytest.approx(fit_weights(parts, truth, counts), rel=1e-3)


def test_mixed_is_a_distribution_of_the_weighed_sum():
    parts, _ = problem()
    found = mixed(parts, [0.7, 0.2])
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, log_softmax(0.7 * parts[0] + 0.2 * parts[1], axis=1))
    np.testing.assert_allclose(mixed([parts[0]], [1.0]), parts[0])
    with np.errstate(divide="ignore"):
        never = np.log(np.array([[1.0, 0.0]]))
    assert np.exp(mixed([never], [1.0]))[0, 1] == pytest.approx(np.exp(LEAST), rel=1e-6)
