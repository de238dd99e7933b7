"""Drawing against the exact distribution: the random number is chosen here, so nothing is left to chance."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.errors import OptionError
from ostinato.runtime.sampling import Sampling

PROBABILITIES = np.array([0.1, 0.4, 0.05, 0.25, 0.2])
SCORES = np.log(PROBABILITIES)


class Chosen:
    """A generator whose next number is chosen."""

    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value


def distribution(sampling, scores=SCORES, parts=2000):
    """The share of all random numbers for which each symbol is drawn."""
    drawn = [sampling.draw(scores, Chosen((k + 0.5) / parts)) for k in range(parts)]
    return np.bincount(drawn, minlength=len(scores)) / parts


def shares(weights):
    return np.array(weights) / np.sum(weights)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), PROBABILITIES),
        (Sampling(temperature=0.5), shares(PROBABILITIES**2)),
        (Sampling(temperature=2.0), shares(PROBABILITIES**0.5)),
        (Sampling(temperature=0), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1e-310), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1e300), [0.2] * 5),
        (Sampling(top_k=1), [0, 1, 0, 0, 0]),
        (Sampling(top_k=3), shares([0, 0.4, 0, 0.25, 0.2])),
        (Sampling(top_k=5), PROBABILITIES),
        (Sampling(top_k=10**30), PROBABILITIES),
        (Sampling(top_p=1.0), PROBABILITIES),
        (Sampling(top_p=1e-9), [0, 1, 0, 0, 0]),
        (Sampling(top_p=0.39), [0, 1, 0, 0, 0]),
        (Sampling(top_p=0.41), shares([0, 0.4, 0, 0.25, 0])),
        (Sampling(top_p=0.84), shares([0, 0.4, 0, 0.25, 0.2])),
        (Sampling(top_p=0.94), shares([0.1, 0.4, 0, 0.25, 0.2])),
        (Sampling(top_p=0.96), PROBABILITIES),
        (Sampling(top_k=2, top_p=0.6), [0, 1, 0, 0, 0]),
        (Sampling(top_k=2, top_p=0.7), shares([0, 0.4, 0, 0.25, 0])),
        (Sampling(temperature=0.5, top_p=0.54), [0, 1, 0, 0, 0]),
        (Sampling(temperature=0.5, top_p=0.6), shares([0, 0.16, 0, 0.0625, 0])),
    ],
    ids=str,
)
def test_symbols_are_drawn_by_their_probability(sampling, expected):
    np.testing.assert_allclose(distribution(sampling), expected, atol=2 / 2000)


def test_temperature_zero_takes_the_first_of_the_likeliest():
    assert Sampling(0).draw(np.array([1.0, 3.0, 3.0]), np.random.default_rng(0)) == 1
    assert Sampling(0, top_k=3, top_p=1.0).draw(np.array([1.0, 3.0, 3.0]), np.random.default_rng(0)) == 1


def test_each_symbol_has_the_numbers_from_its_beginning_up_to_the_next():
    halves = np.zeros(2)
    drawn = [
        Sampling().draw(halves, Chosen(value))
        for value in (0.0, math.nextafter(0.5, 0.0), 0.5, math.nextafter(1.0, 0.0))
    ]
    assert drawn == [0, 0, 1, 1]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20), st.floats(0, 1, exclude_max=True), st.floats(0.01, 1))
def test_what_is_drawn_is_always_among_what_remains(scores, value, top_p):
    scores = np.array(scores, np.float32)
    drawn = Sampling(top_k=3, top_p=top_p).draw(scores, Chosen(value))
    assert (scores > scores[drawn]).sum() < 3
    assert Sampling(top_p=1.0).draw(scores, Chosen(math.nextafter(1.0, 0.0))) < len(scores)


def test_scores_shift_and_scale_do_not_matter_beyond_what_they_mean():
    np.testing.assert_array_equal(distribution(Sampling(), SCORES + 1e4), distribution(Sampling(), SCORES))
    np.testing.assert_array_equal(distribution(Sampling(2.0), SCORES * 2), distribution(Sampling(), SCORES))


def test_one_seed_draws_the_same_and_another_something_else():
    def draw(seed):
        random = np.random.default_rng(seed)
        return [Sampling().draw(SCORES, random) for _ in range(30)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"temperature": -0.1}, "temperature must be a number of at least 0, not -0.1."),
        ({"temperature": math.nan}, "temperature must be a number of at least 0, not nan."),
        ({"temperature": math.inf}, "temperature must be a number of at least 0, not inf."),
        ({"top_k": 0}, "top_k must be at least 1, not 0."),
        ({"top_k": -3}, "top_k must be at least 1, not -3."),
        ({"top_p": 0.0}, "top_p must be more than 0 and at most 1, not 0.0."),
        ({"top_p": 1.1}, "top_p must be more than 0 and at most 1, not 1.1."),
        ({"top_p": math.nan}, "top_p must be more than 0 and at most 1, not nan."),
    ],
)
def test_figures_out_of_range_are_refused(figures, message):
    with pytest.raises(OptionError) as caught:
        Sampling(**figures)
    assert caught.value.message == message
