"""The forecasts without fitting against plain loops, a window and a channel at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import DataError, ShapeError
from ostinato.evaluate.naive import drift, is_seasonal, naive2, persistence, seasonal_indices, seasonal_naive
from tests.comparison import assert_close
from tests.oracles import forecasts as oracle

METHODS = {
    "persistence": (lambda x, h, m: persistence(x, h), lambda x, h, m: oracle.persistence(x, h)),
    "seasonal_naive": (seasonal_naive, oracle.seasonal_naive),
    "drift": (lambda x, h, m: drift(x, h), lambda x, h, m: oracle.drift(x, h)),
    "naive2": (naive2, oracle.naive2),
}


def histories(random, missing):
    """Positive series, some of them seasonal, of random sizes: [W, L, C] and the season."""
    windows, channels = random.integers(1, 4, 2)
    season, length = int(random.integers(1, 7)), int(random.integers(1, 40))
    pattern = random.uniform(0.5, 2.0, (windows, season, channels))
    level = random.uniform(5, 50, (windows, 1, channels)) + np.linspace(0, 3, length)[:, None]
    values = level * pattern[:, np.arange(length) % season] * random.uniform(0.9, 1.1, (windows, length, channels))
    values[random.random(values.shape) < missing] = math.nan
    return values, season


def expected(method, values, horizon, season):
    point, deviation = np.empty((2, len(values), horizon, values.shape[2]))
    for w, c in np.ndindex(len(values), values.shape[2]):
        point[w, :, c], deviation[w, :, c] = method(values[w, :, c].tolist(), horizon, season)
    return point, deviation


@pytest.mark.parametrize("name", METHODS)
@given(seed=st.integers(0, 2**32 - 1), missing=st.sampled_from([0.0, 0.1, 0.6, 1.0]), horizon=st.integers(1, 9))
def test_equals_plain_loops(name, seed, missing, horizon):
    values, season = histories(np.random.default_rng(seed), missing)
    fast, slow = METHODS[name]
    found, (point, deviation) = fast(values, horizon, season), expected(slow, values, horizon, season)
    assert_close(found.point, point, "point")
    assert_close(found.deviation, deviation, "deviation")


def test_the_comparison_can_fail():
    values, _ = histories(np.random.default_rng(0), 0.0)
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(persistence(values + 0.01, 3).point, expected(METHODS["persistence"][1], values, 3, 1)[0])


def test_seasonality_is_found_where_it_is():
    random = np.random.default_rng(1)
    season = 10 * np.sin(np.arange(96) * 2 * np.pi / 24)
    noise = random.normal(size=(2, 96, 1))
    values = np.concatenate([50 + noise, 50 + season[:, None] + noise], axis=2)
    assert is_seasonal(values, 24).tolist() == [[False, True]] * 2
    assert not is_seasonal(values[:, :71], 24).any()
    found = naive2(values, 30, 24).point
    np.testing.assert_array_equal(found[:, :, 0], np.repeat(values[:, -1:, 0], 30, axis=1))
    np.testing.assert_allclose(found[:, :, 1], np.tile(50 + season[np.arange(30) % 24], (2, 1)), atol=4)


@pytest.mark.parametrize("season", [2, 5, 12])
def test_indices_of_a_pure_season_are_that_season(season):
    pattern = np.random.default_rng(2).uniform(0.5, 2, season)
    series = 7 * np.tile(pattern / pattern.mean(), 12)
    assert_close(seasonal_indices(series[None, :, None], season)[0, :, 0], pattern / pattern.mean())
    assert_close(naive2(series[None, :, None], 2 * season + 1, season).point[0, :, 0], series[: 2 * season + 1])


def test_missing_rows_before_a_history_change_nothing():
    values, season = histories(np.random.default_rng(7), 0.0)
    assert values.shape[1] >= season
    padded = np.concatenate([np.full((len(values), 11, values.shape[2]), math.nan), values], axis=1)
    for fast, _ in METHODS.values():
        for part in (0, 1):
            assert_close(fast(padded, 8, season)[part], fast(values, 8, season)[part])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [0.0, 3.0, -1e30, 5e-324])
def test_constant_histories_stay_constant(name, value):
    found = METHODS[name][0](np.full((2, 30, 1), value), 5, 7)
    np.testing.assert_array_equal(found.point, np.full((2, 5, 1), value))
    np.testing.assert_array_equal(found.deviation, np.zeros((2, 5, 1)))


def test_series_with_negative_values_are_not_adjusted_by_negative_indices():
    values = np.tile([5.0, -4.0, 1.0], 8)[None, :, None]
    assert is_seasonal(values, 3).all()
    np.testing.assert_array_equal(naive2(values, 4, 3).point, np.full((1, 4, 1), 1.0))


@pytest.mark.parametrize("name", METHODS)
def test_one_value_is_a_forecast_without_a_deviation(name):
    found = METHODS[name][0]([[[4.0]]], 3, 2)
    assert found.point.tolist() == [[[4.0]] * 3]
    assert np.isnan(found.deviation).all()


def test_quantiles_are_normal():
    history = np.cumsum(np.random.default_rng(3).normal(size=(1, 4000, 1)), axis=1)
    found = persistence(history, 4)
    bands = found.quantiles((0.1, 0.5, 0.9))
    np.testing.assert_array_equal(bands[..., 1], found.point)
    np.testing.assert_allclose((bands[..., 2] - bands[..., 0])[0, :, 0], 2 * 1.2816 * np.sqrt([1, 2, 3, 4]), rtol=0.05)
    with pytest.raises(DataError, match="levels of quantiles"):
        found.quantiles((0.9, 0.1))


@pytest.mark.parametrize("shape", [(3, 2), (3, 0, 1)])
def test_histories_of_other_shapes(shape):
    with pytest.raises(ShapeError, match="a history"):
        persistence(np.zeros(shape), 2)
