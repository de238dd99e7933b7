"""Sequences of unequal length, cut sequences, and batches with nothing in them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.cells import CELLS
from ostinato.nn import detach

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..quick import some_quick
from .running import layer_of, normal, outputs_and_gradients, state_of

T, B, D, H, P = 5, 4, 3, 3, 2
EVERY = list((CELLS | EXAMPLES).values())
LENGTHS = [3, 5, 0, 1]
FORMS = [{}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True, "batch_first": True}]


@pytest.fixture(params=some_quick(EVERY), ids=lambda cell: cell.name)
def cell(request):
    return request.param


def layer_for(cell, **options):
    """Build a layer; a cell that reads the input itself is not for a second layer of twice its width."""
    if cell.program.reads_raw_input and options.get("bidirectional"):
        options |= {"num_layers": 1}
    return layer_of(cell, D, H, widths={"P": P} if "P" in cell.program.width_letters else None, **options)


def one_of(state, b):
    """Return the state of one sequence of a batch."""
    return tuple(type(part)(*(tensor[..., b : b + 1, :] for tensor in part)) for part in state)


def across(layer, x):
    """Turn [T, B, …] into what the layer takes, and back."""
    return x.transpose(0, 1) if layer.batch_first else x


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_ragged_batch_equals_each_sequence_alone(cell, options):
    layer = layer_for(cell, **options)
    x, state = normal(T, B, D), state_of(layer, B)
    d_y = normal(T, B, layer.output_size, seed=9)
    d_final = [normal(*part.shape, seed=20 + k) for k, part in enumerate(p for parts in state for p in parts)]
    together = outputs_and_gradients(layer, across(layer, x), state, LENGTHS, across(layer, d_y), d_final)
    y, d_x = across(layer, together["y"]), across(layer, together["d_x"])
    summed = dict.fromkeys(together["d_weights"], 0.0)
    for b, length in enumerate(LENGTHS):
        assert not y[length:, b].any()
        assert not d_x[length:, b].any()
        own = [part[..., b : b + 1, :] for part in d_final]
        if length == 0:
            assert_close(one_of(together["final"], b), one_of(state, b))
            assert_close([part[..., b : b + 1, :] for part in together["d_state"]], own)
            continue
        alone = outputs_and_gradients(
            layer,
            across(layer, x[:length, b : b + 1]),
            one_of(state, b),
            None,
            across(layer, d_y[:length, b : b + 1]),
            own,
        )
        assert_close(y[:length, b : b + 1], across(layer, alone["y"]))
        assert_close(d_x[:length, b : b + 1], across(layer, alone["d_x"]))
        assert_close(one_of(together["final"], b), alone["final"])
        assert_close([part[..., b : b + 1, :] for part in together["d_state"]], alone["d_state"])
        summed = {name: total + alone["d_weights"][name] for name, total in summed.items()}
    assert_close(together["d_weights"], summed)


@pytest.mark.parametrize("poison", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("options", FORMS, ids=str)
def test_what_lies_beyond_the_length_changes_nothing(cell, options, poison):
    """Not in x, and not in the gradient that comes back from y."""
    layer = layer_for(cell, **options)
    x, d_y, state = normal(T, B, D), normal(T, B, layer.output_size, seed=9), state_of(layer, B)
    padding = torch.arange(T)[:, None, None] >= torch.tensor(LENGTHS)[None, :, None]
    results = []
    for fill in (0.0, poison):
        given = [across(layer, values.masked_fill(padding, fill)) for values in (x, d_y)]
        results.append(outputs_and_gradients(layer, given[0], state, LENGTHS, given[1]))
        assert not across(layer, results[-1]["y"]).masked_select(padding).any()
        assert not across(layer, results[-1]["d_x"]).masked_select(padding).any()
    assert_close(results[1], results[0])


@settings(max_examples=40)
@given(
    name=st.sampled_from(["lstm", "gru_v1"]),
    lengths=st.integers(0, 4).flatmap(lambda steps: st.lists(st.integers(0, steps), min_size=1, max_size=4)),
    spare=st.integers(0, 2),
    bidirectional=st.booleans(),
)
def test_any_lengths_equal_each_sequence_alone(name, lengths, spare, bidirectional):
    layer = layer_for(CELLS[name], num_layers=2, bidirectional=bidirectional)
    x, state = normal(max(lengths) + spare, len(lengths), D), state_of(layer, len(lengths))
    y, final = layer(x, state, lengths)
    for b, length in enumerate(lengths):
        alone, last = layer(x[:length, b : b + 1], one_of(state, b))
        assert_close(y[:length, b : b + 1], alone)
        assert_close(one_of(final, b), last)
        assert not y[length:, b].any()


@pytest.mark.parametrize("lengths", [[T] * B, torch.full((B,), T)], ids=["list", "tensor"])
def test_full_lengths_equal_none(cell, lengths):
    layer = layer_for(cell, bidirectional=True)
    x, state = normal(T, B, D), state_of(layer, B)
    assert_close(outputs_and_gradients(layer, x, state, lengths), outputs_and_gradients(layer, x, state))


def test_the_reverse_direction_is_the_forward_one_over_the_reversed_sequence(cell):
    both, forward = layer_for(cell, bidirectional=True), layer_for(cell)
    forward.layers[0][0].load_state_dict(both.layers[0][1].state_dict())
    x, state = normal(T, B, D), state_of(both, B)
    y, final = both(x, state)
    own = type(state[0])(*(part[1] for part in state[0]))
    backward, last = forward(x.flip(0), (own,))
    assert_close(y[..., forward.output_size :], backward.flip(0))
    assert_close([part[1] for part in final[0]], last[0])


@pytest.mark.parametrize("cut", [0, 1, 3, T])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_cut_sequence_with_its_state_carried_equals_the_whole(cell, cut, num_layers):
    layer = layer_for(cell, num_layers=1 if cell.name == "leaky" else num_layers)
    x, state = normal(T, B, D).requires_grad_(), state_of(layer, B)
    given = (x, *layer.parameters())
    whole, last = layer(x, state)
    first, carried = layer(x[:cut], state)
    second, end = layer(x[cut:], carried)
    assert_close([torch.cat([first, second]), end], [whole, last])
    d_y = normal(*whole.shape, seed=3)
    assert_close(
        torch.autograd.grad((d_y * torch.cat([first, second])).sum(), given, allow_unused=False),
        torch.autograd.grad((d_y * whole).sum(), given),
    )


def test_a_ragged_cut_carries_the_state_of_each_sequence(cell):
    layer = layer_for(cell)
    x, state, lengths = normal(T, B, D), state_of(layer, B), torch.tensor(LENGTHS)
    whole, last = layer(x, state, lengths)
    first, carried = layer(x[:2], state, lengths.clamp(max=2))
    second, end = layer(x[2:], carried, (lengths - 2).clamp(min=0))
    assert_close([torch.cat([first, second]), end], [whole, last])


def test_detach_cuts_the_gradient_and_keeps_the_values():
    layer = layer_for(CELLS["lstm"], num_layers=2)
    x = normal(T, B, D).requires_grad_()
    _, state = layer(x)
    cut = detach(state)
    assert_close(cut, state)
    assert [type(part) for part in cut] == [type(part) for part in state]
    assert not any(tensor.requires_grad for part in cut for tensor in part)
    layer(normal(T, B, D, seed=1), cut)[0].sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("options", [*FORMS, {"batch_first": True}], ids=str)
@pytest.mark.parametrize(
    ("steps", "batch", "lengths"), [(0, B, None), (T, 0, None), (T, 0, []), (0, 0, None), (T, 2, [0, 0])]
)
def test_nothing_to_run_gives_empty_or_zero_outputs_and_the_state_as_it_was(cell, options, steps, batch, lengths):
    layer = layer_for(cell, **options)
    state = state_of(layer, batch)
    y, final = layer(across(layer, normal(steps, batch, D)), state, lengths)
    assert tuple(across(layer, y).shape) == (steps, batch, layer.output_size)
    assert not y.any()
    assert_close(final, state)
    layer(across(layer, normal(steps, batch, D)), lengths=lengths)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_without_gradients_the_outputs_are_the_same(cell, dtype, lengths):
    layer = layer_for(cell, dtype=dtype, num_layers=1 if cell.name == "leaky" else 2)
    x, state = normal(T, B, D, dtype=dtype), state_of(layer, B)
    expected = layer(x, state, lengths)
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            assert_close(layer(x, state, lengths), expected)


def test_strided_and_expanded_inputs_are_read_right(cell):
    layer = layer_for(cell)
    wide, state = normal(T, 2 * B, D), state_of(layer, B)
    assert_close(layer(wide[:, ::2], state), layer(wide[:, ::2].contiguous(), state))
    one = wide[:, :1].expand(T, B, D)
    assert_close(layer(one, state, LENGTHS), layer(one.contiguous(), state, LENGTHS))


def test_a_row_does_not_depend_on_the_others(cell):
    layer = layer_for(cell)
    x, state = normal(T, B, D), state_of(layer, B)
    poisoned = x.clone()
    poisoned[:, 0] = math.nan
    y, final = layer(poisoned, state)
    expected, last = layer(x, state)
    assert_close(y[:, 1:], expected[:, 1:])
    assert_close([part[1:] for part in final[0]], [part[1:] for part in last[0]])
