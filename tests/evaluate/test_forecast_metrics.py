"""The figures against plain loops, in any cut and with values missing anywhere."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import DataError, ShapeError
from ostinato.evaluate.forecast_metrics import Scores, central_intervals, owa, seasonal_scale
from tests.comparison import assert_close
from tests.oracles import forecasts as oracle

LEVELS = (0.05, 0.1, 0.5, 0.9, 0.97)
SEEDS = st.integers(0, 2**32 - 1)


class Case:
    """Random forecasts of W windows, H steps, C channels and S series, a share of all kinds of values missing."""

    def __init__(self, seed, missing=0.2):
        random = np.random.default_rng(seed)
        self.shape = windows, _, channels = tuple(random.integers(1, 6, 3))
        self.groups = int(random.integers(1, 5))
        self.truth = np.round(random.normal(size=self.shape), 1) * 10.0 ** random.integers(-3, 4)
        self.point = self.truth + np.round(random.normal(size=self.shape), 1)
        self.quantiles = np.sort(self.point[..., None] + random.normal(size=(*self.shape, len(LEVELS))), axis=-1)
        self.group = random.integers(0, self.groups, (windows, channels))
        self.scale = random.choice([0.0, 0.5, 2.5, math.nan], (windows, channels))
        for array in (self.truth, self.point, self.quantiles):
            array[random.random(array.shape) < missing / (array.ndim - 2)] = math.nan

    def scores(self, cuts=()):
        scores = Scores(self.shape[1], self.groups, LEVELS)
        for part in np.split(np.arange(self.shape[0]), sorted(cuts)):
            arrays = (self.truth, self.point, self.quantiles, self.group, self.scale)
            scores.add(*(array[part] for array in arrays))
        return scores

    def expected(self, chosen=lambda step, group: True):
        cases = [
            (self.truth[w, h, c], self.point[w, h, c], self.quantiles[w, h, c], self.scale[w, c])
            for w, h, c in np.ndindex(*self.shape)
            if chosen(h, self.group[w, c])
        ]
        return oracle.figures(cases, LEVELS)

    def expected_steps(self):
        return stacked([self.expected(lambda h, g, step=step: h == step) for step in range(self.shape[1])])

    def expected_series(self):
        return stacked([self.expected(lambda h, g, one=one: g == one) for one in range(self.groups)])


def stacked(parts):
    return {name: np.array([part[name] for part in parts], float) for name in parts[0]}


def as_arrays(figures):
    return {name: np.float64(value) for name, value in figures.items()}


@given(SEEDS)
def test_overall_by_step_and_by_series_equal_plain_loops(seed):
    case = Case(seed)
    scores = case.scores()
    assert_close(as_arrays(scores.overall()), as_arrays(case.expected()), "overall")
    assert_close(scores.by_step(), case.expected_steps(), "by step")
    assert_close(scores.by_series(), case.expected_series(), "by series")


def test_the_comparison_can_fail():
    case, other = Case(1), Case(1)
    other.truth[np.unravel_index(np.nanargmax(other.truth), other.shape)] *= 1.01
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(case.scores().by_step(), other.expected_steps())


@given(SEEDS, st.lists(st.integers(0, 5), max_size=4))
def test_batches_may_be_cut_anywhere(seed, cuts):
    case = Case(seed)
    whole, cut = case.scores(), case.scores(cuts)
    for view in (Scores.overall, Scores.by_step, Scores.by_series):
        for name, value in view(whole).items():
            np.testing.assert_allclose(view(cut)[name], value, rtol=1e-12, atol=0, err_msg=name)


@given(SEEDS)
def test_what_is_forecast_for_missing_truth_counts_nowhere(seed):
    case, other = Case(seed), Case(seed)
    other.point[np.isnan(other.truth)] = 1e30
    other.quantiles[np.isnan(other.truth)] = -1e30
    assert str(case.scores().by_step()) == str(other.scores().by_step())


def test_columns_are_series_by_default_and_a_scale_may_be_one_for_all_windows():
    truth, point = np.array([[[1.0, 10.0]], [[3.0, 10.0]]]), np.array([[[2.0, 10.0]], [[0.0, 30.0]]])
    scores = Scores(horizon=1, groups=2)
    scores.add(truth, point, scale=[4.0, 5.0])
    assert scores.by_series()["mae"].tolist() == [2.0, 10.0]
    assert scores.by_series()["mase"].tolist() == [0.5, 2.0]
    assert scores.overall()["mse"] == (1 + 9 + 0 + 400) / 4
    assert "wql" not in scores.overall()


def test_known_values():
    scores = Scores(horizon=2, groups=1, levels=(0.25, 0.75))
    scores.add([[[0.0], [8.0]]], [[[0.0], [4.0]]], [[[[0.0, 1.0]], [[6.0, 6.5]]]])
    found = scores.overall()
    assert found["smape"] == 200 * (0 + 4 / 12) / 2
    # Pinball losses at 0.25: 0, 0.5; at 0.75: 0.25, 1.125.
    assert found["wql"] == pytest.approx((2 * 0.5 / 8 + 2 * 1.375 / 8) / 2, rel=1e-15)
    assert (found["coverage_50"], found["width_50"]) == (0.5, 0.75)


def test_nothing_counted_is_no_number():
    found = Scores(horizon=2, groups=3, levels=(0.1, 0.9)).overall()
    assert found["count"] == 0
    assert all(math.isnan(found[name]) for name in ("mse", "mae", "smape", "mase", "wql", "coverage_80", "width_80"))


def test_central_intervals_go_by_symmetric_levels():
    assert central_intervals((0.025, 0.1, 0.5, 0.9, 0.975)) == {"95": (0, 4), "80": (1, 3)}
    assert central_intervals((0.2, 0.5, 0.7)) == {}


@given(st.lists(st.sampled_from([math.nan, 0.0, 1.5, -2.0, 7.25]), max_size=12), st.integers(1, 5))
def test_seasonal_scale(series, season):
    found = seasonal_scale(np.array(series, float).reshape(-1, 1), season)
    assert_close(found, np.array([oracle.seasonal_scale(series, season)]))


def test_owa_is_the_mean_of_two_ratios():
    assert owa({"smape": 13.0, "mase": 1.0}, {"smape": 26.0, "mase": 4.0}) == 0.375
    assert math.isnan(owa({"smape": 13.0, "mase": 1.0}, {"smape": 0.0, "mase": 4.0}))


@pytest.mark.parametrize("levels", [(0.0, 0.5), (0.5, 1.0), (0.9, 0.1), (0.5, 0.5), (math.nan,)])
def test_levels_that_are_none(levels):
    with pytest.raises(DataError, match="levels of quantiles rise"):
        Scores(1, 1, levels)


def test_shapes_are_checked():
    scores, y = Scores(2, 2, (0.1, 0.9)), np.zeros((3, 2, 2))
    with pytest.raises(ShapeError, match=r"truth of shape \[W, H=2, C\], got \[3, 1, 2\]"):
        scores.add(y[:, :1], y)
    with pytest.raises(ShapeError, match=r"point of shape \[W=3, H=2, C=2\], got \[3, 2, 1\]"):
        scores.add(y, y[..., :1])
    with pytest.raises(ShapeError, match="Q=2"):
        scores.add(y, y, np.zeros((3, 2, 2, 3)))
    with pytest.raises(ShapeError, match="scale"):
        scores.add(y, y, scale=[1.0])
    with pytest.raises(DataError, match="belongs to series 0 to 2, but there are 2"):
        scores.add(y, y, group=[0, 2])
    assert scores.overall()["count"] == 0
