"""Calendar inputs: which there are for a frequency, against datetime's own idea of days, weeks and months."""

import calendar as standard
import math
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.calendar import phases, recurring, waves
from ostinato.data.frequency import DAY, HOUR, WEEK, Frequency

HOURLY = Frequency("microsecond", HOUR)
CYCLES = ("time of day", "day of the week", "day of the month", "day of the year")


def inputs(times, frequency):
    found = phases(np.array(times, "M8[us]"), frequency)
    values = waves(list(found.values()), len(times))
    assert values.dtype == np.float32
    assert values.shape == (len(times), 2 * len(found))
    return list(found), values


@pytest.mark.parametrize(
    ("frequency", "expected"),
    [
        (None, CYCLES),
        (HOURLY, CYCLES),
        (Frequency("microsecond", 36 * HOUR), CYCLES),
        (Frequency("microsecond", DAY), CYCLES[1:]),
        (Frequency("microsecond", WEEK), CYCLES[2:]),
        (Frequency("month", 1), ("month of the year",)),
        (Frequency("month", 3, True), ("month of the year",)),
        (Frequency("month", 12), ()),
        (Frequency("row", 1), ()),
    ],
)
def test_only_cycles_in_which_rows_differ(frequency, expected):
    assert inputs(["2021-05-04T03:00"], frequency)[0] == list(expected)


def test_whole_numbers_have_none():
    assert phases(np.arange(5), None) == {}
    assert waves([], 5).shape == (5, 0)


@given(st.datetimes(datetime(1700, 1, 1), datetime(2300, 1, 1)))
def test_the_standard_library_agrees(time):
    names, values = inputs([time], None)
    year = 366 if standard.isleap(time.year) else 365
    phases = [
        (time - datetime(time.year, time.month, time.day)).total_seconds() / 86400,
        time.weekday() / 7,
        (time.day - 1) / standard.monthrange(time.year, time.month)[1],
        (time.timetuple().tm_yday - 1) / year,
    ]
    expected = [part(2 * math.pi * phase) for phase in phases for part in (math.sin, math.cos)]
    assert names == list(CYCLES)
    np.testing.assert_allclose(values[0], expected, atol=1e-6)


@given(st.datetimes(datetime(1700, 1, 1), datetime(2300, 1, 1)))
def test_months_of_the_year(time):
    _, values = inputs([time], Frequency("month", 1))
    angle = 2 * math.pi * (time.month - 1) / 12
    np.testing.assert_allclose(values[0], [math.sin(angle), math.cos(angle)], atol=1e-6)


def test_a_wrong_phase_would_show():
    _, values = inputs(["2021-05-04T03:00", "2021-05-04T04:00"], HOURLY)
    assert np.abs(values[0, :2] - values[1, :2]).max() > 0.1
    assert np.array_equal(values[0, 2:], values[1, 2:])


@pytest.mark.parametrize(
    ("days", "found"),
    [(2, []), (3, CYCLES[:1]), (20.9, CYCLES[:1]), (21, CYCLES[:2]), (93, CYCLES[:3]), (1098, CYCLES)],
)
def test_cycles_recur_once_they_were_gone_through_three_times(days, found):
    times = np.datetime64("2020-01-01", "us") + (np.array([0, days / 2, days]) * 86400e6).astype("m8[us]")
    assert recurring(times, HOURLY) == list(found)


def test_without_dates_nothing_recurs():
    assert recurring(np.arange(10_000), Frequency("row", 1)) == []
    assert recurring(np.zeros(0, "M8[us]"), HOURLY) == []
