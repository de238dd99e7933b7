"""Recurrent matrices in blocks equal dense ones with zeros beside the blocks."""

import numpy as np
import pytest
import torch

from ostinato.cells import CELLS
from ostinato.engine import sequence

from ..candidates import TABLES, use_table
from ..comparison import assert_close
from ..example_cells import EXAMPLES

T, B, D, WIDTHS = 4, 3, 8, {"H": 8, "P": 4}
LENGTHS = np.array([4, 0, 2])
WITH_R = {name: c for name, c in (CELLS | EXAMPLES).items() if c.program.recurrent_gates}


@pytest.fixture(params=TABLES, autouse=True)
def table(request, monkeypatch):
    use_table(monkeypatch, request.param)


def leaf(*shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).requires_grad_()


def dense(blocks, gates, heads):
    """Return [G·H, width/heads] as the [G·H, width] that it stands for."""
    by_head = blocks.reshape(gates, heads, -1, blocks.shape[1])
    return torch.cat([torch.block_diag(*of_gate) for of_gate in by_head])


def gradients_of(program, weights, given, blocks):
    """Return outputs, and the gradients of x, state, weights and blocks, given random ones of the outputs."""
    x, state = given[0], given[1:]
    y, final = sequence(program, weights, x, state, LENGTHS)
    random = np.random.default_rng(7)
    total = sum((part * torch.from_numpy(random.normal(size=part.shape))).sum() for part in (y, *final))
    inputs = [*given, blocks, *(values for name, values in weights.items() if name != "R")]
    return [y, *final, *torch.autograd.grad(total, inputs, materialize_grads=True)]


@pytest.mark.parametrize("heads", [2, 4])
@pytest.mark.parametrize("name", WITH_R)
def test_outputs_and_every_gradient_equal_those_of_a_dense_matrix_with_zeros(name, heads):
    program = WITH_R[name].program
    shapes = program.weight_shapes(D, WIDTHS, heads=heads)
    weights = {weight: leaf(*shape, seed=k) for k, (weight, shape) in enumerate(shapes.items())}
    given = [leaf(T, B, D, seed=90), *(leaf(B, WIDTHS[width], seed=91) for _, width in program.states)]
    blocks = weights["R"]
    whole = weights | {"R": dense(blocks, len(program.recurrent_gates), heads)}
    assert whole["R"].shape[1] == WIDTHS[program.recurrent_width]
    assert (whole["R"] == 0).sum() == whole["R"].numel() * (heads - 1) // heads
    assert_close(gradients_of(program, weights, given, blocks), gradients_of(program, whole, given, blocks))


@pytest.mark.parametrize("name", WITH_R)
def test_arrays_run_as_tensors_do(name):
    program = WITH_R[name].program
    shapes = program.weight_shapes(D, WIDTHS, heads=4)
    weights = {weight: leaf(*shape, seed=k).detach() for k, (weight, shape) in enumerate(shapes.items())}
    x, state = leaf(T, B, D, seed=90).detach(), [torch.ones(B, WIDTHS[w]).double() for _, w in program.states]
    arrays = {weight: values.numpy() for weight, values in weights.items()}
    actual = sequence(program, arrays, x.numpy(), [part.numpy() for part in state], LENGTHS)
    assert_close(list(actual), list(sequence(program, weights, x, state, LENGTHS)))


def test_a_product_of_what_depends_on_parameters_alone_has_heads_too():
    from ostinato.cells import cell, tanh

    program = cell(gates="a b", state="h", vectors="v")(
        lambda x, R, s, p: tanh(x.a + R.a(p.v) * s.h + R.b(x.b))
    ).program
    weights = {n: leaf(*shape, seed=1) for n, shape in program.weight_shapes(D, WIDTHS, heads=2).items()}
    given = [leaf(T, B, D, seed=2), leaf(B, 8, seed=3)]
    whole = weights | {"R": dense(weights["R"], 2, 2)}
    actual = gradients_of(program, weights, given, weights["R"])
    assert_close(actual, gradients_of(program, whole, given, weights["R"]))
