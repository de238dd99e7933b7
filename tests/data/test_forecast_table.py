"""Forecasts as tables: their columns, and the caller's kind."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ostinato.data.forecast_table import forecast_columns, forecast_like, with_future
from ostinato.data.panel import Panel, Roles

LEVELS = (0.1, 0.5, 0.75)
QUANTILES = np.arange(2 * 3 * 2 * 3.0).reshape(2, 3, 2, 3)
TIMES = np.array(["2024-01-01", "2024-01-02", "2024-01-03"] * 2, "M8[us]").reshape(2, 3)


def roles(**given):
    return Roles(
        **({"time": "t", "series": "id", "targets": ["a", "b"], "known": [], "past": [], "static": []} | given)
    )


def panel(ids=("x", "y"), zone=None):
    return Panel(list(ids), np.array([0, 1, 2]), TIMES[:, 0], {}, {}, None, zone)


def test_columns_and_values():
    columns = forecast_columns(["x", "y"], TIMES, QUANTILES, LEVELS, roles())
    assert list(columns) == ["id", "t", "a", "a_q0.1", "a_q0.75", "b", "b_q0.1", "b_q0.75"]
    assert columns["id"].tolist() == ["x"] * 3 + ["y"] * 3
    assert np.array_equal(columns["t"], TIMES.ravel())
    for place, target in enumerate(("a", "b")):
        for level, name in enumerate((f"{target}_q0.1", target, f"{target}_q0.75")):
            expected = [QUANTILES[series, step, place, level] for series in range(2) for step in range(3)]
            assert columns[name].tolist() == expected


def test_a_lone_series_without_a_name_has_no_column_of_series_and_rows_are_counted():
    columns = forecast_columns([""], np.array([[7, 8, 9]]), QUANTILES[:1], LEVELS, roles(time=None, series=None))
    assert next(iter(columns)) == "row"
    assert columns["row"].tolist() == [7, 8, 9]
    several = forecast_columns(["1", "2"], TIMES, QUANTILES, LEVELS, roles(series=None))
    assert next(iter(several)) == "unique_id"


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_the_callers_kind_comes_back(kind):
    data = kind({"t": [1], "a": [2.0]})
    for given in (data, [data, data]):
        found = forecast_like(given, panel(), TIMES, QUANTILES, LEVELS, roles())
        assert type(found) is type(data)
        assert np.asarray(found["b_q0.75"]).tolist() == QUANTILES[:, :, 1, 2].ravel().tolist()
        assert list(np.asarray(found["id"])) == ["x"] * 3 + ["y"] * 3


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_times_in_utc_say_so(kind):
    found = forecast_like(kind({"t": [1]}), panel(zone="UTC"), TIMES, QUANTILES, LEVELS, roles())
    assert "UTC" in str(found["t"].type if kind is pa.table else found["t"].dtype)
    assert np.array_equal(pl.DataFrame(found)["t"].to_numpy().astype("M8[us]"), TIMES.ravel())


@pytest.mark.parametrize("paths", ["a.csv", ["a.csv", "b.csv"]])
def test_files_are_answered_in_polars(paths):
    assert isinstance(forecast_like(paths, panel(), TIMES, QUANTILES, LEVELS, roles()), pl.DataFrame)


def test_arrays_are_answered_in_arrays():
    one, few = QUANTILES[:1, :, :1], QUANTILES[:1]
    given = (panel(), TIMES, one, LEVELS, roles())
    assert np.array_equal(forecast_like(np.zeros(5), *given), one[0, :, 0])
    assert np.array_equal(forecast_like([1.0, 2.0], *given), one[0, :, 0])
    assert np.array_equal(forecast_like(np.zeros((5, 1)), *given), one[0])
    assert np.array_equal(forecast_like(np.zeros((5, 2)), panel(), TIMES, few, LEVELS, roles()), few[0])
    found = forecast_like([np.zeros((5, 2)), np.zeros((3, 2))], panel(), TIMES, QUANTILES, LEVELS, roles())
    assert [each.tolist() for each in found] == QUANTILES.tolist()


def test_rows_of_the_future_are_a_further_table():
    assert with_future("a.csv", "b.csv") == ["a.csv", "b.csv"]
    assert with_future(["a.csv", "b.csv"], ["c.csv"]) == ["a.csv", "b.csv", "c.csv"]
