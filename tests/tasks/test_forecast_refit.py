"""Back-tests that refit: the same walk, by forecasters that have learned what precedes each stretch, and no more."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.windows import Origins, origins
from ostinato.errors import DataError, OptionError
from ostinato.tasks.forecast_refitting import stretches
from tests.small_series import load, marked, shops
from tests.tasks.forecasters import ROLES, fitted, refusal, weights

SPLIT = (60, 10, 20)


@pytest.fixture(scope="module")
def model():
    """One whose test part begins at row 70 of 90."""
    made = fitted(pl.DataFrame(load()), **ROLES, split=SPLIT)
    assert made.linear_ is not None
    return made


class Kept:
    """Every forecast of a back-test, by its origin."""

    def __init__(self):
        self.forecasts = {}

    def __call__(self, panel, windows, quantiles):
        for row, forecast in zip(windows.rows.tolist(), quantiles, strict=True):
            assert row not in self.forecasts
            self.forecasts[row] = forecast


def forecasts(model, columns, **how):
    kept = Kept()
    found = model.evaluate(pl.DataFrame(columns), quiet=True, watch=kept, **how)
    return kept.forecasts, found


# ---- the same walk


def test_one_refit_learns_what_the_model_did(model):
    """Before the one stretch lies the model's training and validation part; so every bit is that of the model."""
    (plain, figures), (again, refitted) = (forecasts(model, load(), refit=refit) for refit in (None, 1))
    assert list(plain) == list(again) == list(range(70, 87))
    assert all(np.array_equal(plain[row], again[row]) for row in plain)
    assert (figures.refits, refitted.refits) == (0, 1)
    assert (figures.metrics, figures.baselines) == (refitted.metrics, refitted.baselines)
    assert (figures.by_step, figures.by_series) == (refitted.by_step, refitted.by_series)


def test_a_refit_is_a_fit_on_the_rows_before_its_stretch(model):
    """The stretches of 17 origins begin at rows 70, 76 and 82; what is fitted by hand up to there says the same."""
    found, figures = forecasts(model, load(), refit=3)
    assert (figures.windows, figures.refits, figures.part) == (17, 3, "test")
    for begin, end in ((70, 76), (76, 82), (82, 87)):
        split, sizes = (begin - 10, 10, 90 - begin), {"segment": model.options_.segment}
        by_hand = fitted(pl.DataFrame(load()), **ROLES, split=split, **sizes)
        expected, _ = forecasts(by_hand, load())
        for row in range(begin, end):
            assert np.array_equal(found[row], expected[row])
    first, _ = forecasts(model, load())
    assert not np.array_equal(found[80], first[80])


def test_figures_are_those_of_all_stretches_together(model):
    columns, found = load(), forecasts(model, load(), refit=3)
    errors = [
        forecast[..., 1] - np.stack([columns[name][row : row + 4] for name in ("load", "wind")], axis=1)
        for row, forecast in found[0].items()
    ]
    assert found[1].metrics["mse"] == pytest.approx(np.mean(np.square(errors)))
    assert found[1].by_step["mae"] == pytest.approx(np.abs(errors).mean((0, 2)).tolist())
    plain = model.evaluate(pl.DataFrame(columns)).baselines
    assert found[1].baselines.keys() == plain.keys()
    for name in ("persistence", "seasonal naive", "drift"):
        assert found[1].baselines[name]["mse"] == pytest.approx(plain[name]["mse"]), "these learn nothing"
    assert found[1].baselines["linear"]["mse"] != pytest.approx(plain["linear"]["mse"]), "this one is refitted too"


def test_the_model_stays_as_it_was(model):
    before = weights(model), model.share_.copy(), model.options_, model.encoder_, forecasts(model, load())[0]
    told = []
    model.evaluate(refit=2, quiet=True, progress=told.append)
    assert weights(model) == before[0]
    assert np.array_equal(model.share_, before[1])
    assert (model.options_, model.encoder_) == before[2:4]
    after, _ = forecasts(model, load())
    assert all(np.array_equal(after[row], before[4][row]) for row in after)
    assert told == [9 / 17, 1.0]


def test_a_model_from_a_stated_time_is_refitted_in_as_many_steps():
    made = fitted(np.arange(60.0) % 7, steps=None, epochs=2.0, split=(40, 8, 12))
    steps = made.history_[-1]["step"]
    again = fitted(np.arange(60.0) % 7, steps=steps, split=(40, 8, 12))
    (found, _), (expected, _) = (
        (kept.forecasts, one.evaluate(refit=2, quiet=True, watch=kept)) for one in (made, again) for kept in [Kept()]
    )
    assert all(np.array_equal(found[row], expected[row]) for row in expected)


# ---- nothing of the future


@pytest.mark.parametrize("begin", [76, 82])
def test_no_value_from_a_stretch_on_changes_an_earlier_forecast(model, begin):
    found, _ = forecasts(model, load(), refit=3)
    spoilt = marked(load(), ["load", "wind", "heat", "day"], np.arange(90) >= begin)
    other, _ = forecasts(model, spoilt, refit=3)
    assert all(np.array_equal(found[row], other[row]) for row in range(70, begin))
    assert not np.array_equal(found[begin + 1], other[begin + 1])


