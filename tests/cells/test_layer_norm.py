"""`layer_norm` of the cell language equals torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from ostinato import cells
from ostinato.cells import cell, layer_norm, tanh
from ostinato.engine import prepare, sequence
from ostinato.errors import CellError

from ..candidates import TABLES, use_table
from ..comparison import assert_close

T, B, D, H, P = 3, 4, 2, 5, 3


@pytest.fixture(params=TABLES, autouse=True)
def table(request, monkeypatch):
    use_table(monkeypatch, request.param)


@cell(gates="a b", state="h q[P]", vectors="scale shift wide[P]", matrices="down[P,H]")
def normalised(x, R, s, p, M):
    """Normalises a sum of products, a state and a product of another width; with vectors and with numbers."""
    h = tanh(layer_norm(x.a + R.a(s.h), p.scale, p.shift) + layer_norm(x.b, 1.0, 0.5, epsilon=0.1) * s.h)
    return h, layer_norm(M.down(h) + s.q, p.wide, 0.0)


def formula(w, x, h, q):
    """The same, with torch's layer_norm, [T, B, D] and no lengths."""
    outputs = []
    for x_t in x:
        a, b = (x_t @ w["W"].T + w["W_bias"]).split(H, dim=-1)
        first = functional.layer_norm(a + h @ w["R"].T, (H,), w["scale"], w["shift"])
        h = torch.tanh(first + (functional.layer_norm(b, (H,), eps=0.1) + 0.5) * h)
        q = functional.layer_norm(h @ w["M_down"].T + q, (P,), w["wide"])
        outputs.append(h)
    return torch.stack(outputs), h, q


def leaf(*shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def drawn():
    shapes = normalised.program.weight_shapes(D, {"H": H, "P": P})
    weights = {name: leaf(*shape, seed=k) for k, (name, shape) in enumerate(shapes.items())}
    return weights, leaf(T, B, D, seed=20), [leaf(B, H, seed=21), leaf(B, P, seed=22)]


def test_outputs_and_every_gradient_equal_torchs():
    weights, x, state = drawn()
    y, final = sequence(normalised.program, weights, x, state)
    expected = formula({name.removeprefix("p_"): values for name, values in weights.items()}, x, *state)
    leaves = [x, *state, *weights.values()]
    gradients = [
        torch.autograd.grad(sum((part * leaf(*part.shape, seed=30)).sum() for part in parts), leaves)
        for parts in ((y, *final), expected)
    ]
    assert_close([y, *final], list(expected))
    assert_close(gradients[0], gradients[1])


def test_prepared_steps_equal_the_sequence():
    weights, x, state = drawn()
    arrays = {name: values.detach().numpy() for name, values in weights.items()}
    expected, _ = sequence(normalised.program, weights, x, state)
    prepared, now = prepare(normalised.program, arrays), [part.detach().numpy() for part in state]
    for t in range(T):
        y, now = prepared.step(x[t].detach().numpy(), now)
        assert_close(y, expected[t])


def test_a_large_mean_does_not_drown_the_variance():
    program = cell(state="h")(lambda x, s: layer_norm(x.raw, 1.0, 0.0) + 0.0 * s.h).program
    x = (1000.0 + np.random.default_rng(0).normal(size=(1, B, 64))).astype(np.float32)
    y, _ = sequence(program, {}, x, [np.zeros((B, 64), np.float32)])
    v = x.astype(np.float64)
    centred = v - v.mean(axis=-1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    assert np.abs(y - expected).max() < 3e-4, "the mean, 1000, is known to 6e-5"


@pytest.mark.parametrize(
    ("normalise", "message", "hint"),
    [
        (
            lambda v: layer_norm(2.0, 1.0, 0.0),
            "layer_norm takes a value of this step, not float 2.0.",
            "write x.<gate>",
        ),
        (lambda v: layer_norm(v > 0, 1.0, 0.0), "'sum' needs a vector, not a comparison.", None),
        (
            lambda v: layer_norm(v, 1.0, 0.0, epsilon=0),
            "layer_norm needs a positive number as epsilon, not 0.",
            "leave",
        ),
        (lambda v: layer_norm(v, 1.0, 0.0, epsilon=v), "layer_norm needs a positive number as epsilon, not <", "leave"),
        (lambda v: layer_norm(v, "a", 0.0), "multiply takes values of this step and numbers, not str 'a'.", "write x."),
        (lambda v: v.layer_norm(), "a value of a step has no attribute 'layer_norm'.", "write layer_norm(v, scale, sh"),
        (
            lambda v: functional.layer_norm(v, (3,)),
            "torch's layer_norm cannot take a value of a step.",
            "write layer_norm(v, scale, shift), imported from ostinato.cells.",
        ),
        (lambda v: cells.tanh(v) + layer_norm, "add takes values of this step and numbers, not function <", "write x."),
    ],
)
def test_a_wrong_use_is_told(normalise, message, hint):
    with pytest.raises(CellError) as error:
        cell(gates="a", state="h")(lambda x, R, s: normalise(x.a + R.a(s.h)))
    assert error.value.message.startswith(message)
    assert (error.value.hint or "").startswith(hint or "")


def test_scale_and_shift_must_be_as_wide_as_the_value():
    with pytest.raises(CellError, match="'multiply' needs values of one width, not H and P"):
        cell(gates="a", state="h", vectors="v[P]")(lambda x, R, s, p: layer_norm(x.a + R.a(s.h), p.v, 0.0))
