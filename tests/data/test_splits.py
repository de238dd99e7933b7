"""Parts of series against plain loops, and splits that say nothing sensible."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.data.frequency import DAY, Frequency
from ostinato.data.panel import Panel, starts_of
from ostinato.data.splits import split
from ostinato.errors import DataError, OptionError


def panel_of(lengths, days=True):
    """Series that begin a week apart, on 1 January 2024 the first; or numbered rows."""
    within = np.concatenate([np.arange(length) + 7 * k for k, length in enumerate(lengths)]).astype(np.int64)
    times = np.datetime64("2024-01-01", "us") + within * np.timedelta64(1, "D") if days else within
    frequency = Frequency("microsecond", DAY) if days else Frequency("row", 1)
    names = [str(number) for number in range(len(lengths))]
    return Panel(names, starts_of(np.array(lengths)), times, {}, {}, frequency)


def parts(lengths, given_split, horizon=3, known=None, days=True):
    """Return the number of rows of each series' parts."""
    panel = panel_of(lengths, days)
    ends = panel.starts[:-1] + np.array(lengths if known is None else known)
    found = np.stack([panel.starts[:-1], *split(panel, ends, given_split, horizon)])
    return np.diff(found, axis=0).T.tolist()


@pytest.mark.parametrize(
    ("given_split", "expected"),
    [
        ((), [[36, 4, 0], [17, 3, 0]]),
        (("20", "10", "5"), [[20, 10, 5], [20, 0, 0]]),
        (("20", "10"), [[20, 10, 0], [20, 0, 0]]),
        (("0.7", "0.1", "0.2"), [[28, 4, 8], [14, 2, 4]]),
        (("0.7", "0.3"), [[28, 12, 0], [14, 6, 0]]),
        (("0.33", "0.33", "0.34"), [[13, 14, 13], [6, 8, 6]]),
        (("2024-01-11", "2024-01-21", "2024-01-26"), [[10, 10, 5], [3, 10, 5]]),
        (("2024-01-11", "2024-01-21"), [[10, 10, 20], [3, 10, 7]]),
        (("2024-01-11T01:00:00+02:00", "2024-01-21"), [[10, 10, 20], [3, 10, 7]]),
        (("2024-01-11T00:00:00Z", "2024-02"), [[10, 21, 9], [3, 17, 0]]),
        (("2023-12-01", "2024-01-10"), None),
    ],
)
def test_parts(given_split, expected):
    if expected is None:
        with pytest.raises(DataError):
            parts((40, 20), given_split)
    else:
        assert parts((40, 20), given_split) == expected


def test_rows_without_a_known_target_belong_to_no_part():
    assert parts((40, 20), (), known=(30, 20)) == [[27, 3, 0], [17, 3, 0]]
    assert parts((40,), ("0.5", "0.5"), known=(30,)) == [[15, 15, 0]]
    assert parts((40,), ("35", "5"), known=(30,)) == [[30, 0, 0]]


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.tuples(st.integers(1, 98), st.integers(1, 98)).filter(lambda each: sum(each) < 100),
)
def test_fractions_equal_a_plain_loop(lengths, percents):
    shares = [percents[0] / 100, (100 - sum(percents)) / 100, percents[1] / 100]
    expected = []
    for length in lengths:
        first, last = math.floor(length * shares[0]), math.floor(length * shares[2])
        expected.append([first, length - first - last, last])
    if any(each[0] for each in expected):
        assert parts(lengths, tuple(map(str, shares)), days=False) == expected
    else:
        with pytest.raises(DataError):
            parts(lengths, tuple(map(str, shares)), days=False)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(1, 12))
def test_by_default_the_last_tenth_validates_and_at_least_one_horizon(lengths, horizon):
    expected = []
    for length in lengths:
        held_out = min(length, max(horizon, math.ceil(length * 0.1)))
        expected.append([length - held_out, held_out, 0])
    if any(each[0] for each in expected):
        assert parts(lengths, (), horizon) == expected
    else:
        with pytest.raises(DataError):
            parts(lengths, (), horizon)


@pytest.mark.parametrize(
    ("given_split", "message"),
    [
        (("0.7", "0.1"), "the fractions 0.7, 0.1 do not add up to 1."),
        (("0.7", "0.2", "0.2"), "the fractions 0.7, 0.2, 0.2 do not add up to 1."),
        (("1.5", "-0.5"), "the fractions 1.5, -0.5 do not add up to 1."),
        (("nan", "0.5"), "the fractions nan, 0.5 do not add up to 1."),
        (("100", "0.5"), "the fractions 100, 0.5 do not add up to 1."),
        (("soon", "later"), "the split soon, later is neither rows nor fractions nor dates."),
        (("NaT", "2024-01-05"), "the split NaT, 2024-01-05 is neither rows nor fractions nor dates."),
        (("2024-01-20", "2024-01-10"), "the dates 2024-01-20, 2024-01-10 are not in order of time."),
    ],
)
def test_what_is_no_split_is_refused(given_split, message):
    with pytest.raises(OptionError) as caught:
        parts((40, 20), given_split)
    assert caught.value.message == message
    assert caught.value.hint


def test_series_without_dates_have_no_split_by_dates():
    with pytest.raises(OptionError) as caught:
        parts((40,), ("2024-01-11", "2024-01-21"), days=False)
    assert "the series have no dates" in caught.value.message


def test_series_that_are_all_too_short_are_refused():
    with pytest.raises(DataError) as caught:
        parts((3, 2), (), horizon=5)
    assert caught.value.message == "no series has a row to train on: the longest has 3 rows, and 5 are held out."
