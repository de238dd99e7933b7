"""Frequencies: what is inferred, that places and times are each other's inverse, and months of any length."""

import calendar
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.frequency import DAY, HOUR, MINUTE, SECOND, WEEK, Frequency
from ostinato.data.panel import starts_of

HOURLY = Frequency("microsecond", HOUR)
MONTHLY = Frequency("month", 1)


def times(*texts):
    return np.array(texts, "M8[us]")


def infer(values, *lengths):
    return Frequency.infer(np.asarray(values), starts_of(np.array(lengths or (len(values),))))


def datetimes(low=1800, high=2200):
    return st.datetimes(datetime(low, 1, 1), datetime(high, 1, 1))


def month_later(start, months, is_end):
    """The plain rule, by the standard library."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=last if is_end else min(start.day, last))


FREQUENCIES = {
    "5 minutes": (Frequency("microsecond", 5 * MINUTE), 288),
    "10 minutes": (Frequency("microsecond", 10 * MINUTE), 144),
    "15 minutes": (Frequency("microsecond", 15 * MINUTE), 96),
    "hourly": (HOURLY, 24),
    "6 hours": (Frequency("microsecond", 6 * HOUR), 4),
    "daily": (Frequency("microsecond", DAY), 7),
    "weekly": (Frequency("microsecond", WEEK), 52),
    "2 weeks": (Frequency("microsecond", 2 * WEEK), 26),
    "monthly": (MONTHLY, 12),
    "quarterly": (Frequency("month", 3), 4),
    "yearly": (Frequency("month", 12), 1),
    "2 years": (Frequency("month", 24), 1),
    "monthly, at month ends": (Frequency("month", 1, True), 12),
    "10 seconds": (Frequency("microsecond", 10 * SECOND), 360),
    "7 minutes": (Frequency("microsecond", 7 * MINUTE), 1),
    "3 days": (Frequency("microsecond", 3 * DAY), 7),
    "20 milliseconds": (Frequency("microsecond", 20_000), 1),
    "3 microseconds": (Frequency("microsecond", 3), 1),
    "row by row": (Frequency("row", 1), 1),
    "every 1,000": (Frequency("row", 1000), 1),
}


@pytest.mark.parametrize("name", FREQUENCIES)
class TestEach:
    def test_its_name_and_season(self, name):
        frequency, season = FREQUENCIES[name]
        assert (frequency.name, frequency.season) == (name, season)

    def test_it_is_inferred_from_its_own_times(self, name):
        frequency, _ = FREQUENCIES[name]
        first = np.int64(17) if frequency.unit == "row" else np.datetime64("2019-12-31T00:00", "us")
        series = frequency.at(first, np.arange(30))
        if name != "monthly":  # begins on the 31st: that is a month's end
            expected = Frequency(frequency.unit, frequency.count, frequency.unit == "month")
            assert infer(series) == expected
        assert infer(series[[0, 1, 2, 5, 6, 9, 10]]).count == frequency.count


class TestInference:
    def test_the_most_common_distance_wins_and_of_equals_the_shortest(self):
        assert infer(np.array([0, 1, 3, 5, 7])) == Frequency("row", 2)
        assert infer(np.array([0, 5, 6])) == Frequency("row", 1)

    def test_distances_are_those_within_series(self):
        series = np.concatenate([np.arange(4) * 3, 1000 + np.arange(3) * 7, np.arange(4) * 3])
        assert infer(series, 4, 3, 4) == Frequency("row", 3)

    @pytest.mark.parametrize("lengths", [(1,), (1, 1, 1)])
    def test_single_points_have_none(self, lengths):
        assert infer(times(*["2020-01-01"] * sum(lengths)), *lengths) is None

    def test_a_month_on_any_day(self):
        for day in (1, 15, 28):
            found = infer(times(*[f"2021-{month:02}-{day:02}T06:30" for month in range(1, 13)]))
            assert found == MONTHLY

    def test_the_thirtieth_is_no_month_end(self):
        series = times("2021-01-30", "2021-02-28", "2021-03-30", "2021-04-30", "2021-05-30", "2021-06-30")
        assert infer(series) == MONTHLY
        assert MONTHLY.place(series, series[0]).on_grid.all()

    def test_month_ends(self):
        ends = times("2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30")
        assert infer(ends) == Frequency("month", 1, month_end=True)
        assert infer(times("2020-09-30", "2020-12-31", "2021-03-31")) == Frequency("month", 3, month_end=True)

    def test_four_weeks_are_no_month(self):
        assert infer(times("2021-01-01", "2021-01-29", "2021-02-26", "2021-03-26")).name == "4 weeks"

    def test_two_years_are_a_year_apart(self):
        assert infer(times("2019-03-01", "2020-03-01")) == Frequency("month", 12)

    def test_working_days_are_daily(self):
        days = np.arange(np.datetime64("2021-01-04"), np.datetime64("2021-02-01"))
        assert infer(days[np.is_busday(days)].astype("M8[us]")).name == "daily"


class TestMonths:
    def test_month_ends_stay_month_ends(self):
        found = Frequency("month", 1, month_end=True).after(np.datetime64("2020-01-31T12:00", "us"), 4)
        assert found.tolist() == times("2020-02-29T12", "2020-03-31T12", "2020-04-30T12", "2020-05-31T12").tolist()

    def test_the_thirty_first_is_clipped_and_comes_back(self):
        assert MONTHLY.after(np.datetime64("2021-01-31", "us"), 3).astype("M8[D]").astype(str).tolist() == [
            "2021-02-28",
            "2021-03-31",
            "2021-04-30",
        ]

    @given(datetimes(), st.integers(1, 40), st.booleans(), st.lists(st.integers(-300, 300), min_size=1, max_size=9))
    def test_the_plain_rule(self, start, count, is_end, steps):
        found = Frequency("month", count, is_end).at(np.datetime64(start, "us"), np.array(steps))
        assert found.tolist() == [month_later(start, count * step, is_end) for step in steps]


class TestPlaces:
    @given(
        datetimes(),
        st.sampled_from(["microsecond", "month"]),
        st.integers(1, 10**11),
        st.booleans(),
        st.lists(st.integers(-99, 99), min_size=1),
    )
    def test_places_undo_times(self, start, unit, count, is_end, steps):
        frequency = Frequency(unit, count if unit == "microsecond" else count % 48 + 1, is_end and unit == "month")
        first = frequency.at(np.datetime64(start, "us"), 0)
        found = frequency.place(frequency.at(first, np.array(steps)), first)
        assert found.steps.tolist() == steps
        assert found.on_grid.all()

    @given(st.integers(-(2**50), 2**50), st.integers(1, 10**6), st.integers(-(10**6), 10**6))
    def test_places_of_whole_numbers(self, first, count, step):
        frequency = Frequency("row", count)
        assert frequency.place(np.array([first + count * step]), first) == ([step], [True])

    @given(datetimes(), st.integers(1, 1000), st.integers(1, 50))
    def test_after_is_what_comes_next(self, start, count, steps):
        frequency = Frequency("microsecond", count * MINUTE)
        expected = [start + timedelta(minutes=count * step) for step in range(1, steps + 1)]
        assert frequency.after(np.datetime64(start, "us"), steps).tolist() == expected

    def test_many_series_at_once(self):
        first = times("2020-01-31", "2021-06-15")
        after = MONTHLY.after(first, 3)
        assert after.shape == (2, 3)
        for row, start in zip(after, first, strict=True):
            assert row.tolist() == MONTHLY.after(start, 3).tolist()

    def test_what_is_off_the_grid(self):
        found = HOURLY.place(times("2020-01-01T00:00", "2020-01-01T01:30", "2020-01-01T03:00"), times("2020-01-01")[0])
        assert found.steps.tolist() == [0, 1, 3]
        assert found.on_grid.tolist() == [True, False, True]
        months = MONTHLY.place(times("2020-02-29", "2020-02-28", "2020-03-30"), times("2020-01-30")[0])
        assert months.on_grid.tolist() == [True, False, True]
