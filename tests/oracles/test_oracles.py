"""The oracles judge everything else, so they are judged by differences and by what they import."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from . import ORACLES, backpropagate, run

T, B, D, H = 4, 3, 2, 5


@pytest.mark.parametrize("name", ORACLES)
def test_backward_equals_central_differences(name):
    oracle, random = ORACLES[name], np.random.default_rng(1)
    w = oracle.draw_weights(random, oracle.input_size(D, H), H)
    x, state = random.normal(size=(T, B, oracle.input_size(D, H))), oracle.draw_state(random, B, H)
    d_y, d_final = random.normal(size=(T, B, oracle.output_size(H))), oracle.draw_state(random, B, H)
    given = {"x": x} | state | w

    def loss(given):
        y, final, memories = run(oracle, given, given["x"], {part: given[part] for part in oracle.states})
        return (d_y * y).sum() + sum((d_final[part] * final[part]).sum() for part in oracle.states), memories

    d_x, d_state, d_w = backpropagate(oracle, w, loss(given)[1], d_y, d_final)
    for name, gradient in ({"x": d_x} | d_state | d_w).items():
        direction = random.normal(size=gradient.shape)
        above, below = (loss(given | {name: given[name] + sign * 1e-5 * direction})[0] for sign in (1, -1))
        assert (above - below) / 2e-5 == pytest.approx((gradient * direction).sum(), rel=1e-6, abs=1e-8), name


def test_oracles_import_nothing_of_what_they_judge():
    code = "import sys, tests.oracles; print([m for m in sys.modules if m.split('.')[0] in ('ostinato', 'torch')])"
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
