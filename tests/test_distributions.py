"""Quantile functions against SciPy, and what a network's outputs mean against SciPy and torch's distributions."""

import numpy as np
import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st
from scipy import special, stats

from ostinato.distributions import PARAMETRIC, distribution_of, read_on
from ostinato.nn.likelihood import losses
from ostinato.nn.likelihood import read_on as read_on_torch
from ostinato.quantile_functions import (
    LARGEST_COUNT,
    incomplete_beta,
    negative_binomial_quantile,
    normal_probability,
    normal_quantile,
    student_quantile,
)
from tests.comparison import assert_close
from tests.oracles.forecaster import quantile_loss
from tests.quick import examples

LEVELS = (1e-9, 0.001, 0.1, 0.3, 0.5, 0.50001, 0.9, 0.999, 1 - 1e-9)
LIKELIHOODS = ("quantiles", *PARAMETRIC)
OUTPUTS = {"quantiles": 3, "normal": 2, "student-t": 3, "negative-binomial": 2}
levels = st.floats(1e-9, 1 - 1e-9)


def powers(low, high):
    return st.floats(low, high).map(lambda power: 10.0**power)


# ---- quantile functions


def test_normal_quantiles_and_probabilities_equal_scipy():
    assert_close(normal_quantile(LEVELS), stats.norm.ppf(LEVELS))
    scores = np.array([-np.inf, -8, -0.3, 0, 2, np.inf])
    assert_close(normal_probability(scores), stats.norm.cdf(scores))


def test_the_comparison_can_fail():
    with pytest.raises(AssertionError):
        assert_close(normal_quantile(0.9), stats.norm.ppf(0.9 + 1e-9))
    with pytest.raises(AssertionError):
        assert_close(student_quantile(0.9, 5.0), stats.t.ppf(0.9, 5 + 1e-8))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("freedom", [2.0, 2 + 1e-9, 2.5, 3.0, 7.7, 31, 1000, 1e5])
def test_student_quantiles_equal_scipy(level, freedom):
    expected = stats.t.ppf(level, freedom)
    assert student_quantile(level, freedom) == pytest.approx(expected, rel=1e-10, abs=1e-12)


@examples(20, 1000, levels, powers(np.log10(2), 4))
def test_student_quantiles_have_the_probability_of_their_level(level, freedom):
    found = float(student_quantile(level, freedom))
    assert stats.t.cdf(found, freedom) == pytest.approx(level, rel=1e-8)
    assert found == -student_quantile(1 - level, freedom) or 1 - (1 - level) != level


@examples(30, 1000, levels, powers(-6, 4), powers(-4, 3))
def test_negative_binomial_quantiles_are_the_least_counts_of_their_probability(level, mean, dispersion):
    size = 1 / dispersion
    share = size / (size + mean)
    found = float(negative_binomial_quantile(level, mean, dispersion))
    reached, before = stats.nbinom.cdf([found, found - 1], size, share)
    assert found == np.floor(found) >= 0
    assert reached >= level - 1e-9
    assert before < level + 1e-9
    # Where rounding cannot decide, it is exact.
    assume(min(reached - level, level - before) > 1e-8)
    assert found == stats.nbinom.ppf(level, size, share)


@pytest.mark.parametrize("largest", [3, 1e3, pytest.param(1e7, marks=pytest.mark.slow)])
def test_many_negative_binomial_quantiles_at_a_time_equal_scipy(largest):
    random = np.random.default_rng(int(largest))
    level, mean = random.random(1000), largest ** random.uniform(-1, 1, 1000)
    dispersion = 10 ** random.uniform(-6, 2, 1000)
    size = 1 / dispersion
    found = negative_binomial_quantile(level, mean, dispersion)
    assert np.array_equal(found, stats.nbinom.ppf(level, size, size / (size + mean)))
    assert not np.array_equal(found, stats.nbinom.ppf(level + 0.03 * (1 - level), size, size / (size + mean)))


