"""Walking over origins: what is handed out, what is scored, and that nothing beyond an origin is ever seen."""

import math

import numpy as np
import pytest

from ostinato.errors import DataError, ShapeError
from ostinato.evaluate.backtest import Windows, backtest, baselines, origins
from ostinato.evaluate.forecast_metrics import Scores, seasonal_scale
from ostinato.evaluate.linear import Ridge
from tests.comparison import assert_close

LEVELS = (0.1, 0.5, 0.9)
HORIZON, LOOKBACK, SEASON = 5, 24, 6


def series(rows=120, channels=2, seed=0, missing=0.05):
    random = np.random.default_rng(seed)
    values = np.cumsum(random.normal(size=(rows, channels)), axis=0) + 30 * (1 + np.arange(channels))
    values += 5 * np.sin(np.arange(rows) * 2 * np.pi / SEASON)[:, None]
    values[random.random(values.shape) < missing] = math.nan
    return values


def mean_of_history(windows):
    point = np.repeat(np.nanmean(windows.history, axis=1, keepdims=True), HORIZON, axis=1)
    return point, point[..., None] + np.array([-1.0, 0.0, 2.0])


def test_origins():
    assert origins(10, 15).tolist() == [10, 11, 12, 13, 14]
    assert origins(10, 30, stride=7, horizon=4).tolist() == [10, 17, 24]
    assert origins(10, 14, horizon=4).tolist() == [10]
    with pytest.raises(DataError, match="rows 10 to 13 have no room for a horizon of 4 rows"):
        origins(10, 13, horizon=4)
    with pytest.raises(DataError, match="stride"):
        origins(0, 9, 0)


@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_scores_equal_those_of_windows_cut_by_hand(batch_size):
    values, places = series(), [1, 40, 41, 100, 118]
    scale = seasonal_scale(values[:60], SEASON)
    found = backtest(
        values,
        places,
        {"mean": mean_of_history},
        lookback=LOOKBACK,
        horizon=HORIZON,
        levels=LEVELS,
        scale=scale,
        batch_size=batch_size,
    )
    expected = Scores(HORIZON, 2, LEVELS)
    for place in places:
        history = np.full((1, LOOKBACK, 2), math.nan)
        history[0, -min(place, LOOKBACK) :] = values[max(place - LOOKBACK, 0) : place]
        truth = np.full((1, HORIZON, 2), math.nan)
        truth[0, : len(values) - place] = values[place : place + HORIZON]
        expected.add(truth, *mean_of_history(Windows(history, None, None)), scale=scale)
    assert_close(found["mean"].by_step(), expected.by_step())
    assert_close(found["mean"].by_series(), expected.by_series())


def test_several_series_have_origins_scales_and_figures_of_their_own():
    several = [series(50, seed=1), series(9, seed=2), series(70, seed=3)]
    places = [[30, 31], [], [60]]
    scale = np.arange(1.0, 7.0).reshape(3, 2)
    seen = []

    def forecast(windows):
        seen.extend(zip(windows.series.tolist(), windows.origins.tolist(), strict=True))
        return np.repeat(windows.history[:, -1:], HORIZON, axis=1), None

    found = backtest(several, places, {"x": forecast}, lookback=4, horizon=HORIZON, scale=scale)["x"].by_series()
    assert seen == [(0, 30), (0, 31), (2, 60)]
    for number, channel in np.ndindex(3, 2):
        expected = Scores(HORIZON, 1)
        for place in places[number]:
            one = several[number][:, channel, None]
            point = np.repeat(one[None, place - 1 : place], HORIZON, axis=1)
            expected.add(one[None, place : place + HORIZON], point, scale=scale[number, channel, None])
        group = {name: value[2 * number + channel] for name, value in found.items()}
        assert_close(group, {name: np.float64(value) for name, value in expected.overall().items()})


class Recorder:
    """Forecasters that also keep what they said."""

    def __init__(self, forecasters):
        self.said = {name: [] for name in forecasters}
        self.forecasters = {name: self.recorded(name, forecast) for name, forecast in forecasters.items()}

    def recorded(self, name, forecast):
        def record(windows):
            found = forecast(windows)
            self.said[name].append(found)
            return found

        return record


def everything(values, place):
    """Return every number that comes before the comparison with truth: fits, choices, scale and forecasts."""
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, (0, 60), (60, place))
    shared = Ridge(LOOKBACK, HORIZON, shared=True).fit(values, (0, 60), (60, place))
    recorder = Recorder(
        baselines(HORIZON, SEASON, LEVELS, ridge) | {"shared": baselines(HORIZON, 1, LEVELS, shared)["linear"]}
    )
    backtest(values, [place], recorder.forecasters, lookback=place, horizon=HORIZON, levels=LEVELS)
    return recorder.said | {
        "fits": [ridge.matrices_, ridge.penalties_, ridge.residuals_, shared.matrices_, shared.penalties_],
        "scale": [seasonal_scale(values[:60], SEASON)],
    }


