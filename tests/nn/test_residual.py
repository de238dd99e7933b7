"""Residual sums: a layer's output and what it read."""

import pytest
import torch

from ostinato.errors import OptionError
from ostinato.nn import Recurrent

from ..comparison import assert_close
from .running import layer_of, normal, outputs_and_gradients, state_of

T, B, H = 5, 3, 4


def layers_alone(stack, input_sizes):
    """Return each layer of a stack as a stack of its own, without residual sums."""
    alone = []
    for index, size in enumerate(input_sizes):
        one = Recurrent(stack.cell, size, H, bidirectional=stack.bidirectional, dtype=torch.float64)
        prefix = f"layers.{index}."
        weights = {n.removeprefix(prefix): w for n, w in stack.state_dict().items() if n.startswith(prefix)}
        one.load_state_dict({f"layers.0.{name}": values for name, values in weights.items()})
        alone.append(one)
    return alone


@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
@pytest.mark.parametrize(("bidirectional", "D"), [(False, H), (False, 3), (True, 2 * H), (True, H)])
def test_each_layer_as_wide_as_its_input_adds_it(bidirectional, D, lengths):
    stack = layer_of("lstm", D, H, num_layers=3, bidirectional=bidirectional, residual=True)
    width = stack.output_size
    first, *others = layers_alone(stack, [D, width, width])
    x, state = normal(T, B, D), state_of(stack, B)
    live = torch.tensor([[t < length for length in lengths or [T] * B] for t in range(T)])[:, :, None]
    y, final = first(x, state[:1], lengths)
    expected = y + x * live if width == D else y
    for index, layer in enumerate(others, start=1):
        y, _ = layer(expected, state[index : index + 1], lengths)
        expected = expected + y
    actual, after = stack(x, state, lengths)
    assert_close(actual, expected)
    assert_close(after[0], final[0])
    assert not actual[(~live).expand_as(actual)].any()


def test_padding_changes_nothing():
    stack, lengths = layer_of("gru", H, H, residual=True), [5, 1, 2]
    beyond = torch.arange(T)[:, None] >= torch.tensor(lengths)
    results = [
        outputs_and_gradients(stack, normal(T, B, H).masked_fill(beyond[..., None], value), None, lengths)
        for value in (0.0, float("nan"), float("inf"))
    ]
    assert not results[0]["d_x"][beyond].any()
    for other in results[1:]:
        assert_close(other, results[0])


def test_the_sum_takes_the_input_as_it_is_before_dropout():
    stack = Recurrent("elman", H, H, num_layers=2, residual=True, dropout=0.5, bias=False, dtype=torch.float64)
    with torch.no_grad():
        stack.layers[1][0].W.zero_()
        stack.layers[1][0].R.zero_()
    x = normal(T, B, H)
    y, _ = stack(x)
    alone = Recurrent("elman", H, H, residual=True, bias=False, dtype=torch.float64)
    alone.load_state_dict({n: w for n, w in stack.state_dict().items() if n.startswith("layers.0.")})
    assert_close(y, alone(x)[0])


def test_where_no_layer_is_as_wide_as_its_input_it_is_refused():
    with pytest.raises(OptionError) as error:
        Recurrent("lstm", 3, H, residual=True)
    assert error.value.message == (
        "residual needs a layer that is as wide as its input, but y has 4 features and x has 3."
    )
    assert error.value.hint == "give it more layers, or an input as wide as its output."
    assert Recurrent("lstm", 3, H, num_layers=2, residual=True).residual
