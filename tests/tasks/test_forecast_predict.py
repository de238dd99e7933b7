"""Predicting: frames, arrays and files, missing values, new and short series, and what is known ahead."""

import copy

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ostinato.data.extension import extended
from ostinato.errors import DataError, OptionError
from tests.small_series import load, marked, shops, times
from tests.tasks.forecasters import ROLES, ahead, assert_same_after_saving, fitted, refusal

KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_back_in_the_callers_kind_and_stay_as_they_were(kind):
    data, future = KINDS[kind](load()), KINDS[kind](ahead().to_dict(as_series=False))
    before = copy.deepcopy(data)
    model = fitted(data, **ROLES)
    found = model.predict(data, future)
    assert type(found) is type(data)
    assert data.equals(before)
    names = [f"{target}{end}" for target in ("load", "wind") for end in ("", "_q0.1", "_q0.9")]
    assert list(pl.DataFrame(found).columns if kind != "pyarrow" else found.column_names) == ["when", *names]
    assert np.array_equal(np.asarray(found["when"], "M8[us]"), times(94)[90:])
    reference = fitted(pl.DataFrame(load()), **ROLES).predict(pl.DataFrame(load()), ahead())
    assert np.array_equal(np.asarray(found["load"]), reference["load"].to_numpy())
    low, middle, high = (np.asarray(found[name]) for name in ("load_q0.1", "load", "load_q0.9"))
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_data_that_have_changed_since_are_read_anew():
    values = np.sin(np.arange(60.0))
    model = fitted(values)
    before = model.predict(values)
    values += 100
    np.testing.assert_allclose(model.predict(values), before + 100, rtol=1e-5)
    assert np.array_equal(model.predict(), before)


def test_times_with_a_zone_come_back_in_it():
    frame = pd.DataFrame({"t": pd.date_range("2024-03-01", periods=60, freq="h", tz="UTC"), "y": np.arange(60.0) % 7})
    found = fitted(frame).predict()
    assert str(found["t"].dt.tz) == "UTC"
    assert found["t"].iloc[0] == pd.Timestamp("2024-03-03 12:00", tz="UTC")


def test_arrays_come_back_as_arrays():
    one = np.sin(np.arange(60.0))
    two = np.stack([one, one**2], axis=1)
    assert fitted(one).predict().shape == (4, 3)
    assert fitted(list(one)).predict(one).shape == (4, 3)
    assert fitted(two).predict().shape == (4, 2, 3)
    several = fitted([one, one[:40], one[:3]])
    assert [each.shape for each in several.predict()] == [(4, 3)] * 3
    assert [each.shape for each in several.predict([one[5:]])] == [(4, 3)]
    message, _ = refusal(DataError, several.predict, [one], future=[one])
    assert message == "arrays have no rows of the future."


def test_arrays_are_not_cut_into_rows():
    """Were they, of many series one would come back."""
    message, hint = refusal(OptionError, fitted, np.ones((5, 60)), rows_are_series=True)
    assert (message, hint) == ("rows that are series are for tables.", "give arrays as a list, one a series.")


def test_files_are_read_and_answered_in_polars(tmp_path):
    pl.DataFrame(shops()).write_csv(tmp_path / "shops.csv")
    found = fitted(tmp_path / "shops.csv", static=("town",)).predict()
    assert isinstance(found, pl.DataFrame)
    assert found["unique_id"].unique(maintain_order=True).to_list() == ["shop 1", "shop 2", "shop 3"]
    assert found.columns == ["unique_id", "ds", "y", "y_q0.1", "y_q0.9"]


def test_new_series_need_no_refit_and_company_changes_nothing_that_shows(many):
    data = pl.DataFrame(shops((30, 20), seed=5)).with_columns(unique_id=pl.col("unique_id") + " new")
    found = many.predict(data)
    assert found["unique_id"].unique(maintain_order=True).to_list() == ["shop 1 new", "shop 2 new"]
    alone = many.predict(data.filter(pl.col("unique_id") == "shop 2 new"))
    np.testing.assert_allclose(alone["y"], found["y"][4:], rtol=1e-6)


