"""The share of a forecast in a mean of two, against a search over shares."""

import numpy as np
import pytest

from ostinato.evaluate.share import Pair, best_share

ALONE = 1e12
"""So many windows that each channel counts for itself."""


def pair(seed=0, series=1, windows=40, steps=5, channels=3):
    random = np.random.default_rng(seed)
    truth = random.normal(size=(windows, steps, channels))
    first = truth + random.normal(0, 0.5, truth.shape) * [0.3, 1, 4]
    second = truth + random.normal(0, 0.5, truth.shape)
    return Pair(random.integers(0, series, windows), first, second, truth)


def searched(given):
    grid = np.linspace(0, 1, 2001)[:, None, None, None]
    mixed = grid * given.first + (1 - grid) * given.second
    return np.linspace(0, 1, 2001)[np.nanmean((mixed - given.truth) ** 2, axis=(1, 2)).argmin(axis=0)]


def test_one_series_takes_the_share_of_least_squared_error():
    given = pair()
    found = best_share([given], 1, 3, ALONE)
    np.testing.assert_allclose(found, searched(given), atol=3e-4)
    assert 0 < found[2] < 0.5 < found[0] < 1
    halves = [Pair(*(part[rows] for part in given)) for rows in (slice(17), slice(17, None))]
    np.testing.assert_allclose(best_share(halves, 1, 3, ALONE), found)


def test_of_many_series_each_counts_the_same():
    given = pair(1, series=4)
    large = 1000 ** (given.series[:, None, None] == 2)
    scaled = Pair(given.series, *(part * large for part in given[1:]))
    each = [searched(Pair(*(part[given.series == one] for part in given))) for one in range(4)]
    for one in (given, scaled):
        np.testing.assert_allclose(best_share([one], 4, 3, ALONE), np.mean(each, axis=0), atol=5e-4)


def test_a_forecast_that_is_only_worse_gets_nothing_and_one_that_is_right_all():
    given = pair()
    away = given._replace(first=given.second + 5 * (given.second - given.truth))
    assert best_share([away], 1, 3, ALONE) == pytest.approx(np.zeros(3))
    assert best_share([given._replace(first=given.truth)], 1, 3, ALONE) == pytest.approx(np.ones(3))


def test_what_is_missing_is_left_out_and_where_nothing_is_left_the_first_counts():
    given = pair()
    truth = given.truth.copy()
    truth[3:9, :, 0], truth[:, 2] = np.nan, np.nan
    spoilt = given._replace(truth=truth)
    np.testing.assert_allclose(best_share([spoilt], 1, 3, ALONE), searched(spoilt), atol=3e-4)
    assert np.array_equal(best_share([given._replace(second=np.full_like(truth, np.nan))], 2, 3, ALONE), np.ones(3))
    assert np.array_equal(best_share([], 2, 3, ALONE), np.ones(3))


def test_few_windows_draw_a_channel_to_the_mean_of_all():
    given = pair()
    own = best_share([given], 1, 3, ALONE)
    assert best_share([given], 1, 3, 0) == pytest.approx(np.full(3, own.mean()))
    assert best_share([given], 1, 3, 30) == pytest.approx((own + own.mean()) / 2)
    first = given.first.copy()
    first[:, :, 1] = np.nan
    left = best_share([given._replace(first=first)], 1, 3, ALONE)
    assert left == pytest.approx([own[0], (own[0] + own[2]) / 2, own[2]])
