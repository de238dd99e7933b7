"""Where equations come near 0 / 0, √0 or an overflow, float32 stays finite, right, and differentiable."""

import numpy as np
import pytest
import torch

from ostinato.cells import CELLS
from ostinato.engine import dispatch
from ostinato.nn import Recurrent

from ..comparison import assert_close

H = 3
CLOSED, OPEN = -200.0, 200.0
"""Sums of a gate at which float32 has its logistic function, or that of the negative, at zero."""


@pytest.fixture(autouse=True, params=[c.name for c in dispatch.CANDIDATES if "torch tensor" in c.takes])
def runner(request, monkeypatch):
    """Run with one candidate and the interpreter below it."""
    table = tuple(c for c in dispatch.CANDIDATES if c.name in (request.param, "torch", "numpy"))
    monkeypatch.setattr(dispatch, "CANDIDATES", table)


def layer_with_sums(name, dtype=torch.float32, **sums):
    """Return a layer of which every gate's sum is what is given, whatever comes in, and zero for the others."""
    layer = Recurrent(name, H, H, dtype=dtype)
    weights = layer.layers[0][0].named()
    with torch.no_grad():
        for weight in ("W", "R", "W_bias"):
            if weight in weights:
                weights[weight].zero_()
        for gate, total in sums.items():
            index = layer.program.input_gates.index(gate)
            weights["W_bias"][index * H : (index + 1) * H] = total
    return layer


def run(layer, x, state=None):
    """Return y and the state after it, with every gradient of their sum checked to be finite."""
    x = x.clone().requires_grad_()
    y, final = layer(x, state)
    (y.sum() + sum(part.sum() for part in final[0])).backward()
    assert x.grad.isfinite().all()
    for name, weight in layer.named_parameters():
        assert weight.grad.isfinite().all(), name
    return y.detach(), final


def inputs(steps=4):
    return torch.linspace(-2, 3, steps * H).reshape(steps, 1, H)


@pytest.mark.parametrize("rate", [1e-7, 1e-5, 1e-3, 0.1, 3.0, 40.0])
def test_the_input_scale_of_linear_units_keeps_its_digits(rate):
    """√(1 - a²) with a = exp(-rate), to a few units in the last place also where a is 1 in float32."""
    expected = np.sqrt(-np.expm1(-2 * rate))
    lru = layer_with_sums("lru", re=1.0)
    rg_lru = layer_with_sums("rg_lru", r=OPEN, i=OPEN)
    with torch.no_grad():
        lru.layers[0][0].p_nu_log.fill_(np.log(rate))
        rg_lru.layers[0][0].p_decay.fill_(np.log(np.expm1(rate / 8)))
    once = torch.ones(1, 1, H)
    assert run(lru, once)[0][0, 0, :H].tolist() == pytest.approx([expected] * H, rel=3e-6)
    assert run(rg_lru, once)[0][0, 0].tolist() == pytest.approx([expected] * H, rel=3e-6)


def test_a_closed_recurrence_gate_keeps_the_state():
    state = (CELLS["rg_lru"].State(torch.ones(1, H)),)
    y, _ = run(layer_with_sums("rg_lru", r=CLOSED), inputs(), state)
    assert_close(y, torch.ones(4, 1, H))


def test_a_decay_of_nothing_keeps_the_state():
    state = (CELLS["lru"].State(torch.ones(1, H), torch.zeros(1, H)),)
    layer = layer_with_sums("lru", re=1.0)
    with torch.no_grad():
        layer.layers[0][0].p_nu_log.fill_(-200.0)
        layer.layers[0][0].p_theta_log.fill_(-200.0)
    y, _ = run(layer, inputs(), state)
    assert_close(y[..., :H], torch.ones(4, 1, H))


@pytest.mark.parametrize(("f", "i", "kept"), [(CLOSED, CLOSED, 0.5), (CLOSED, CLOSED - 1, 1 / (1 + np.exp(-1)))])
def test_two_closed_gates_of_min_lstm_are_weighed_by_their_logarithms(f, i, kept):
    state = (CELLS["min_lstm"].State(torch.ones(1, H)),)
    y, _ = run(layer_with_sums("min_lstm", f=f, i=i, n=3.0), inputs(1), state)
    assert_close(y, torch.full((1, 1, H), kept + 3 * (1 - kept)).float())


@pytest.mark.parametrize("i", [CLOSED, -50.0, 0.0, 50.0, OPEN])
@pytest.mark.parametrize("f", [CLOSED, 0.0, OPEN])
def test_slstm_from_a_state_of_zeros_gives_the_candidate_whatever_the_gates(i, f):
    """c / n is a mean of candidates, so with equal ones it is that one; an i below the smallest number gives 0."""
    y, (final,) = run(layer_with_sums("slstm", i=i, f=f, z=1.0, o=OPEN), inputs())
    vanished = i == CLOSED and f != CLOSED
    assert_close(y, torch.full((4, 1, H), 0.0 if vanished else np.tanh(1.0)).float())
    assert all(part.isfinite().all() for part in final)


@pytest.mark.parametrize("start", [-100.0, -3.0, 2.0, 30.0])
def test_the_output_of_slstm_does_not_depend_on_where_its_stabiliser_starts(start):
    layer, x = Recurrent("slstm", H, H, dtype=torch.float64), inputs().double()
    zeros = torch.zeros(1, H, dtype=torch.float64)
    moved = (layer.cell.State(zeros, zeros, zeros, zeros + start),)
    assert_close(run(layer, x, moved)[0], run(layer, x)[0])
