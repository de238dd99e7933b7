"""Evaluating a forecaster: nothing of the future gets in, and figures are those of forecasts made one by one."""

import msgspec
import numpy as np
import polars as pl
import pytest

from ostinato.data.windows import Origins
from ostinato.errors import OptionError
from tests.small_series import load, marked, shops
from tests.tasks.forecasters import ROLES, ahead, fitted, refusal, weights

# ---- leakage


def test_nothing_after_an_origin_changes_a_forecast_a_scale_or_a_choice():
    """Training and validation end at row 70 of 90: what lies behind changes no bit of the model."""
    split = (60, 10, 20)
    columns = load()
    model = fitted(pl.DataFrame(columns), **ROLES, split=split)
    test = np.arange(90) >= 70
    spoilt = marked(marked(columns, ["load", "wind"], test & (np.arange(90) % 3 > 0)), ["price", "heat"], test)
    spoilt = marked(spoilt, ["load", "heat"], test & (np.arange(90) % 3 == 0), np.nan)
    other = fitted(pl.DataFrame(spoilt), **ROLES, split=split)
    assert weights(other) == weights(model)
    assert np.array_equal(other.share_, model.share_)
    assert np.array_equal(other.linear_.matrices_, model.linear_.matrices_)
    assert np.array_equal(other.linear_.residuals_, model.linear_.residuals_)
    assert other.encoder_ == model.encoder_
    assert other.architecture_ == model.architecture_
    assert other.options_ == model.options_
    model.share_ = other.share_ = np.array([0.4, 0.6])
    begin, future = pl.DataFrame(columns)[:70], ahead(after=70)
    assert other.predict(begin, future).equals(model.predict(begin, future))
    inside = fitted(pl.DataFrame(marked(columns, ["load"], np.arange(90) == 50)), **ROLES, split=split)
    assert weights(inside) != weights(model)
    assert inside.encoder_ != model.encoder_


def test_in_a_back_test_nothing_after_an_origin_changes_its_forecast():
    columns = load()
    model = fitted(pl.DataFrame(columns), **ROLES, split=(60, 10, 20))
    model.share_ = np.array([0.4, 0.6])
    spoilt = marked(columns, ["load", "wind", "heat"], np.arange(90) >= 80)
    found, other = (_forecasts(model, pl.DataFrame(each)) for each in (columns, spoilt))
    assert np.array_equal(found[:11], other[:11])
    assert not np.array_equal(found[11:], other[11:])


def _forecasts(model, data):
    """Return the quantiles of every origin of the test part, and of those behind it."""
    panel, rows = model.panel(data), np.arange(70, 90)
    windows = Origins(rows, np.zeros_like(rows), np.full_like(rows, 90))
    return np.concatenate([each for _, each in model.forecasts(panel, model.encoder_.encode(panel), windows)])


# ---- evaluating


def test_figures_are_those_of_forecasts_made_one_by_one():
    columns, split = load(), (60, 10, 20)
    model = fitted(pl.DataFrame(columns), **ROLES, split=split)
    model.share_ = np.array([0.4, 0.6])
    found = model.evaluate()
    errors = []
    for row in range(70, 87):
        end = pl.DataFrame({"when": columns["when"][row : row + 4], "price": columns["price"][row : row + 4]})
        guess = model.predict(pl.DataFrame(columns)[:row], end)
        errors.append([guess[name].to_numpy() - columns[name][row : row + 4] for name in ("load", "wind")])
    assert (found.part, found.windows) == ("test", 17)
    assert found.metrics["mse"] == pytest.approx(np.mean(np.square(errors)), rel=1e-6)
    assert found.by_step["mae"] == pytest.approx(np.abs(errors).mean((0, 1)).tolist(), rel=1e-6)
    assert [each["mae"] for each in found.by_series.values()] == pytest.approx(np.abs(errors).mean((0, 2)).tolist())
    assert list(found.by_series) == ["load", "wind"]
    assert set(found.baselines) == {"persistence", "seasonal naive", "drift", "linear"}