def test_extreme_counts_end_in_a_number_or_in_none():
    given = np.array([0.0, 1e-300, np.inf, np.nan, 1e300])
    assert np.array_equal(negative_binomial_quantile(0.9, given, 1.0), [0, 0, np.nan, np.nan, LARGEST_COUNT], True)
    assert np.isnan(negative_binomial_quantile(0.5, 3.0, np.inf))
    assert negative_binomial_quantile(0.9, 1e8, 1e300) == 0
    far = stats.nbinom.ppf(0.9999, 1e-3, 1e-3 / (1e-3 + 1e5))
    assert far > 1e8
    assert negative_binomial_quantile(0.9999, 1e5, 1000.0) == pytest.approx(far, rel=1e-7)
    assert np.signbit(negative_binomial_quantile(0.1, 0.01, 1.0)) == 0


@examples(30, 1000, powers(-3, 5), powers(-3, 5), st.floats(1e-6, 1 - 1e-6))
def test_the_incomplete_beta_function_equals_scipy(a, b, x):
    found = incomplete_beta(*(np.array([value]) for value in (a, b, x, 1 - x)))
    assert found[0] == pytest.approx(special.betainc(a, b, x), rel=1e-8, abs=1e-12)


def test_shapes_are_broadcast_and_blocks_do_not_show(monkeypatch):
    freedom, at = np.array([[2.5], [6.0], [90.0]]), np.linspace(0.01, 0.99, 7)
    whole = student_quantile(at, freedom)
    monkeypatch.setattr("ostinato.quantile_functions.BLOCK", 4)
    assert np.array_equal(student_quantile(at, freedom), whole)
    assert_close(whole, stats.t.ppf(at, freedom))
    assert student_quantile(np.zeros((2, 0)), 3.0).shape == (2, 0)


# ---- what outputs mean


def softplus(values):
    return np.log1p(np.exp(-np.abs(values))) + np.maximum(values, 0)


def by_scipy(likelihood, outputs, shift, scale):
    """Return the distribution that outputs [..., P] stand for, in the unit of the targets, from SciPy."""
    shift, scale, first, second = shift, scale, outputs[..., 0], softplus(outputs[..., 1])
    if likelihood == "normal":
        return stats.norm(shift + scale * first, scale * (second + 0.001))
    if likelihood == "student-t":
        return stats.t(2 + softplus(outputs[..., 2]), shift + scale * first, scale * (second + 0.001))
    mean, size = softplus(shift + scale * first), 1 / (second + 1e-6)
    return stats.nbinom(size, size / (size + mean))


def case(likelihood, seed=0, rows=5, steps=4, joint=3, spread=2.0):
    random = np.random.default_rng(seed)
    outputs = spread * random.normal(size=(rows, steps, joint, OUTPUTS[likelihood]))
    shift, scale = np.abs(random.normal(size=(2, rows, 1, joint))) * [[[[30.0]]], [[[7.0]]]]
    return outputs, shift, scale


@pytest.mark.parametrize("likelihood", PARAMETRIC)
def test_quantiles_of_outputs_equal_scipy(likelihood):
    outputs, shift, scale = case(likelihood)
    distribution = distribution_of(likelihood, ())
    assert (distribution.outputs, distribution.middle) == (OUTPUTS[likelihood], 0)
    expected = by_scipy(likelihood, outputs, shift, scale)
    at = np.array([0.05, 0.5, 0.8])
    found = distribution.quantiles(outputs.astype(np.float32), at, shift, scale)
    exact = distribution.quantiles(outputs, at, shift, scale)
    assert found.dtype == np.float64
    for place, level in enumerate(at):
        assert_close(exact[..., place], expected.ppf(level))
        if likelihood != "negative-binomial":
            assert_close(found[..., place].astype(np.float32), expected.ppf(level))
    each = np.random.default_rng(1).random((*outputs.shape[:-1], 6))
    found = distribution.quantiles(outputs, each, shift, scale)
    assert_close(found, np.stack([expected.ppf(each[..., place]) for place in range(6)], axis=-1))


