"""The runtime against torch: stacks to the bit, whole models to 1e-5; and against itself, in every way to run it."""

import numpy as np
import pytest
import torch

from ostinato import cells
from ostinato.errors import DataError, OptionError, ShapeError
from ostinato.runtime import Feedforward, Model, Stack
from tests.comparison import assert_close
from tests.example_cells import EXAMPLES
from tests.quick import some_quick

from .problems import OUT, D, H, V, both, model

CELLS = some_quick([*cells.CELLS.values(), *EXAMPLES.values()])
T, B = 9, 5
LENGTHS = [9, 0, 4, 7, 1]


def options_of(cell):
    """What a layer of a cell can be given."""
    yield {}
    yield {"bias": False}
    # A second layer of a cell that reads the input itself would be too narrow for what two directions put out.
    both_ways = {"bidirectional": True} | ({"num_layers": 1} if cell.program.reads_raw_input else {})
    yield both_ways
    yield {"initial_state": "learned"}
    yield {"initial_state": "learned"} | both_ways
    yield {"zoneout": dict.fromkeys(cell.states, 0.25)}
    if cell.program.recurrent_gates and set(cell.program.width_letters) == {"H"}:
        yield {"heads": 2}
    if cell.program.output_width(dict.fromkeys(cell.program.width_letters, H)) == H:
        yield {"residual": True}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def flat(state):
    return [np.asarray(part) for layer in state for part in layer]


def assert_equal_bits(found, expected, what):
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    assert found.tobytes() == expected.tobytes(), what


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_stack_gives_the_bits_of_the_torch_layer_with_every_option(cell):
    for options in options_of(cell):
        layer, stack = both(cell, **options)
        x = numbers(T, B, D)
        for lengths in (None, LENGTHS):
            with torch.no_grad():
                expected, final = layer(torch.from_numpy(x), lengths=lengths)
            y, after = stack.sequence(x, stack.initial_state(B), lengths)
            assert_equal_bits(y, expected, options)
            for found, part in zip(flat(after), flat(final), strict=True):
                assert_equal_bits(found, part, options)
            again, _ = stack.sequence(y[..., :D], after, lengths) if y.shape[-1] >= D else (None, None)
            if again is not None and not options.get("bidirectional"):
                with torch.no_grad():
                    assert_equal_bits(again, layer(expected[..., :D], final, lengths)[0], options)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_whole_model_is_that_of_torch(cell):
    running = model(cell)
    layer, _ = both(cell)
    ids = np.random.default_rng(1).integers(0, V, (T, B))
    stack, norm, head = running.parts
    with torch.no_grad():
        x = torch.from_numpy(running.embedding)[torch.from_numpy(ids)]
        y, final = layer(x)
        scale, shift = (torch.from_numpy(norm.weights[name]) for name in ("p_scale", "p_shift"))
        y = torch.nn.functional.layer_norm(y, (y.shape[-1],), scale, shift)
        expected = torch.nn.functional.linear(y, *(torch.from_numpy(head.weights[n]) for n in ("W", "W_bias")))
    found, state = running.run(ids)
    assert np.abs(found - expected.numpy()).max() <= 1e-5 * np.abs(expected.numpy()).max()
    for part, other in zip(flat(state), flat(final), strict=True):
        assert_equal_bits(part, other, "state")
    assert stack.output_size == y.shape[-1]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_whole_in_chunks_step_by_step_alone_and_together_are_equal_bits(cell):
    running = model(cell, symbols=False)
    x = numbers(T, B, D)
    y, state = running.run(x)
    first, between = running.run(x[:4])
    second, after = running.run(x[4:], state=between)
    assert_equal_bits(np.concatenate([first, second]), y, "chunks")
    stepped, steps = None, []
    for t in range(T):
        each, stepped = running.step(x[t], stepped)
        steps.append(each)
    assert_equal_bits(np.stack(steps), y, "steps")
    for b in range(B):
        assert_equal_bits(running.run(x[:, b : b + 1])[0][:, 0], y[:, b], "alone")
    for found in (after, stepped):
        for part, other in zip(flat(found), flat(state), strict=True):
            assert_equal_bits(part, other, "state")


def test_what_is_padding_changes_nothing_and_comes_out_as_zero():
    running = model(cells.gru, symbols=False)
    x = numbers(T, B, D)
    y, state = running.run(x, LENGTHS)
    for b, length in enumerate(LENGTHS):
        x[length:, b] = np.nan
        assert not y[length:, b].any()
        if length:
            assert_equal_bits(running.run(x[:length, b : b + 1])[0][:, 0], y[:length, b], "live steps")
    again, same = running.run(x, LENGTHS)
    assert_equal_bits(again, y, "y")
    for part, other in zip(flat(same), flat(state), strict=True):
        assert_equal_bits(part, other, "state")


def test_nothing_to_run_gives_nothing():
    running = model(cells.lstm)
    y, state = running.run(np.zeros((0, 3), np.int64))
    assert y.shape == (0, 3, OUT)
    assert all(not part.any() for part in flat(state))
    y, _ = running.step(np.zeros(0, np.int64))
    assert y.shape == (0, OUT)


def test_float64_weights_run_in_float64():
    weight = np.random.default_rng(0).normal(size=(OUT, D))
    running = Model([Feedforward.linear(weight)], dtype=np.float64)
    x = np.random.default_rng(1).normal(size=(T, B, D))
    assert_close(running.run(x)[0], x @ weight.T, "y")
    assert running.run(x)[0].dtype == np.float64


def test_a_bidirectional_model_runs_but_takes_no_step():
    running = model(cells.lstm, bidirectional=True)
    assert running.run(np.zeros((T, B), np.int64))[0].shape == (T, B, OUT)
    for take in (lambda: running.step(np.zeros(B, np.int64)), running.stream, lambda: running.streams(3)):
        with pytest.raises(OptionError, match="its second direction reads a sequence from the end"):
            take()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((T, B, D), np.float32), ShapeError, r"expected symbols \[T B\], got an array of shape \[9, 5, 6\]"),
        (np.zeros((T, B)), DataError, "symbols are whole numbers, not float64"),
        (np.full((T, B), V), DataError, "numbers from 0 to 10; 11 to 11 came"),
        (np.full((T, B), -1), DataError, "numbers from 0 to 10; -1 to -1 came"),
    ],
)
def test_wrong_input_is_told(x, error, message):
    with pytest.raises(error, match=message):
        model(cells.lstm).run(x)


def test_a_wrong_state_is_told():
    running = model(cells.lstm)
    ids = np.zeros((T, B), np.int64)
    _, state = running.run(ids)
    with pytest.raises(ShapeError, match="a state of 2 layers was expected, not of 1"):
        running.run(ids, state=state[:1])
    with pytest.raises(ShapeError, match="with h c each"):
        running.run(ids, state=[layer[:1] for layer in state])
    with pytest.raises(ShapeError, match="state 'h'"):
        running.run(ids[:, :2], state=state)


def test_the_digest_is_that_of_what_is_computed_whatever_the_order_of_weights():
    running = model(cells.gru)
    stack = running.parts[0]
    turned = Stack(stack.architecture, dict(reversed(stack.weights.items())))
    assert Model([turned, *running.parts[1:]], running.embedding).digest == running.digest
    others = [
        model(cells.lstm),
        model(cells.gru, residual=True),
        model(cells.gru, zoneout={"h": 0.1}),
        Model(running.parts, running.embedding + 1e-6),
        Model(running.parts[:-1], running.embedding),
        Model(running.parts),
    ]
    digests = {other.digest for other in others} | {running.digest}
    assert len(digests) == len(others) + 1
