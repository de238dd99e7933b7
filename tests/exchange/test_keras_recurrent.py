"""Keras's recurrent layers: random stacks of them, both directions, states."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.exchange.keras_models import (
    KERAS,
    B,
    D,
    H,
    T,
    assert_equals_keras,
    assert_near,
    keras,
    keras_output,
    layers,
    numbers,
    randomised,
    read,
    sequential,
)
from tests.quick import examples

pytestmark = KERAS


def test_a_difference_would_be_seen():
    with pytest.raises(AssertionError):
        assert_near(np.ones(3), np.full(3, 1.0001))


CELL_FUNCTIONS = ["tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "softsign", "elu", "silu", "softplus", "selu"]


@st.composite
def cells(draw):
    """The kind and the options of a cell."""
    kind = draw(st.sampled_from(["SimpleRNN", "LSTM", "GRU"]))
    options = {
        "units": draw(st.integers(1, 7)),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(CELL_FUNCTIONS)),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "hard_sigmoid", "tanh", "relu6"]))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    return kind, options


class Form(NamedTuple):
    """A layer that reads sequences: its cells, and how it runs them. backward: the cell of a direction of its own."""

    cells: list
    go_backwards: bool
    merge: str | None
    backward: tuple | None

    def layer(self, sequences):
        how = {"return_sequences": sequences, "go_backwards": self.go_backwards}
        if len(self.cells) > 1:
            made = layers.RNN([getattr(layers, f"{kind}Cell")(**options) for kind, options in self.cells], **how)
        else:
            ((kind, options),) = self.cells
            made = getattr(layers, kind)(**options, **how)
        if self.merge is None:
            return made
        backward = None
        if self.backward is not None:
            kind, options = self.backward
            options = options | {"units": self.cells[-1][1]["units"]}
            backward = getattr(layers, kind)(**options, return_sequences=sequences, go_backwards=True)
        return layers.Bidirectional(made, merge_mode=self.merge, backward_layer=backward)


@st.composite
def forms(draw):
    stacked = draw(st.sampled_from([1, 1, 1, 2, 3]))
    merge = draw(st.sampled_from([None, None, "concat", "sum", "mul", "ave"]))
    return Form(
        draw(st.lists(cells(), min_size=stacked, max_size=stacked)),
        merge is None and draw(st.booleans()),
        merge,
        draw(st.none() | cells()) if merge else None,
    )


@examples(12, 120, st.lists(forms(), min_size=1, max_size=3), st.sampled_from(["softmax", "linear"]))
def test_recurrent_layers_are_kerass(forms, activation):
    *inner, top = forms
    made = [*(form.layer(True) for form in inner), top.layer(False), layers.Dense(3, activation)]
    with tempfile.TemporaryDirectory() as folder:
        # Small weights: what has no bounds grows from step to step, and with it every difference of rounding.
        assert_equals_keras(randomised(sequential(*made), scale=0.25), Path(folder))


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.LSTM(H, return_sequences=True)],
        lambda: [layers.Bidirectional(layers.GRU(H, return_sequences=True))],
        lambda: [layers.Bidirectional(layers.LSTM(H, return_sequences=True, activation="relu"), merge_mode="sum")],
        lambda: [
            layers.GRU(H, return_sequences=True, go_backwards=True),
            layers.LSTM(3, go_backwards=True, return_sequences=True),
        ],
        lambda: [layers.LSTM(H, return_sequences=True, go_backwards=True), layers.GlobalAveragePooling1D()],
        lambda: [layers.LSTM(H, return_sequences=True, unroll=True)],
    ],
)
def test_sequences_are_kerass(made, tmp_path):
    assert_equals_keras(sequential(*made()), tmp_path)


def test_dropout_within_layers_is_told(tmp_path):
    made = [
        layers.Bidirectional(layers.LSTM(H, return_sequences=True, dropout=0.2), name="a"),
        layers.RNN([layers.GRUCell(3), layers.GRUCell(4, recurrent_dropout=0.1)], return_sequences=True, name="b"),
        layers.GRU(H, name="c"),
    ]
    _, notes = assert_equals_keras(sequential(*made), tmp_path)
    assert notes == ("left out, since it acts in training alone: the dropout of a, the dropout of b.",)


def test_two_directions_that_are_alike_are_one_stack(tmp_path):
    network, _ = read(sequential(layers.Bidirectional(layers.LSTM(H, return_sequences=True))), tmp_path)
    assert repr(network) == "Network(lstm, 1 × 5 units, in both directions)"


def test_a_stream_ends_where_the_sequence_does(tmp_path):
    model = sequential(layers.GRU(H, return_sequences=True), layers.LSTM(H), layers.Dense(2, "softmax"))
    network, _ = assert_equals_keras(model, tmp_path)
    stream = network.stream()
    for step in numbers()[0]:
        y = stream.push(step)
    assert_near(y, keras_output(model, numbers())[0])


def test_states_beside_the_output_are_what_run_returns(tmp_path):
    x = keras.Input((T, D))
    y, h, c = layers.LSTM(H, return_sequences=True, return_state=True)(x)
    model = randomised(keras.Model(x, [y, h, c]))
    network, _ = assert_equals_keras(model, tmp_path)
    _, (state,) = network.run(np.swapaxes(numbers(), 0, 1))
    _, *expected = model(numbers())
    for found, wanted in zip(state, expected, strict=True):
        assert_near(found, wanted.detach().numpy())


def test_a_stateful_model_begins_anew(tmp_path):
    model = randomised(keras.Sequential([keras.Input((T, D), batch_size=B), layers.GRU(H, stateful=True)]))
    model(numbers(5))
    network, notes = read(model, tmp_path)
    assert "stateful" in notes[0]
    model.layers[0].reset_state()
    first, second = keras_output(model, numbers()), keras_output(model, numbers(2))
    y, state = network.run(np.swapaxes(numbers(), 0, 1))
    again, _ = network.run(np.swapaxes(numbers(2), 0, 1), state=state)
    assert_near(y, first)
    assert_near(again, second)
