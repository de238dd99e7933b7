"""A panel's parts: rows, matrices, some of its series, and what comes next."""

import numpy as np

from ostinato.data.frequency import DAY, Frequency
from ostinato.data.panel import Panel, Roles, starts_of


def panel():
    starts = starts_of(np.array([3, 1, 2]))
    first = np.repeat(np.array(["2021-01-01", "2020-02-28", "2019-05-05"], "M8[us]"), [3, 1, 2])
    times = first + np.array([0, 1, 2, 0, 0, 1]) * np.timedelta64(DAY, "us")
    columns = {"a": np.arange(6.0), "b": 10 + np.arange(6.0), "c": np.array([0, 1, 0, np.nan, 1, 1])}
    return Panel(["x", "y", "z"], starts, times, columns, {"c": ["no", "yes"]}, Frequency("microsecond", DAY), "UTC")


def test_sizes():
    assert panel().num_series == 3
    assert panel().lengths.tolist() == [3, 1, 2]
    assert [panel().rows(series) for series in range(3)] == [slice(0, 3), slice(3, 4), slice(4, 6)]


def test_a_matrix_has_a_column_a_name():
    assert panel().matrix(["b", "a"]).tolist() == [[10 + row, row] for row in range(6)]
    assert panel().matrix([]).shape == (6, 0)


def test_some_series():
    some = panel().select([2, 0, 2])
    assert some.ids == ["z", "x", "z"]
    assert some.starts.tolist() == [0, 2, 5, 7]
    assert some.columns["a"].tolist() == [4, 5, 0, 1, 2, 4, 5]
    assert some.times[2] == np.datetime64("2021-01-01")
    assert (some.categories, some.frequency, some.time_zone) == ({"c": ["no", "yes"]}, panel().frequency, "UTC")
    assert panel().select([]).num_series == 0


def test_what_comes_next():
    assert panel().future_times(2).astype("M8[D]").astype(str).tolist() == [
        ["2021-01-04", "2021-01-05"],
        ["2020-02-29", "2020-03-01"],
        ["2019-05-07", "2019-05-08"],
    ]


def test_what_comes_next_remembers_the_day_of_the_first_row():
    times = np.array(["2021-01-31", "2021-02-28"], "M8[us]")
    monthly = Panel([""], np.array([0, 2]), times, {}, {}, Frequency("month", 1))
    assert monthly.future_times(2).astype("M8[D]").astype(str).tolist() == [["2021-03-31", "2021-04-30"]]


def test_every_column_of_values_has_a_role():
    assert Roles("t", "s", ["a"], ["b"], ["c"], ["d"]).columns == ["a", "b", "c", "d"]
