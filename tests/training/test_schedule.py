"""The learning rate of each step, against its formula and its landmarks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.training.schedule import learning_rate


def test_landmarks():
    rates = [learning_rate(step, 101, 2.0, 10) for step in range(101)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[4] == pytest.approx(2.0 * 0.5 * (1 - 4 / 101))
    assert max(rates) == rates[9] < 2.0
    assert learning_rate(50, 100, 2.0, 10) == pytest.approx(1.0)
    assert learning_rate(99, 100, 2.0, 10) == pytest.approx(0.02)
    assert learning_rate(100, 100, 2.0, 10) == 0.0


@given(st.integers(1, 500), st.integers(0, 600), st.floats(1e-6, 10))
def test_it_rises_through_the_warm_up_and_falls_after_it(steps, warmup, full):
    rates = [learning_rate(step, steps, full, warmup) for step in range(steps)]
    assert all(0 < rate <= full for rate in rates)
    after = rates[max(warmup - 1, 0) :]
    assert after == sorted(after, reverse=True)
    if not warmup:
        assert rates[0] == full


def test_a_warm_up_of_one_step_is_none():
    assert [learning_rate(k, 9, 1.0, 1) for k in range(9)] == [learning_rate(k, 9, 1.0, 0) for k in range(9)]
