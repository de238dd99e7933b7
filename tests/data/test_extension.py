"""Rows for the future: where series end, and what is put behind."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.extension import extended, known_ends
from ostinato.data.frequency import DAY, Frequency
from ostinato.data.panel import Panel, starts_of
from ostinato.errors import DataError

NAN = math.nan


DAILY = Frequency("microsecond", DAY)


def panel_of(*series, frequency=DAILY, **more):
    """Series of a target "y" each, from days that are a month apart; `more` are further columns, as lists of lists."""
    lengths = [len(each) for each in series]
    firsts = np.array([np.datetime64("2024-01", "M") + k for k in range(len(series))], "M8[us]")
    within = np.concatenate([np.arange(length) for length in lengths]) * np.timedelta64(1, "D")
    columns = {
        name: np.array([value for each in values for value in each], float)
        for name, values in {"y": series, **more}.items()
    }
    times = np.repeat(firsts, lengths) + within
    return Panel([str(k) for k in range(len(series))], starts_of(np.array(lengths)), times, columns, {}, frequency)


@given(st.lists(st.lists(st.sampled_from([1.0, NAN]), max_size=5), min_size=1, max_size=4))
def test_ends_equal_a_plain_loop(series):
    panel = panel_of(*series)
    expected = []
    for start, values in zip(panel.starts, series, strict=False):
        known = [row for row, value in enumerate(values) if not math.isnan(value)]
        expected.append(start + (known[-1] + 1 if known else 0))
    assert known_ends(panel, ["y"]).tolist() == expected


def test_a_series_ends_where_the_last_of_its_targets_does():
    panel = panel_of([1, 2, NAN, NAN], z=[[1, NAN, 3, NAN]])
    assert known_ends(panel, ["y"]).tolist() == [2]
    assert known_ends(panel, ["y", "z"]).tolist() == [3]


def test_rows_are_put_behind_each_series():
    panel = panel_of([1, 2, 3], [4], x=[[5, 6, 7], [8]])
    whole, ends = extended(panel, known_ends(panel, ["y"]), 2)
    assert whole.starts.tolist() == [0, 5, 8]
    assert ends.tolist() == [3, 6]
    assert np.array_equal(whole.columns["y"], [1, 2, 3, NAN, NAN, 4, NAN, NAN], equal_nan=True)
    assert np.array_equal(whole.columns["x"], [5, 6, 7, NAN, NAN, 8, NAN, NAN], equal_nan=True)
    assert np.array_equal(whole.times[:5], np.datetime64("2024-01-01") + np.arange(5))
    assert np.array_equal(whole.times[5:], np.datetime64("2024-02-01") + np.arange(3))


def test_rows_that_are_there_are_kept():
    panel = panel_of([1, NAN, NAN], [4], x=[[5, 6, 7], [8]])
    whole, ends = extended(panel, known_ends(panel, ["y"]), 2)
    assert whole.starts.tolist() == [0, 3, 6]
    assert ends.tolist() == [1, 4]
    assert np.array_equal(whole.columns["x"], [5, 6, 7, 8, NAN, NAN], equal_nan=True)
    same, _ = extended(whole, ends, 2)
    assert same is whole


def test_what_is_fixed_for_a_series_stays():
    panel = panel_of([1, 2], [4], town=[[1, 1], [0]])
    assert extended(panel, known_ends(panel, ["y"]), 2, ["town"])[0].columns["town"].tolist() == [1] * 4 + [0] * 3
    assert panel.columns["town"].tolist() == [1, 1, 0]


def test_irregular_times_need_their_rows():
    panel = panel_of([1, NAN], frequency=None)
    assert extended(panel, known_ends(panel, ["y"]), 1)[0] is panel
    with pytest.raises(DataError) as caught:
        extended(panel, known_ends(panel, ["y"]), 2)
    assert caught.value.message == "irregular times have no next one, and 2 are to be forecast."
