"""Parts beside stacks: activations, softmax, the last step, and chains side by side; in files and in streams."""

import numpy as np
import pytest

from ostinato import Network, cells, load
from ostinato.architecture import (
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
)
from ostinato.cells.activations import ACTIVATIONS, activation
from ostinato.cells.pooling import running_max, running_mean
from ostinato.errors import OptionError, ProgramError, ShapeError
from ostinato.runtime import Feedforward
from tests.comparison import assert_close

D, H, T, B = 3, 5, 8, 4
LENGTHS = [8, 1, 5, 3]
V = np.linspace(-4, 4, 41)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def elu(v, alpha=1.0):
    return np.where(v > 0, v, alpha * np.expm1(v))


ORACLES = {
    "relu": np.maximum(V, 0),
    "sigmoid": sigmoid(V),
    "tanh": np.tanh(V),
    "affine": V,
    "leaky_relu": np.where(V >= 0, V, 0.01 * V),
    "thresholded_relu": np.where(V > 1, V, 0),
    "scaled_tanh": np.tanh(V),
    "hard_sigmoid": np.clip(0.2 * V + 0.5, 0, 1),
    "elu": elu(V),
    "softsign": V / (1 + np.abs(V)),
    "softplus": np.log1p(np.exp(V)),
    "clip": np.clip(V, -1, 1),
    "exponential": np.exp(V),
    "selu": 1.0507009873554805 * elu(V, 1.6732632423543772),
    "silu": V * sigmoid(V),
    "gelu_tanh": 0.5 * V * (1 + np.tanh(np.sqrt(2 / np.pi) * (V + 0.044715 * V**3))),
    "mish": V * np.tanh(np.log1p(np.exp(V))),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_its_formula(name):
    part = Feedforward.activation(activation(name), len(V), np.float64)
    assert_close(part.step(V[None])[0][0], ORACLES[name], name)


def test_alpha_and_beta_are_those_of_the_formula():
    for name, alpha, beta, expected in [
        ("affine", 2.0, -1.0, 2 * V - 1),
        ("hard_sigmoid", 0.3, 0.1, np.clip(0.3 * V + 0.1, 0, 1)),
        ("scaled_tanh", 1.7, 0.6, 1.7 * np.tanh(0.6 * V)),
        ("elu", 0.5, None, elu(V, 0.5)),
        ("clip", -0.5, 2.0, np.clip(V, -0.5, 2)),
    ]:
        part = Feedforward.activation(activation(name, alpha, beta), len(V), np.float64)
        assert_close(part.step(V[None])[0][0], expected, name)


@pytest.mark.parametrize(
    ("given", "message"),
    [(("rleu",), "no activation named 'rleu'"), (("relu", 1.0), "has no alpha"), (("elu", np.inf), "must be finite")],
)
def test_a_wrong_activation_is_told(given, message):
    with pytest.raises(OptionError, match=message):
        activation(*given)


def network(parts, input_size=D, seed=0):
    architecture = ModelArchitecture(input_size, parts)
    random = np.random.default_rng(seed)
    shapes = architecture.weight_shapes()
    return Network(architecture, {n: random.normal(size=s, scale=0.5).astype(np.float32) for n, s in shapes.items()})


def numbers(*shape):
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def test_a_network_that_answers_once_a_sequence():
    stack = RecurrentArchitecture(cells.lstm, D, H, 2)
    head = [LinearArchitecture(H, 2), SoftmaxArchitecture(2)]
    every, once = network([stack, *head]), network([stack, LastArchitecture(H), *head])
    once.weights_ = dict(zip(once.weights_, every.weights_.values(), strict=True))
    x = numbers(T, B, D)
    y, state = every.run(x, LENGTHS)
    found, after = once.run(x, LENGTHS)
    assert found.tobytes() == y[np.array(LENGTHS) - 1, np.arange(B)].tobytes()
    assert np.allclose(found.sum(axis=-1), 1)
    assert [part.tobytes() for layer in after for part in layer] == [
        part.tobytes() for layer in state for part in layer
    ]
    # A stream answers at every step; so does a run that is asked to.
    stream = once.stream()
    steps = np.stack([stream.push(step) for step in x[:, 0]])
    assert steps.tobytes() == every.run(x[:, :1])[0][:, 0].tobytes() == once.stream().extend(x[:, 0]).tobytes()
    assert once.run(x, every_step=True)[0].shape == (T, B, 2)
    pool = once.streams(3)
    assert pool.step([pool.open(), pool.open()], x[0, :2]).tobytes() == every.step(x[0, :2])[0].tobytes()


def test_two_chains_side_by_side_are_a_bidirectional_stack(tmp_path):
    both = network([RecurrentArchitecture(cells.gru, D, H, bidirectional=True)])
    forth = [RecurrentArchitecture(cells.gru, D, H)]
    back = [RecurrentArchitecture(cells.gru, D, H, reverse=True)]
    beside = network([ParallelArchitecture([forth, back])])
    beside.weights_ = dict(zip(beside.weights_, both.weights_.values(), strict=True))
    x = numbers(T, B, D)
    y, state = both.run(x, LENGTHS)
    found, after = beside.run(x, LENGTHS)
    assert found.tobytes() == y.tobytes()
    assert np.stack([layer.h for layer in after]).tobytes() == state[0].h.tobytes()
    with pytest.raises(OptionError, match="reads a sequence from the end"):
        beside.stream()
    beside.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.run(x, LENGTHS)[0].tobytes() == y.tobytes()
    assert again.summary() == beside.summary()
    assert repr(again) == "Network(concat of (gru, 1 × 5 units; gru, 1 × 5 units, from the end))"


@pytest.mark.parametrize(("merge", "expected"), [("sum", np.add), ("mul", np.multiply), ("ave", None)])
def test_what_chains_side_by_side_put_out_is_taken_together(merge, expected):
    branches = [[RecurrentArchitecture(cell, D, H)] for cell in (cells.gru, cells.elman)]
    found = network([ParallelArchitecture(branches, merge)])
    x = numbers(T, B, D)
    parts = [part.sequence(x, part.initial_state(B))[0] for part in found.runtime.parts[0].branches]
    wanted = (parts[0] + parts[1]) / 2 if expected is None else expected(*parts)
    y, _ = found.run(x)
    assert y.tobytes() == wanted.tobytes()
    stream = found.stream()
    assert np.stack([stream.push(step) for step in x[:, 1]]).tobytes() == y[:, 1].tobytes()


def test_the_first_step_is_where_a_stack_from_the_end_arrives():
    found = network([RecurrentArchitecture(cells.gru, D, H, reverse=True), LastArchitecture(H, reverse=True)])
    y, state = found.run(numbers(T, B, D), LENGTHS)
    assert y.tobytes() == state[0].h.tobytes()


def test_pooling_over_time():
    x = numbers(T, B, D) - 3
    for cell, expected in (
        (running_mean, [x[:n, b].mean(axis=0) for b, n in enumerate(LENGTHS)]),
        (running_max, [x[:n, b].max(axis=0) for b, n in enumerate(LENGTHS)]),
    ):
        y, _ = network([RecurrentArchitecture(cell, D, D), LastArchitecture(D)]).run(x, LENGTHS)
        assert_close(y, np.array(expected, np.float32), cell.name)


def test_nothing_comes_to_nothing():
    found = network([RecurrentArchitecture(cells.gru, D, H), LastArchitecture(H), LinearArchitecture(H, 2)])
    y, _ = found.run(np.zeros((0, 2, D)))
    assert y.tobytes() == np.tile(found.weights_["parts.2.bias"], (2, 1)).tobytes()


def test_parts_that_do_not_fit_are_refused():
    stack = RecurrentArchitecture(cells.gru, D, H)
    for parts, message in [
        ([stack, LastArchitecture(H), LastArchitecture(H)], "only one step comes"),
        ([stack, LastArchitecture(H), RecurrentArchitecture(cells.gru, H, H)], "only one step comes"),
        ([], "1 to 1024 parts"),
    ]:
        with pytest.raises(ShapeError, match=message):
            ModelArchitecture(D, parts)
    with pytest.raises(ShapeError, match="cannot be taken together"):
        ParallelArchitecture([[stack], [RecurrentArchitecture(cells.gru, D, H + 1)]], "sum")
    with pytest.raises(ShapeError, match="either all branches"):
        ParallelArchitecture([[stack], [stack, LastArchitecture(H)]])
    with pytest.raises(ShapeError, match="part 0 reads 4"):
        ParallelArchitecture([[stack], [LinearArchitecture(4, 2)]])
    with pytest.raises(ShapeError, match="no other direction"):
        RecurrentArchitecture(cells.gru, D, H, bidirectional=True, reverse=True)


def test_hostile_data_is_refused():
    part = {"type": "linear", "input_size": 2, "output_size": 2}
    for _ in range(20):
        part = {"type": "parallel", "branches": [[part]]}
    for parts in (
        [part],
        [{"type": "parallel", "branches": []}],
        [{"type": "activation", "input_size": 2, "function": "x"}],
    ):
        with pytest.raises(ProgramError):
            ModelArchitecture.from_data({"input_size": 2, "parts": parts})
