"""What a sequence comes to, kept up to date step by step, against the same over the whole sequence at once."""

import numpy as np
import pytest
import torch

from ostinato.cells.pooling import running_attention, running_max, running_mean
from ostinato.nn import Recurrent
from tests.comparison import assert_close
from tests.nn.running import leaf, normal

T, B, H = 9, 4, 5
LENGTHS = (9, 1, 4, 7)


def by_softmax(x, W):
    """The mean over time [H] of one sequence x [T, H], weighed by the softmax over time of W x."""
    return (torch.softmax(x @ W.T, dim=0) * x).sum(0)


WHOLE = {
    "running_mean": lambda x, _: x.mean(0),
    "running_max": lambda x, _: x.max(0).values,
    "running_attention": by_softmax,
}
CELLS = {cell.name: cell for cell in (running_mean, running_max, running_attention)}


def layer_of(name, dtype=torch.float64, scale=1.0):
    layer = Recurrent(CELLS[name], H, H, bias=False, dtype=dtype)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(scale * normal(*weight.shape, seed=3))
    return layer


def weight_of(layer):
    return next(iter(layer.parameters()), torch.zeros(H, H))


def last_of(layer, x, lengths=LENGTHS):
    """Return the output at each sequence's last step, which is the first state."""
    y, (state,) = layer(x, None, list(lengths))
    last = y[torch.tensor(lengths) - 1, torch.arange(len(lengths))]
    assert torch.equal(last, state[0])
    return last


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_after_the_last_step_it_is_that_over_the_whole(name, dtype):
    layer, x = layer_of(name, dtype), normal(T, B, H, dtype=dtype)
    weight = weight_of(layer)
    whole = torch.stack([WHOLE[name](x[:length, row], weight) for row, length in enumerate(LENGTHS)])
    assert_close(last_of(layer, x), whole)
    every, _ = layer(x)
    assert_close(every, torch.stack([WHOLE[name](x[: step + 1].unbind(1)[row], weight) for step in range(T)
                                     for row in range(B)]).view(T, B, H))  # fmt: skip
    other = torch.stack([WHOLE[name](x[: max(1, length - 1), row], weight) for row, length in enumerate(LENGTHS)])
    with pytest.raises(AssertionError):
        assert_close(last_of(layer, x), other)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_over_the_whole(name):
    layer, d_last = layer_of(name), normal(B, H, seed=8)
    x, own_x, weight = (leaf(values) for values in (normal(T, B, H), normal(T, B, H), weight_of(layer)))
    last_of(layer, own_x).backward(d_last)
    torch.stack([WHOLE[name](x[:n, row], weight) for row, n in enumerate(LENGTHS)]).backward(d_last)
    assert_close(own_x.grad, x.grad)
    if name == "running_attention":
        assert_close(weight_of(layer).grad, weight.grad)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("scale", [1e4, -1e4, 1e-4])
def test_scores_of_any_size_stay_numbers(scale, dtype):
    """Rising and falling, so that the largest so far is now the first, now the last."""
    layer = layer_of("running_attention", dtype)
    with torch.no_grad():
        weight_of(layer).copy_(scale * torch.eye(H))
    x = normal(T, B, H, dtype=dtype)
    x[:, 0], x[:, 2] = torch.sort(x[:, 0], 0).values, torch.sort(x[:, 2], 0, descending=True).values
    x, own_x = leaf(x), leaf(x)
    weight = leaf(weight_of(layer))
    found, d_last = last_of(layer, own_x), normal(B, H, seed=8, dtype=dtype)
    whole = torch.stack([by_softmax(x[:n, row], weight) for row, n in enumerate(LENGTHS)])
    found.backward(d_last)
    whole.backward(d_last)
    assert own_x.grad.isfinite().all()
    if dtype == torch.float64 or abs(scale) < 1:  # else the scores themselves are rounded by more than 1
        assert_close(found, whole)
        assert_close(own_x.grad, x.grad)
        assert_close(weight_of(layer).grad, weight.grad)
    if abs(scale) > 1:
        most = torch.stack([(x[:n, row] * scale).max(0).values / scale for row, n in enumerate(LENGTHS)])
        assert (found - most).abs().max() < 1e-2


def test_one_step_is_the_step_itself_however_much_it_asks_for():
    for scale in (-1e4, -1.0, 0.0, 1e4):
        layer, x = layer_of("running_attention", scale=scale), normal(1, B, H)
        assert torch.equal(last_of(layer, x, (1,) * B), x[0])


def test_alike_steps_count_alike_and_a_step_that_asks_for_more_counts_more():
    layer, x = layer_of("running_attention", scale=0.0), normal(T, B, H)
    assert_close(layer(x)[0][-1], x.mean(0))
    x = torch.tensor([[[0.0]], [[1.0]]], dtype=torch.float64)
    layer = Recurrent(running_attention, 1, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        weight_of(layer).fill_(np.log(3.0))
    assert layer(x)[0][-1].item() == pytest.approx(0.75)