def numbers_of(found):
    return [
        np.asarray(array)
        for parts in found.values()
        for part in parts
        for array in (part if isinstance(part, tuple) else [part])
    ]


@pytest.mark.parametrize("place", [90, 97, 115])
def test_a_huge_value_after_the_origin_changes_nothing_before_it(place):
    values = series()
    marked = values.copy()
    marked[place:] = 1e30
    plain, other = numbers_of(everything(values, place)), numbers_of(everything(marked, place))
    assert len(plain) == 2 * 6 + 6
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_test_for_leaks_can_fail():
    values = series(missing=0)
    marked = values.copy()
    marked[89:] = 1e30
    plain, other = numbers_of(everything(values, 90)), numbers_of(everything(marked, 90))
    assert any(not np.array_equal(one, two) for one, two in zip(plain, other, strict=True))


def test_a_forecaster_cannot_reach_the_truth_nor_change_what_others_see():
    def greedy(windows):
        assert windows.history.base is None, "its memory ends where the window does"
        for array in windows:
            array[:] = 10**6
        return np.zeros((len(windows.history), HORIZON, 2)), None

    seen = []

    def honest(windows):
        seen.append([array.copy() for array in windows])
        return np.zeros((len(windows.history), HORIZON, 2)), None

    values = series(missing=0)
    before = values.copy()
    found = backtest(values, [50, 60], {"greedy": greedy, "honest": honest}, lookback=3, horizon=HORIZON)
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(seen[0][0], np.stack([values[47:50], values[57:60]]))
    assert found["greedy"].overall() == pytest.approx(found["honest"].overall(), nan_ok=True)


def test_refitting_is_a_forecaster_that_learns_anew():
    values = series(missing=0)

    def refit(windows):
        points = [
            Ridge(LOOKBACK, HORIZON).fit(values, (0, int(o) - 20), (int(o) - 20, int(o))).predict(history[None])[0]
            for history, o in zip(windows.history, windows.origins, strict=True)
        ]
        return np.stack(points), None

    places = origins(90, 120, 10, HORIZON)
    found = backtest(values, places, {"refit": refit}, lookback=LOOKBACK, horizon=HORIZON, batch_size=2)
    assert found["refit"].overall()["count"] == 3 * HORIZON * 2


def test_baselines_know_a_season_when_there_is_one():
    values = series(400, missing=0.02)
    ridge = Ridge(LOOKBACK, HORIZON).fit(values, (0, 200), (200, 300))
    told = []
    found = backtest(
        values,
        origins(300, 400, horizon=HORIZON),
        baselines(HORIZON, SEASON, LEVELS, ridge),
        lookback=60,
        horizon=HORIZON,
        levels=LEVELS,
        batch_size=50,
        progress=told.append,
    )
    mae = {name: scores.overall()["mae"] for name, scores in found.items()}
    assert list(mae) == ["persistence", "seasonal naive", "drift", "Naive2", "linear"]
    assert min(mae, key=mae.get) == "linear"
    assert mae["seasonal naive"] < 0.7 * mae["persistence"]
    assert mae["Naive2"] < 0.8 * mae["persistence"]
    assert 0.6 < found["linear"].overall()["coverage_80"] < 0.95
    assert told == [50 / 96, 1.0]
    assert "linear" not in baselines(HORIZON, SEASON)


def test_a_history_without_any_value_is_left_unanswered_and_said():
    values = series(missing=0)
    values[:30, 0] = math.nan
    found = backtest(values, [20], baselines(HORIZON, SEASON), lookback=LOOKBACK, horizon=HORIZON)
    for scores in found.values():
        assert scores.overall()["unanswered"] == 0, "its truth is missing, too"
    values[20:, 0] = 1.0
    for scores in backtest(values, [20], baselines(HORIZON, SEASON), lookback=LOOKBACK, horizon=HORIZON).values():
        assert scores.by_series()["unanswered"].tolist() == [HORIZON, 0]
        assert scores.by_series()["count"].tolist() == [0, HORIZON]


def test_arguments_that_do_not_do():
    values, forecasters = series(), {"mean": mean_of_history}
    for place in (0, 120, -3):
        with pytest.raises(DataError, match="do not lie in series 0, of 120 rows"):
            backtest(values, [50, place], forecasters, lookback=3, horizon=HORIZON)
    with pytest.raises(DataError, match="origins were given for 1 series of 2"):
        backtest([values, values], [[50]], forecasters, lookback=3, horizon=HORIZON)
    with pytest.raises(ShapeError, match=r"point of shape \[W=1, H=4, C=2\]"):
        backtest(values, [50], forecasters, lookback=3, horizon=4)
    with pytest.raises(ShapeError, match="scale"):
        backtest(values, [50], forecasters, lookback=3, horizon=HORIZON, scale=[1.0])
