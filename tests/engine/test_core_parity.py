"""The compiled core equals the interpreter: every cell, every option of a run, every level of this machine."""

from functools import cache

import numpy as np
import pytest

from ostinato import _core

from ..comparison import assert_close
from ..quick import KINDS
from .problems import NOISY, PROGRAMS, Sizes, level, names_of, outputs_and_gradients, problem, run_by

SIZES = {
    "a few": Sizes(5, 3, 7, 17, 9),
    "one of each": Sizes(1, 1, 1, 1, 1),
    "a panel": Sizes(3, 2, 16, 16, 16),
    "below and above a panel": Sizes(3, 13, 33, 15, 31),
}
RUNS = {
    "full": {},
    "ragged": {"sizes": Sizes(6, 5, 5, 33, 15), "lengths": [6, 0, 2, 6, 1]},
    "ragged, from the end": {"sizes": Sizes(6, 5, 5, 33, 15), "lengths": [0, 4, 2, 0, 1], "reverse": True},
    "from the end": {"reverse": True},
    "many rows": {"sizes": Sizes(2, 41, 19, 18, 17)},
    "two heads": {"sizes": Sizes(4, 3, 5, 34, 18), "heads": 2},
    "heads of a panel": {"sizes": Sizes(3, 2, 5, 64, 32), "heads": 2},
    "no biases": {"bias": False},
    "states of every step": {"checkpoint_steps": 1},
    "states of every second step, ragged": {
        "sizes": Sizes(6, 5, 5, 33, 15),
        "lengths": [1, 6, 2, 0, 5],
        "reverse": True,
        "checkpoint_steps": 2,
    },
    "states of more steps than there are": {"checkpoint_steps": 7},
}
CASES = RUNS | {f"sizes: {name}": {"sizes": sizes} for name, sizes in SIZES.items()}


def given(program, case, kind):
    options = {"sizes": SIZES["a few"], **CASES[case]}
    options.pop("checkpoint_steps", None)
    return problem(program, kind=kind, **options)


@cache
def expected(name, case):
    with run_by("torch"):
        return outputs_and_gradients(given((PROGRAMS | NOISY)[name], case, np.float64))


def assert_core_equals(name, case, kind, use):
    with level(use), run_by("core"):
        found = outputs_and_gradients(given((PROGRAMS | NOISY)[name], case, kind), CASES[case].get("checkpoint_steps"))
    for what, actual, right in zip(("outputs", "gradients"), found, expected(name, case), strict=True):
        assert {values.dtype for values in actual} == {np.dtype(kind)}
        assert_close(actual, right, f"{what} in {np.dtype(kind)} at {use}")


def every_cell_in_every_case():
    """Return names and cases: every cell is quick where a batch is full or ragged, one of each kind in all cases."""
    few = ("full", "ragged, from the end")
    return [
        pytest.param(name, case, marks=[pytest.mark.slow] * (name not in KINDS and case not in few))
        for name in PROGRAMS
        for case in CASES
    ]


@pytest.mark.parametrize(("name", "case"), every_cell_in_every_case())
def test_outputs_and_every_gradient_equal_the_interpreters(name, case):
    for use in _core.levels():
        assert_core_equals(name, case, np.float64, use)
        assert_core_equals(name, case, np.float32, use)


@pytest.mark.parametrize("case", ["full", "ragged, from the end", "states of every second step, ragged", "two heads"])
@pytest.mark.parametrize("name", names_of(NOISY))
def test_so_do_those_with_dropout_and_zoneout(name, case):
    assert_core_equals(name, case, np.float64, _core.level())


@pytest.mark.parametrize("name", ["lstm", "min_gru"])
def test_another_gradient_would_be_seen(name):
    given_here = given(PROGRAMS[name], "full", np.float64)
    with run_by("core"):
        found = outputs_and_gradients(given_here)
    found[1][0][0, 0, 0] += 1e-8
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(found, expected(name, "full"))
