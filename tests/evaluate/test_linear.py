"""Ridge regression on windows against scikit-learn's and plain loops over windows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge as Peer

from ostinato.errors import DataError, ShapeError
from ostinato.evaluate import normal_equations
from ostinato.evaluate.linear import PENALTIES, Ridge
from ostinato.evaluate.normal_equations import equations, window_products
from ostinato.evaluate.residuals import quantiles_of, spread
from ostinato.evaluate.windows import rows_of
from tests.comparison import assert_close
from tests.oracles import forecasts as oracle

LOOKBACK, HORIZON = 7, 4
TRAIN, VALIDATION = (3, 90), (90, 130)
ONE = (0.01,)


def series(rows=150, channels=3, seed=0, missing=0.0):
    """Random walks about a season, each in a unit of its own."""
    random = np.random.default_rng(seed)
    season = np.sin(np.arange(rows) * 2 * np.pi / 6)[:, None]
    values = np.cumsum(random.normal(size=(rows, channels)), axis=0) + 3 * season + random.normal(size=(rows, channels))
    values[random.random(values.shape) < missing] = math.nan
    return values * 10.0 ** np.arange(channels) + 5


def peer_matrix(x, y, penalty):
    """S by scikit-learn, of windows that are given one by one."""
    alpha = penalty * (x**2).sum() / x.shape[1]
    return Peer(alpha=alpha, fit_intercept=False, solver="cholesky").fit(x, y).coef_.reshape(y.shape[1], -1).T


def column(values, channel, rows):
    return values[slice(*rows), channel].tolist()


def windows_of(values, channel, rows, **how):
    return oracle.windows([column(values, channel, rows)], LOOKBACK, HORIZON, **how)


def validation_windows(values, channel):
    return windows_of(values, channel, (VALIDATION[0] - LOOKBACK, VALIDATION[1]))


def test_equals_scikit_learn_channel_by_channel():
    values = series()
    ridge = Ridge(LOOKBACK, HORIZON, penalties=ONE).fit(values, TRAIN, VALIDATION)
    for channel in range(3):
        x, y = windows_of(values, channel, TRAIN)
        assert_close(ridge.matrices_[channel], peer_matrix(x, y, *ONE))


def test_the_comparison_can_fail():
    values = series()
    x, y = windows_of(values, 0, (TRAIN[0], TRAIN[1] + 1))
    ridge = Ridge(LOOKBACK, HORIZON, penalties=ONE).fit(values, TRAIN, VALIDATION)
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(ridge.matrices_[0], peer_matrix(x, y, *ONE))


def test_several_series_share_the_matrix_of_each_channel():
    several = [series(rows, seed=rows) for rows in (60, 11, 41)]
    train, validation = [(0, 40), (0, 5), (1, 30)], [(40, 60), (5, 11), (30, 41)]
    ridge = Ridge(LOOKBACK, HORIZON, penalties=ONE).fit(several, train, validation)
    for channel in range(3):
        columns = [column(one, channel, rows) for one, rows in zip(several, train, strict=True)]
        assert_close(ridge.matrices_[channel], peer_matrix(*oracle.windows(columns, LOOKBACK, HORIZON), *ONE))


@pytest.mark.parametrize("missing", [0.0, 0.03])
def test_shared_weighs_windows_alike(missing):
    several = [series(rows, seed=rows, missing=missing) for rows in (60, 41)] + [np.full((30, 3), 2.5)]
    ridge = Ridge(LOOKBACK, HORIZON, penalties=ONE, shared=True).fit(several, (0, 20), [(20, 60), (20, 41), (20, 30)])
    columns = [column(one, channel, (0, 20)) for one in several for channel in range(3)]
    x, y = oracle.windows(columns, LOOKBACK, HORIZON, scaled=True)
    assert len(x) < 9 * 10, "constant windows have no unit and do not count"
    for step in range(HORIZON):
        known = ~np.isnan(y[:, step])
        assert_close(ridge.matrices_[0][:, step], peer_matrix(x[known], y[known, step, None], *ONE)[:, 0])


@pytest.mark.parametrize("missing", [0.02, 0.3])
def test_a_window_counts_for_the_steps_whose_truth_is_known(missing):
    values = series(missing=missing, seed=3)
    ridge = Ridge(LOOKBACK, HORIZON, penalties=ONE).fit(values, TRAIN, VALIDATION)
    for channel in range(3):
        x, y = windows_of(values, channel, TRAIN)
        for step in range(HORIZON):
            known = ~np.isnan(y[:, step])
            expected = peer_matrix(x[known], y[known, step, None], *ONE)[:, 0]
            assert_close(ridge.matrices_[channel][:, step], expected)


def test_long_horizons_with_missing_truth_are_taken_in_blocks():
    horizon = 19
    values = series(missing=0.04, channels=1, seed=5)
    ridge = Ridge(LOOKBACK, horizon, penalties=ONE).fit(values, TRAIN, VALIDATION)
    x, y = oracle.windows([column(values, 0, TRAIN)], LOOKBACK, horizon)
    counts = set()
    for first in range(0, horizon, 3):
        block = slice(first, first + 3)
        known = ~np.isnan(y[:, block]).any(axis=1)
        counts.add(int(known.sum()))
        assert_close(ridge.matrices_[0][:, block], peer_matrix(x[known], y[known, block], *ONE))
    assert len(counts) > 2, "so that blocks are told apart"


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(0, 30))
def test_products_of_windows_follow_from_those_of_their_neighbours(seed, size, more):
    values = np.random.default_rng(seed).normal(size=size + more)
    windows = np.lib.stride_tricks.sliding_window_view(values - values.mean(), size)
    assert_close(window_products(values, size), windows.T @ windows)


@pytest.mark.parametrize("level", [0.0, 1e6])
def test_both_ways_to_the_sums_agree(monkeypatch, level):
    values = series(rows=400, channels=1)[:, 0] + level
    (short,) = equations([values], LOOKBACK, HORIZON, complete=True, scaled=False)
    monkeypatch.setattr(normal_equations, "BLOCK_VALUES", 100)
    gap = np.r_[values, math.nan]  # a row that only the last window has, and leaves out of the count
    (long,) = equations([gap], LOOKBACK, HORIZON, complete=True, scaled=False)
    assert short.windows == long.windows == 390
    for name in ("xx", "xy", "yy"):
        np.testing.assert_allclose(getattr(short, name), getattr(long, name), rtol=1e-9, atol=1e-9 * long.yy)


def test_the_penalty_is_the_best_on_the_validation_windows():
    values = series()
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, TRAIN, VALIDATION)
    for channel in range(3):
        x, y = validation_windows(values, channel)
        assert len(x) == VALIDATION[1] - VALIDATION[0] - HORIZON + 1
        train = windows_of(values, channel, TRAIN)
        errors = [((y - x @ peer_matrix(*train, penalty)) ** 2).sum() for penalty in PENALTIES]
        assert ridge.penalties_[channel] == PENALTIES[int(np.argmin(errors))]
    assert len(set(ridge.penalties_)) > 1, "so that channels are told apart"


def test_forecasts_are_the_last_value_and_the_matrix():
    values = series()
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, TRAIN, VALIDATION)
    history = values[None, 120:140]
    found = ridge.predict(history)
    for channel in range(3):
        last = history[0, -1, channel]
        expected = last + (history[0, -LOOKBACK:, channel] - last) @ ridge.matrices_[channel]
        assert_close(found[0, :, channel], expected)


def test_missing_inputs_are_held_as_in_training():
    values = series(missing=0.3, seed=1)
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, TRAIN, VALIDATION)
    history = np.stack([values[start : start + LOOKBACK] for start in range(60)])
    held = np.array([[oracle.held(history[w, :, c].tolist()) for c in range(3)] for w in range(60)]).transpose(0, 2, 1)
    np.testing.assert_array_equal(ridge.predict(history), ridge.predict(held))


def test_forecasts_follow_a_shift_and_a_scale():
    values = series()
    plain, moved = (Ridge(LOOKBACK, HORIZON).fit(v, TRAIN, VALIDATION) for v in (values, 1000 * values - 70))
    assert_close(moved.matrices_, plain.matrices_)
    history = values[None, :LOOKBACK]
    assert_close(moved.quantiles(1000 * history - 70, (0.2, 0.7)), 1000 * plain.quantiles(history, (0.2, 0.7)) - 70)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_quantiles_are_those_of_the_validation_errors(missing):
    values = series(missing=missing, seed=2)
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, TRAIN, VALIDATION)
    levels = (0.05, 0.5, 0.8)
    history = values[None, -LOOKBACK:]
    found = ridge.quantiles(history, levels) - ridge.predict(history)[..., None]
    for channel in range(3):
        x, y = validation_windows(values, channel)
        expected = np.nanquantile(y - x @ ridge.matrices_[channel], levels, axis=0)
        np.testing.assert_allclose(found[0, :, channel], expected.T, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_shared_quantiles_are_in_units_of_the_lookback():
    several = [series(90, seed=seed, channels=1) * 10.0**seed for seed in range(3)]
    ridge = Ridge(LOOKBACK, HORIZON, shared=True).fit(several, (0, 50), (50, 90))
    errors = []
    for one in several:
        x, y = oracle.windows([column(one, 0, (50 - LOOKBACK, 90))], LOOKBACK, HORIZON)
        errors.append((y - x @ ridge.matrices_[0]) / np.sqrt((x**2).mean(axis=1, keepdims=True)))
    history = 1e5 * several[0][None, :LOOKBACK]
    scale = np.sqrt(((history - history[:, -1:]) ** 2).mean())
    found = ridge.quantiles(history, (0.1, 0.6)) - ridge.predict(history)[..., None]
    assert_close(found[0, :, 0] / scale, np.quantile(np.concatenate(errors), (0.1, 0.6), axis=0).T)


def test_errors_are_taken_from_windows_spread_over_all():
    number, origins = spread([(0, 30), (5, 8), (10, 40)], LOOKBACK, HORIZON, most=1000)
    assert list(zip(number.tolist(), origins.tolist(), strict=True)) == [
        *((0, origin) for origin in range(LOOKBACK, 27)),
        *((2, origin) for origin in range(10 + LOOKBACK, 37)),
    ]
    some = spread([(0, 30), (5, 8), (10, 40)], LOOKBACK, HORIZON, most=5)
    assert some[0].tolist() == [0, 0, 0, 2, 2]
    assert (some[1][0], some[1][-1]) == (LOOKBACK, 36)


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.999))
def test_quantiles_of_what_is_known(seed, level):
    random = np.random.default_rng(seed)
    values = random.normal(size=(random.integers(1, 20), 2, 3))
    values[random.random(values.shape) < 0.3] = math.nan
    values[:, 1, 1] = math.nan
    values[0, 0, 0] = 1.5
    found = quantiles_of(np.sort(values, axis=0), [level])
    for place in np.ndindex(2, 3):
        known = values[(slice(None), *place)][~np.isnan(values[(slice(None), *place)])]
        expected = np.quantile(known, level) if len(known) else np.float64(math.nan)
        assert_close(found[place][0], expected)


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("shared", [False, True])
def test_no_row_after_the_validation_rows_is_looked_at(missing, shared):
    values = series(missing=missing, seed=4)
    marked = values.copy()
    marked[VALIDATION[1] :] = 1e30
    plain, other = (Ridge(LOOKBACK, HORIZON, shared=shared).fit(v, TRAIN, VALIDATION) for v in (values, marked))
    for name in ("matrices_", "penalties_", "residuals_"):
        np.testing.assert_array_equal(getattr(other, name), getattr(plain, name))


@pytest.mark.parametrize("shared", [False, True])
def test_validation_rows_choose_and_teach_nothing(shared):
    values = series()
    marked = values.copy()
    marked[TRAIN[1] :] = np.random.default_rng(9).normal(size=marked[TRAIN[1] :].shape) * 1e20
    marked[: TRAIN[0]] = -1e20
    for penalty in (1e-4, 1.0):
        plain, other = (
            Ridge(LOOKBACK, HORIZON, penalties=[penalty], shared=shared).fit(v, TRAIN, VALIDATION)
            for v in (values, marked)
        )
        np.testing.assert_array_equal(other.matrices_, plain.matrices_)


def test_constant_and_missing_channels_are_forecast_by_their_last_value():
    values = series(channels=4)
    values[:, 1], values[:, 2] = 3.0, math.nan
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, TRAIN, VALIDATION)
    assert not ridge.matrices_[1:3].any()
    assert ridge.matrices_[0].any()
    assert ridge.penalties_[2] == np.median(ridge.penalties_[[0, 1, 3]])
    found = ridge.predict(values[None, -LOOKBACK:])
    np.testing.assert_array_equal(found[0, :, 1], np.full(HORIZON, 3.0))
    assert np.isnan(found[0, :, 2]).all()
    assert np.isfinite(found[0, :, [0, 3]]).all()
    np.testing.assert_array_equal(ridge.predict(np.ones((1, LOOKBACK, 4)))[0, :, 2], np.ones(HORIZON))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("value", [0.0, 5e-324, 1e30])
def test_nothing_but_constants_is_no_failure(shared, value):
    ridge = Ridge(LOOKBACK, HORIZON, shared=shared)
    if shared:
        with pytest.raises(DataError, match="no window"):
            ridge.fit(np.full((150, 2), value), TRAIN, VALIDATION)
    else:
        ridge.fit(np.full((150, 2), value), TRAIN, VALIDATION)
        found = ridge.quantiles(np.full((1, LOOKBACK, 2), value), (0.1, 0.9))
        np.testing.assert_array_equal(found, np.full((1, HORIZON, 2, 2), value))


@pytest.mark.parametrize("windows", [1, 2, LOOKBACK - 2])
def test_fewer_windows_than_unknowns(windows):
    values = series()
    train = (0, LOOKBACK + HORIZON + windows - 1)
    ridge = Ridge(LOOKBACK, HORIZON, penalties=ONE).fit(values, train, (train[1], train[1] + HORIZON))
    x, y = windows_of(values, 0, train)
    assert len(x) == windows
    assert_close(ridge.matrices_[0], peer_matrix(x, y, *ONE))
    assert ridge.residuals_.shape == (1, HORIZON, 3)


def test_a_lookback_of_one_row_is_persistence():
    values = series()
    ridge = Ridge(1, 2).fit(values, TRAIN, VALIDATION)
    np.testing.assert_array_equal(ridge.predict(values[None]), np.repeat(values[None, -1:], 2, axis=1))


@pytest.mark.parametrize(
    ("train", "validation", "said"),
    [
        ((0, 10), (10, 60), "no window lies in the training rows: a window takes 7 rows to look back on and 4"),
        ((0, 60), (60, 63), "no window has its horizon in the validation rows"),
        ((0, 60), (60, 151), r"validation rows 60 to 151 do not lie in a series of 150"),
        ((-1, 60), (60, 90), r"training rows -1 to 60 do not lie"),
        ([(0, 60)] * 2, (60, 90), "2 ranges of training rows were given for 1 series"),
    ],
)
def test_rows_that_do_not_do(train, validation, said):
    with pytest.raises(DataError, match=said):
        Ridge(LOOKBACK, HORIZON).fit(series(), train, validation)


def test_arguments_that_do_not_do():
    values = series()
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, TRAIN, VALIDATION)
    with pytest.raises(ShapeError, match="a lookback of 7 rows, got 6"):
        ridge.predict(values[None, :6])
    with pytest.raises(ShapeError, match=r"\[W, L, C=3\], got \[1, 7, 2\]"):
        ridge.predict(values[None, :7, :2])
    with pytest.raises(DataError, match="levels"):
        ridge.quantiles(values[None], (0.5, 0.5))
    with pytest.raises(ShapeError, match="1 or more rows"):
        Ridge(0, 1)
    with pytest.raises(DataError, match="penalties"):
        Ridge(1, 1, penalties=[0.0])
    with pytest.raises(DataError, match="infinite"):
        ridge.fit(np.array([1.0, math.inf]), (0, 1), (1, 2))
    with pytest.raises(DataError, match="no series"):
        rows_of([])
    with pytest.raises(ShapeError, match=r"\[N, C=1\], got \[2, 2\]"):
        rows_of([[1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]]])
