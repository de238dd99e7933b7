"""Keras's files of weights alone: a description says what they are, or they say so themselves."""

import pytest

import ostinato
from ostinato.errors import DataError, OptionError
from ostinato.exchange.from_keras.reader import read_keras
from tests.exchange.keras_models import KERAS, D, H, assert_near, keras_output, layers, numbers, run, sequential

pytestmark = KERAS


def saved_weights(model, folder):
    model.save_weights(folder / "m.weights.h5")
    return folder / "m.weights.h5"


def assert_weights_equal_keras(model, folder, description, x=None):
    imported = read_keras(saved_weights(model, folder), description)
    x = numbers() if x is None else x
    expected = keras_output(model, x)
    found = run(ostinato.Network(imported.architecture, imported.weights), x)
    assert_near(found if found.ndim == expected.ndim else found[:, -1], expected)
    return imported


@pytest.mark.parametrize(
    ("made", "description"),
    [
        (lambda: [layers.LSTM(H, return_sequences=True), layers.GRU(H), layers.Dense(3)], None),
        (lambda: [layers.GRU(H, reset_after=False), layers.Dense(3, "softmax")], "gru last dense softmax"),
        (lambda: [layers.Bidirectional(layers.LSTM(H)), layers.Dense(3)], "lstm final linear"),
        (lambda: [layers.Dense(H, "relu"), layers.Dense(H), layers.Dense(H, "tanh")], "dense relu dense dense tanh"),
        (
            lambda: [layers.SimpleRNN(H, "relu"), layers.LayerNormalization(), layers.Dense(2)],
            "rnn:relu last norm linear",
        ),
        (lambda: [layers.Dense(H), layers.BatchNormalization(epsilon=0.1)], "linear batch_norm:0.1"),
        (lambda: [layers.TimeDistributed(layers.Dense(H)), layers.GlobalMaxPooling1D()], "linear=time_distributed max"),
        (lambda: [layers.LSTM(H, use_bias=False), layers.Dense(3)], "lstm last linear=dense"),
    ],
)
def test_weights_alone_are_read(made, description, tmp_path):
    imported = assert_weights_equal_keras(sequential(*made()), tmp_path, description)
    assert (description is None) == any("no description was given" in note for note in imported.notes)


def test_weights_alone_that_say_too_little_are_refused(tmp_path):
    for made, said in [
        ([layers.Dense(D), layers.Dense(D)], "which function lies between"),
        ([layers.GRU(H, use_bias=False)], "does not say its reset_after"),
        ([layers.Conv1D(3, 2)], "conv1d: [2, 4, 3], [3]"),
        ([layers.LSTM(D), layers.LayerNormalization(), layers.Dense(D)], "in more than one way"),
    ]:
        path = saved_weights(sequential(*made), tmp_path)
        with pytest.raises(DataError) as caught:
            read_keras(path)
        assert said in caught.value.message


def test_a_description_is_for_weights_alone(tmp_path):
    sequential(layers.Dense(2)).save(tmp_path / "m.keras")
    with pytest.raises(OptionError, match="says itself"):
        read_keras(tmp_path / "m.keras", "linear")
    with pytest.raises(OptionError, match="no layer 'liner'"):
        read_keras(saved_weights(sequential(layers.Dense(2)), tmp_path), "liner")
