"""The compiled core equals the interpreter on programs that nobody wrote, at sizes that nobody chose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato import _core

from ..comparison import assert_close
from ..program.programs import STREAMS, programs
from .problems import Sizes, assert_equal, level, outputs_and_gradients, problem, run_by, threads

SIZES = st.builds(
    lambda T, B, H, P: Sizes(T, B, H, H, P),
    st.sampled_from([0, 1, 2, 3, 5]),
    st.sampled_from([0, 1, 2, 3, 13]),
    st.sampled_from([1, 2, 7, 15, 16, 17, 33]),
    st.sampled_from([1, 2, 5, 16, 19]),
)
CALLS = {
    "program": programs() | programs(STREAMS),
    "sizes": SIZES,
    "ragged": st.none() | st.integers(0, 999),
    "reverse": st.booleans(),
    "every": st.sampled_from([None, None, 1, 2, 3, 7]),
    "count": st.integers(1, 4),
    "use": st.sampled_from(_core.levels()),
    "seed": st.integers(0, 999),
}


def check(program, sizes, ragged, reverse, every, count, use, seed):
    lengths = None if ragged is None else np.random.default_rng(ragged).integers(0, sizes.T + 1, size=sizes.B)
    case = problem(program, sizes, np.float64, seed, lengths, reverse)
    with run_by("torch"):
        expected = outputs_and_gradients(case)
    with run_by("core", "torch"), level(use), threads(count):
        assert_close(outputs_and_gradients(case, every), expected)
        assert_equal(outputs_and_gradients(case, every)[0], outputs_and_gradients(case)[0], "with checkpoints")


@settings(max_examples=150)
@given(**CALLS)
def test_random_programs_run_as_the_interpreter_runs_them(program, sizes, ragged, reverse, every, count, use, seed):
    check(program, sizes, ragged, reverse, every, count, use, seed)


@pytest.mark.slow
@settings(max_examples=1500)
@given(**CALLS)
def test_so_do_many_more(program, sizes, ragged, reverse, every, count, use, seed):
    check(program, sizes, ragged, reverse, every, count, use, seed)