def test_standardised_figures_are_in_deviations_of_the_training_part():
    model = fitted(pl.DataFrame(load()).drop("wind"), target="load", time_column="when", split=(60, 10, 20), past=())
    plain, scaled = model.evaluate(), model.evaluate(standardised=True)
    unit = load()["load"][:60].std()
    for name in ("persistence", "linear"):
        assert scaled.baselines[name]["mse"] == pytest.approx(plain.baselines[name]["mse"] / unit**2)
    assert scaled.metrics["mae"] == pytest.approx(plain.metrics["mae"] / unit)
    assert scaled.metrics["coverage_80"] == plain.metrics["coverage_80"]


def test_without_a_test_part_the_validation_part_counts_and_is_named(wide):
    found = wide.evaluate()
    assert found.part == "validation"
    assert found.windows == 9 - 4 + 1


def test_a_baseline_that_wins_is_named():
    """A straight line is what drift forecasts exactly, and an untrained network does not."""
    model = fitted(np.arange(90.0) ** 1.0, linear="never", steps=1, evaluations=1)
    found = model.evaluate()
    assert found.winner == "drift"
    assert found.baselines["drift"]["mse"] < found.metrics["mse"]
    better = msgspec.structs.replace(found, metrics=found.metrics | {"mse": -1.0})
    assert better.winner is None


def test_many_series_are_judged_by_what_does_not_grow_with_them(many, wide):
    found = many.evaluate()
    assert (found.measure, wide.evaluate().measure) == ("mase", "mse")
    least = {"mase": -1.0, "mse": 1e9}
    assert msgspec.structs.replace(found, metrics=found.metrics | least).winner is None
    beside = found.baselines | {"drift": found.baselines["drift"] | least}
    assert msgspec.structs.replace(found, baselines=beside).winner == "drift"


def test_strides_and_seasons(wide):
    assert wide.evaluate(stride=3).windows == 2
    assert wide.evaluate(season=5).baselines["seasonal naive"] != wide.evaluate().baselines["seasonal naive"]
    for name in ("season", "stride"):
        for value in (0, -1):
            message, _ = refusal(OptionError, wide.evaluate, **{name: value})
            assert message == f"{name} must be at least 1, not {value}."


def test_many_series_have_figures_each(many):
    found = many.evaluate(pl.DataFrame(shops((60, 40, 25, 50), seed=3)))
    assert list(found.by_series) == [f"shop {number} y" for number in range(1, 5)]
    assert "owa" in found.metrics


def test_windows_are_the_last_of_each_series(many):
    """One a series is the last horizon, whatever the split; with a stride they lie further apart."""
    data = pl.DataFrame(shops())
    one = many.evaluate(data, windows=1)
    assert (one.part, one.windows) == ("last", 3)
    assert many.evaluate(data, windows=3, stride=2).windows == 9
    assert "owa" in one.metrics
    assert one.baselines["Naive2"]["owa"] == 1
    spoilt = data.with_columns(
        y=pl.when(pl.int_range(pl.len()).over("unique_id") < 10).then(pl.col("y") * 2).otherwise("y")
    )
    assert many.evaluate(spoilt, windows=1).metrics["mse"] == one.metrics["mse"]
    message, _ = refusal(OptionError, many.evaluate, data, windows=0)
    assert message == "windows must be at least 1, not 0."


def test_a_season_that_is_given_is_that_of_the_baselines():
    data = pl.DataFrame(load())
    model = fitted(data, **ROLES, season=7, split=(60, 10, 20))
    assert model.season_ == 7
    found = model.evaluate(data)
    assert model.evaluate(data, season=7).baselines == found.baselines
    other = model.evaluate(data, season=24).baselines
    assert other["seasonal naive"] != found.baselines["seasonal naive"]
    assert other["persistence"]["mse"] == found.baselines["persistence"]["mse"]