def test_quantiles_are_the_outputs_themselves():
    outputs, shift, scale = case("quantiles")
    distribution = distribution_of("quantiles", (0.2, 0.5, 0.6))
    assert (distribution.outputs, distribution.middle) == (3, 1)
    found = distribution.quantiles(outputs, np.array([0.2, 0.5, 0.6]), shift, scale)
    assert_close(found, outputs * scale[..., None] + shift[..., None])


@pytest.mark.parametrize("likelihood", PARAMETRIC)
def test_losses_equal_scipy_and_torch(likelihood):
    outputs, shift, scale = case(likelihood)
    expected = by_scipy(likelihood, outputs, shift, scale)
    truth = expected.rvs(random_state=np.random.default_rng(3))
    within = (truth - shift) / scale
    found = _losses(likelihood, outputs, within, shift, scale)
    if likelihood == "negative-binomial":
        assert_close(found, -expected.logpmf(truth))
    else:
        assert_close(found, -expected.logpdf(truth) - np.log(scale))
    assert_close(found, -_by_torch(likelihood, outputs, within, shift, scale))
    assert_close(
        _losses(likelihood, outputs.astype(np.float32), within.astype(np.float32), shift, scale), found.float()
    )
    with pytest.raises(AssertionError):
        assert_close(found, -_by_torch(likelihood, outputs + 1e-6, within, shift, scale))


def _losses(likelihood, outputs, truth, shift, scale, at=()):
    return losses(likelihood, *map(torch.as_tensor, (outputs, truth, np.array(at), shift, scale)))


def _by_torch(likelihood, outputs, truth, shift, scale):
    """Return log densities from torch.distributions, in the window's unit, or of counts."""
    first, second, shift, scale, truth = map(torch.tensor, (outputs[..., 0], outputs[..., 1], shift, scale, truth))
    width = torch.nn.functional.softplus(second, threshold=1e9)
    if likelihood == "normal":
        return torch.distributions.Normal(first, width + 0.001).log_prob(truth)
    if likelihood == "student-t":
        freedom = 2 + torch.nn.functional.softplus(torch.tensor(outputs[..., 2]), threshold=1e9)
        return torch.distributions.StudentT(freedom, first, width + 0.001).log_prob(truth)
    mean, size = torch.nn.functional.softplus(shift + scale * first, threshold=1e9), 1 / (width + 1e-6)
    counts = (shift + scale * truth).round()
    return torch.distributions.NegativeBinomial(size, logits=(mean / size).log()).log_prob(counts)


def test_the_loss_of_quantiles_is_the_quantile_loss():
    outputs, shift, scale = case("quantiles")
    truth, at = np.random.default_rng(4).normal(size=outputs.shape[:-1]), (0.2, 0.5, 0.6)
    found = _losses("quantiles", outputs, truth, shift, scale, at)
    assert found.mean().item() == pytest.approx(quantile_loss(truth, np.ones_like(truth), outputs, at))


def test_the_loss_of_counts_is_that_of_the_count_itself():
    """In the window's unit, and in float32, a count of 1,000,003 is none."""
    counts = np.array([0, 1, 17, 1_000_003.0]).reshape(4, 1, 1)
    shift, scale = np.full((4, 1, 1), 999_937.0), np.full((4, 1, 1), 321_077.7)
    outputs = np.tile([0.01, -1.0], (4, 1, 1, 1))
    within = ((counts - shift) / scale).astype(np.float32)
    assert not np.array_equal(shift + scale * within, counts)
    found = _losses("negative-binomial", outputs, within, shift, scale)
    assert_close(found, -by_scipy("negative-binomial", outputs, shift, scale).logpmf(counts))