def test_a_value_before_a_stretch_changes_its_forecasts(model):
    """So that the test above could fail: row 61 lies before every lookback of the last stretch."""
    found, _ = forecasts(model, load(), refit=3)
    other, _ = forecasts(model, marked(load(), ["load"], np.arange(90) == 61, 70.0), refit=3)
    assert all(not np.array_equal(found[row], other[row]) for row in range(82, 87))


def test_refitting_helps_where_a_series_changes_after_the_split():
    """From row 80 on what followed a value follows its opposite: a model of the first rows is wrong ever after."""
    random, values = np.random.default_rng(1), [0.0]
    for row in range(239):
        values.append((0.9 if row < 80 else -0.9) * values[-1] + random.normal() * 0.3)
    made = fitted(np.array(values), horizon=1, split=(70, 20, 150), steps=40, hidden_size=8)
    plain, refitted = made.evaluate(), made.evaluate(refit=5, quiet=True)
    assert refitted.metrics["mse"] < 0.6 * plain.metrics["mse"]
    assert refitted.baselines["linear"]["mse"] < 0.6 * plain.baselines["linear"]["mse"]


# ---- stretches


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 5), st.integers(1, 9))
def test_stretches_are_all_windows_in_runs_of_nearly_equal_length(lengths, horizon, stride, count):
    starts = np.cumsum([0, *lengths])
    first = starts[:-1] + np.array(lengths) // 3
    windows = origins(starts, first, starts[1:], horizon, stride=stride)
    series = np.searchsorted(starts, windows.rows, side="right") - 1
    if np.bincount(series, minlength=1).max() < count:
        with pytest.raises(OptionError, match="refits take as many origins of a series"):
            stretches(windows, starts, first, count)
        return
    found = stretches(windows, starts, first, count)
    assert len(found) == count
    joined = np.concatenate([stretch.windows.rows for stretch in found])
    assert sorted(joined) == windows.rows.tolist()
    for number, (begin, end) in enumerate(pairwise(starts)):
        own = [stretch.windows.rows[stretch.windows.begins == begin] for stretch in found] if begin < end else []
        sizes = [len(rows) for rows in own]
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        borders = [stretch.begins[number] for stretch in found]
        assert borders == sorted(borders)
        assert all(begin <= border <= end for border in borders)
        for rows, border in zip(own, borders, strict=False):
            assert not len(rows) or rows[0] == border, "all before its first origin may be learned"
        if not sum(sizes):
            assert borders == [first[number]] * count


def test_stretches_of_windows_told_by_hand():
    windows = Origins(np.array([5, 6, 7, 8, 9, 32, 34]), np.array([0] * 5 + [30] * 2), np.array([12] * 5 + [40] * 2))
    found = stretches(windows, np.array([0, 12, 30, 40]), np.array([5, 20, 32]), 3)
    assert [stretch.windows.rows.tolist() for stretch in found] == [[5, 6, 32], [7, 8, 34], [9]]
    assert [stretch.begins.tolist() for stretch in found] == [[5, 20, 32], [7, 20, 34], [9, 20, 34]]


# ---- parts, series and mistakes


def test_windows_at_the_end_and_many_series(capsys):
    data = pl.DataFrame(shops())
    many = fitted(data, static=("town",))
    capsys.readouterr()
    found = many.evaluate(data, windows=3, refit=2)
    assert (found.part, found.windows, found.refits) == ("last", 9, 2)
    said = capsys.readouterr()
    assert "refit 1 of 2: learns from 107 rows, and is tested on 6 windows after them" in said.err
    assert "refit 2 of 2: learns from 113 rows, and is tested on 3 windows after them" in said.err
    assert said.out == ""
    assert list(found.by_series) == ["shop 1 y", "shop 2 y", "shop 3 y"]
    assert many.evaluate(data, refit=1, quiet=True).part == "validation"
    assert capsys.readouterr().err == ""


def test_a_series_without_a_row_before_a_stretch_is_no_trouble():
    """The third series is tested from its first rows on."""
    many = fitted(pl.DataFrame(shops()), static=("town",))
    data = pl.DataFrame(shops((60, 40, 6), seed=4))
    found = many.evaluate(data, windows=4, refit=4, quiet=True)
    assert (found.windows, found.refits) == (4 + 4 + 2, 4)
    assert np.isfinite(found.metrics["mse"])


def test_a_baseline_that_a_stretch_lacks_is_left_out(model, monkeypatch):
    anew, made = type(model)._anew, []

    def without_linear_at_first(self, *arguments):
        made.append(anew(self, *arguments))
        if len(made) == 1:
            made[0].linear_ = None
        return made[-1]

    monkeypatch.setattr(type(model), "_anew", without_linear_at_first)
    found = model.evaluate(refit=2, quiet=True)
    assert set(found.baselines) == {"persistence", "seasonal naive", "drift"}
    assert len(made) == 2


def test_mistakes_are_told(model):
    for refit in (0, -1):
        assert refusal(OptionError, model.evaluate, refit=refit)[0] == f"refit must be at least 1, not {refit}."
    message, hint = refusal(OptionError, model.evaluate, refit=18)
    assert message == "18 refits take as many origins of a series, and none has more than 17."
    assert hint
    message, _ = refusal(DataError, model.evaluate, pl.DataFrame(load(16)), windows=3, refit=2)
    assert "training part" in message or "no series" in message
