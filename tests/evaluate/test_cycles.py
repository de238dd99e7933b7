"""Which cycles of the calendar are worth an input: those that a linear forecast does not see in its lookback."""

import numpy as np
import pytest

from ostinato.evaluate.cycles import telling
from ostinato.evaluate.linear import Ridge
from ostinato.evaluate.windows import rows_of

HOURS = 24 * 7 * 20
TIME = np.arange(HOURS)
PHASES = {"day": TIME % 24 / 24, "week": TIME // 24 % 7 / 7}


def told(values, lookback, **options):
    rows = rows_of([values])
    cut = HOURS * 3 // 4
    linear = Ridge(lookback, 6, **options).fit([values], [(0, cut)], [(cut, HOURS)])
    return telling(linear, rows, PHASES, [(0, cut)], [(cut, HOURS)])


def daily(noise=0.3):
    """A walk that goes on with a push at eight each day."""
    random = np.random.default_rng(2)
    return (np.where(TIME % 24 == 8, 3.0, 0) - 3 / 24 + random.normal(0, noise, HOURS)).cumsum()[:, None]


@pytest.mark.parametrize("shared", [False, True])
def test_a_cycle_that_the_lookback_cannot_show_tells_something(shared):
    assert told(daily(), 3, shared=shared) == ["day"]


def test_one_that_it_shows_tells_nothing_more():
    assert told(daily(0.1), 60) == []


def test_a_walk_by_chance_has_none():
    assert told(np.random.default_rng(3).normal(size=(HOURS, 2)).cumsum(0), 3) == []


def test_missing_values_are_left_out():
    values = daily()
    values[np.random.default_rng(4).random(HOURS) < 0.1] = np.nan
    assert told(values, 3) == ["day"]
    rows = rows_of([np.full((50, 1), np.nan), values])
    linear = Ridge(3, 6).fit([values], [(0, 2000)], [(2000, HOURS)])
    phases = {"day": np.concatenate([np.zeros(50), PHASES["day"]])}
    assert telling(linear, rows, phases, [(0, 0), (0, 2000)], [(0, 50), (2000, HOURS)]) == ["day"]


def test_nothing_is_told_without_a_window():
    values = daily()
    linear = Ridge(3, 6).fit([values], [(0, 2000)], [(2000, HOURS)])
    assert telling(linear, rows_of([values]), PHASES, [(0, 2000)], [(HOURS - 2, HOURS)]) == []