@pytest.mark.parametrize("likelihood", PARAMETRIC)
@pytest.mark.parametrize("spread", [1, 30, 3000])
def test_far_from_the_truth_losses_and_gradients_are_still_numbers(likelihood, spread):
    outputs, shift, scale = case(likelihood, spread=float(spread))
    given = torch.tensor(outputs.astype(np.float32), requires_grad=True)
    truth = np.round(shift + scale * np.random.default_rng(5).random(outputs.shape[:-1])) - shift
    found = _losses(likelihood, given, truth / scale, shift, scale)
    found.mean().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(given.grad).all()
    assert given.grad[..., 0].count_nonzero() > 0.9 * given.grad[..., 0].numel()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_training_starts_where_the_truth_lies(likelihood):
    random = np.random.default_rng(6)
    rows, segment, joint = 5_000, 2, 3
    means, at = np.array([[20.0, 0.4, 3.0], [5.0, 0.2, 9.0]]), np.array([0.1, 0.5, 0.9])
    truth = random.normal(means, 0.3 * means, (rows, segment, joint))
    if likelihood == "negative-binomial":
        truth = random.negative_binomial(1 / 0.3, 1 / (1 + 0.3 * means), truth.shape).astype(np.float64)
    truth[random.random(truth.shape) < 0.2] = np.nan
    distribution = distribution_of(likelihood, at.tolist())
    start = distribution.start(truth, np.zeros((rows, 1, joint)), np.ones((rows, 1, joint)))
    assert start.shape == (segment, joint, distribution.outputs)
    found = distribution.quantiles(start[None], at, np.zeros((1, 1, joint)), np.ones((1, 1, joint)))[0]
    expected = np.moveaxis(np.nanquantile(truth, at, axis=0), 0, -1)
    if likelihood == "negative-binomial":
        assert np.abs(found - expected).max() <= 1
        fitted = by_scipy(likelihood, start, 0, 1)
        np.testing.assert_allclose(fitted.mean(), np.nanmean(truth, axis=0), rtol=1e-6)
        np.testing.assert_allclose(fitted.std(), np.nanstd(truth, axis=0), rtol=0.05)
    else:
        assert (np.abs(found - expected) <= 0.2 * np.nanstd(truth, axis=0)[..., None]).all()


def test_counts_of_windows_with_a_size_of_their_own_start_at_their_mean():
    random = np.random.default_rng(8)
    size = 10.0 ** random.integers(0, 3, (4000, 1, 1))
    counts, shift = random.poisson(3 * size, (4000, 2, 1)), random.poisson(3 * size)
    start = PARAMETRIC["negative-binomial"].start((counts - shift) / size, shift, size)
    mean = by_scipy("negative-binomial", np.broadcast_to(start, (4000, 2, 1, 2)), shift, size).mean()
    np.testing.assert_allclose(mean.mean(axis=0), counts.mean(axis=0), rtol=1e-6)


@pytest.mark.parametrize("likelihood", PARAMETRIC)
def test_training_starts_with_numbers_from_a_series_that_stands_still(likelihood):
    truth = np.zeros((5, 1, 2))
    for shift in (np.zeros_like(truth), np.full_like(truth, 7)):
        assert np.isfinite(PARAMETRIC[likelihood].start(truth, shift, np.ones_like(truth))).all()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_what_is_read_on_is_the_location_and_of_counts_the_mean(likelihood):
    outputs, shift, scale = case(likelihood)
    location = outputs[..., 0]
    found = read_on(likelihood, location, shift, scale)
    expected = location
    if likelihood == "negative-binomial":
        expected = (by_scipy(likelihood, outputs, shift, scale).mean() - shift) / scale
        assert not np.allclose(expected, location)
    assert_close(found, expected)
    assert_close(read_on_torch(likelihood, *map(torch.tensor, (location, shift, scale))), found)