def test_what_is_fixed_for_a_series_counts_in_its_future():
    model = fitted(pl.DataFrame(shops()), static=("town",), linear="never", calendar=False)
    data = pl.DataFrame(shops((30,)))
    panel, ends = extended(model.panel(data), np.array([30]), 4, model.encoder_.roles.static)
    assert model.encoder_.encode(panel).future[ends[0] :].tolist() == [[0, 1]] * 4
    found, other = model.predict(data), model.predict(data.with_columns(town=pl.lit("Bonn")))
    assert found["y"].to_list() != other["y"].to_list()


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_series_shorter_than_the_lookback_have_a_forecast(many, wide, rows):
    assert np.isfinite(many.predict(pl.DataFrame(shops((rows,))))["y"].to_numpy()).all()
    found = wide.predict(pl.DataFrame(load(rows)), ahead(after=rows))
    assert np.isfinite(found["load"].to_numpy()).all()
    assert found["when"][0] == pl.DataFrame({"t": times(rows + 1)})["t"][-1]


def test_a_constant_series_goes_on(many):
    data = pl.DataFrame(shops((30,))).with_columns(y=pl.lit(0.1))
    found = many.predict(data)
    np.testing.assert_allclose(found["y"], 0.1, atol=2)
    model = fitted(np.full(60, 0.1))
    assert np.abs(model.predict() - 0.1).max() < 2


@pytest.mark.parametrize("gone", ["some", "all of a window", "the end"])
def test_missing_values_need_no_filling(gone, tmp_path):
    columns = load()
    rows = {"some": np.arange(90) % 5 == 2, "all of a window": np.arange(90) // 12 == 3, "the end": np.arange(90) > 86}
    columns = marked(columns, ["load", "heat"], rows[gone], np.nan)
    data = pl.DataFrame(columns)
    model = fitted(data, **ROLES)
    found = model.predict(data, ahead())
    assert found.height == 4
    assert np.isfinite(found["load"].to_numpy()).all()
    assert_same_after_saving(model, tmp_path, found, data, ahead())


def test_a_window_without_any_value_has_a_forecast(wide):
    columns = marked(load(), ["load"], np.arange(90) > 40, np.nan)
    found = wide.predict(pl.DataFrame(columns), ahead())
    assert np.isfinite(found["load"].to_numpy()).all()


def test_categories_that_training_did_not_have_are_no_error(wide):
    data = pl.DataFrame(load()).with_columns(day=pl.lit("storm"))
    assert np.isfinite(wide.predict(data, ahead())["load"].to_numpy()).all()


def test_a_column_of_another_kind_is_refused(wide):
    data = pl.DataFrame(load())
    assert refusal(DataError, wide.predict, data.with_columns(day=pl.lit(1.0)), ahead())[0] == (
        "column 'day' holds numbers, but held categories in training."
    )
    assert (
        "'heat' holds categories, but held numbers"
        in refusal(DataError, wide.predict, data.with_columns(heat=pl.lit("hot")), ahead())[0]
    )


def test_a_renamed_column_is_named(wide):
    message, hint = refusal(DataError, wide.predict, pl.DataFrame(load()).rename({"heat": "heats"}))
    assert message == "the table: there is no column 'heat'."
    assert hint == "did you mean 'heats'?"


def test_what_should_be_known_ahead_is_asked_for(network):
    wide = network
    data = pl.DataFrame(load())
    message, hint = refusal(DataError, wide.predict, data)
    assert message == "'price' should be known 4 steps ahead, but 4 values are missing."
    assert "future" in hint
    joined = pl.concat([data, ahead()], how="diagonal")
    assert wide.predict(joined).equals(wide.predict(data, ahead()))
    assert wide.predict(future=ahead()).equals(wide.predict(data, ahead()))
    other = ahead().with_columns(price=pl.lit(40.0))
    assert not wide.predict(data, other).equals(wide.predict(data, ahead()))


def test_irregular_times_make_the_time_between_them_an_input():
    random = np.random.default_rng(0)
    gaps = np.cumsum(random.integers(1, 50, 94)) * np.timedelta64(60, "s")
    frame = pl.DataFrame({"t": np.datetime64("2024-01-01", "us") + gaps, "y": random.normal(size=94)})
    known = frame.with_columns(y=pl.when(pl.int_range(94) < 90).then(pl.col("y")))
    model = fitted(known, irregular=True, calendar=False, linear="never")
    assert model.encoder_.future_size == 1
    assert model.predict()["t"].to_list() == frame["t"][90:].to_list()
    later = known.with_columns(
        t=pl.col("t") + pl.when(pl.int_range(94) < 93).then(0).otherwise(10**9) * pl.duration(microseconds=1)
    )
    assert not model.predict(later)["y"].equals(model.predict()["y"])
    assert "irregular times have no next one" in refusal(DataError, model.predict, frame)[0]
