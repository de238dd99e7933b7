"""From a panel to numbers: fitted on some rows alone, the same for any panel of those columns."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ostinato.data.calendar import phases, waves
from ostinato.data.forecast_encoder import MOST_CATEGORIES, ForecastEncoder
from ostinato.data.frequency import HOUR, Frequency
from ostinato.data.panel import Panel, Roles
from ostinato.errors import DataError
from tests.comparison import assert_close

NAN = math.nan
ROLES = Roles("t", None, ["y", "z"], ["price"], ["heat", "day"], ["town"])


def panel_of(rows=12, seed=0, **columns):
    random = np.random.default_rng(seed)
    own = {
        "y": 5 + random.normal(size=rows),
        "z": np.full(rows, 0.1),
        "price": random.normal(size=rows) * 3,
        "heat": np.where(np.arange(rows) % 4 == 1, NAN, random.normal(size=rows)),
        "day": np.arange(rows) % 3.0,
        "town": np.repeat(1.0, rows),
    }
    times = np.datetime64("2024-02-28T20:00", "us") + np.arange(rows) * np.timedelta64(1, "h")
    categories = {"day": ["a", "b", "c"], "town": ["Bonn", "Ulm"]}
    return Panel([""], np.array([0, rows]), times, own | columns, categories, Frequency("microsecond", HOUR))


def fit(panel, rows=8, standardise=True, cycles=("time of day",), roles=ROLES):
    return ForecastEncoder.fit(panel, roles, np.arange(len(panel.times)) < rows, standardise, list(cycles))


def test_targets_are_standardised_by_the_rows_given_and_come_back():
    panel = panel_of()
    encoder = fit(panel)
    y = panel.columns["y"]
    encoded = encoder.encode(panel)
    assert_close(encoded.targets[:, 0], (y - y[:8].mean()) / y[:8].std())
    assert np.abs(encoded.targets[:, 1]).max() < 1e-12
    values = np.stack([encoded.targets[None], encoded.targets[None] + 1], axis=-1)
    decoded = encoder.decode(values)
    assert_close(decoded[0, :, :, 0], panel.matrix(["y", "z"]))
    assert_close(decoded[0, :, 0, 1], y + y[:8].std())


def test_equal_numbers_whose_mean_is_a_little_off_have_no_scale():
    values = np.full(12, 0.1)
    assert values[:10].mean() != 0.1 or values[:7].mean() != 0.1 or np.full(1000, 0.1).std() > 0
    panel = panel_of(1000, z=np.full(1000, 0.1))
    assert fit(panel, 1000).deviations[1] == 1.0


def test_where_windows_have_a_scale_of_their_own_targets_stay():
    panel = panel_of()
    assert np.array_equal(fit(panel, standardise=False).encode(panel).targets, panel.matrix(["y", "z"]))


def test_further_inputs_stand_in_their_order():
    """past: heat and where it is known, day as three; then what is known ahead too: price, town, the calendar."""
    panel = panel_of(100)
    encoder = fit(panel, 90)
    encoded = encoder.encode(panel)
    heat, price = panel.columns["heat"], panel.columns["price"]
    known = ~np.isnan(heat)
    learned = heat[:90][known[:90]]
    scaled = np.where(known, (heat - learned.mean()) / learned.std(), 0)
    days = np.eye(3)[np.arange(100) % 3]
    cycles = waves([phases(panel.times, panel.frequency)["time of day"]], 100)
    ahead = np.column_stack([(price - price[:90].mean()) / price[:90].std(), np.ones(100), cycles])
    assert (encoder.past_size, encoder.future_size) == (5 + 2 + 2, 2 + 2)
    assert_close(encoded.future, ahead)
    assert_close(encoded.past, np.column_stack([scaled, known, days, ahead]))
    assert encoded.past.dtype == encoded.future.dtype == np.float32


def test_rows_that_are_not_given_change_nothing():
    panel = panel_of()
    spoilt = panel_of(
        **{
            name: np.where(np.arange(12) < 8, values, 1e25)
            for name, values in panel.columns.items()
            if name not in ("day", "town")
        }
    )
    spoilt.columns["price"][10] = NAN
    assert fit(spoilt) == fit(panel)
    assert fit(spoilt, rows=9) != fit(panel)


def test_categories_are_known_by_name_and_new_ones_are_none_of_them():
    encoder = fit(panel_of())
    other = replace(panel_of(), categories={"day": ["b", "c", "storm"], "town": ["Ulm", "York"]})
    encoded = encoder.encode(other)
    assert encoded.past[:3, 2:5].tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert encoded.future[:, 1].tolist() == [0] * 12


def test_missing_categories_are_none_of_them():
    panel = panel_of(day=np.where(np.arange(12) % 2, NAN, 0))
    day = fit(panel).past[1]
    assert (day.categories, day.masked, day.size) == (["a"], True, 2)
    assert day.encode(panel).tolist() == [[1, 1], [0, 0]] * 6


def test_of_very_many_categories_the_most_frequent_have_inputs():
    names = [f"k{number:03}" for number in range(60)]
    codes = np.concatenate([np.arange(60.0), np.arange(20.0, 60)])
    panel = replace(panel_of(100, day=codes), categories={"day": names, "town": ["Bonn", "Ulm"]})
    day = fit(panel, 100).past[1]
    assert len(day.categories) == MOST_CATEGORIES
    assert set(day.categories) <= set(names[20:])


def test_a_column_missing_in_the_rows_given_is_zero():
    panel = panel_of(heat=np.where(np.arange(12) < 8, NAN, 3.0))
    heat = fit(panel).past[0]
    assert (heat.mean, heat.deviation) == (0, 1)
    assert heat.encode(panel).tolist() == [[0, 0]] * 8 + [[3, 1]] * 4


@pytest.mark.parametrize(
    ("name", "categories", "message"),
    [
        ("heat", {"heat": ["hot"]}, "column 'heat' holds categories, but held numbers in training."),
        ("day", {}, "column 'day' holds numbers, but held categories in training."),
    ],
)
def test_a_column_of_another_kind_is_refused_unless_it_is_empty(name, categories, message):
    encoder, panel = fit(panel_of()), panel_of(**{name: np.zeros(12)})
    rest = {other: names for other, names in panel.categories.items() if other != name}
    with pytest.raises(DataError) as caught:
        encoder.encode(replace(panel, categories=rest | categories))
    assert caught.value.message == message
    empty = replace(panel_of(**{name: np.full(12, NAN)}), categories=rest)
    assert np.isfinite(encoder.encode(empty).past).all()


def test_a_column_that_is_not_there_is_named():
    panel = panel_of()
    columns = {"heats" if name == "heat" else name: values for name, values in panel.columns.items()}
    with pytest.raises(DataError) as caught:
        fit(panel).encode(replace(panel, columns=columns))
    assert caught.value.message == "the model reads a column 'heat', which is not there."
    assert caught.value.hint == "did you mean 'heats'?"


def test_another_frequency_has_another_calendar():
    with pytest.raises(DataError) as caught:
        fit(panel_of(100), 90).encode(replace(panel_of(), frequency=Frequency("month", 1)))
    assert "month of the year" in caught.value.message
    assert fit(panel_of(), cycles=()).calendar == []


def test_irregular_times_have_the_time_since_the_row_before():
    hours = np.array([0, 1, 4, 5, 5 + 24, 30, 31, 33, 100, 101, 102, 200])
    panel = panel_of()
    times = panel.times[0] + hours * np.timedelta64(1, "h")
    irregular = replace(panel, times=times, frequency=None, starts=np.array([0, 6, 12]), ids=["a", "b"])
    encoder = fit(irregular, cycles=())
    gaps = np.array([0, 1, 3, 1, 24, 1, 0, 2, 67, 1, 1, 98])
    usual = np.median(gaps[:8][gaps[:8] > 0])
    assert encoder.elapsed == usual * 3.6e9
    assert_close(encoder.encode(irregular).future[:, -1], np.log1p(gaps / usual))
    assert encoder.future_size == 3
    assert fit(panel).elapsed is None
