"""Padding in Keras's models: what its masks leave out is what `lengths` does."""

import numpy as np
import pytest

from tests.exchange.keras_models import (
    KERAS,
    B,
    D,
    H,
    T,
    V,
    assert_equals_keras,
    assert_near,
    keras,
    keras_output,
    layers,
    numbers,
    randomised,
    read,
    run,
    sequential,
)

pytestmark = KERAS


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.LSTM(H), layers.Dense(3)],
        lambda: [layers.GRU(H, return_sequences=True), layers.LSTM(H, return_sequences=True), layers.Dense(3, "tanh")],
        lambda: [layers.Bidirectional(layers.LSTM(H, return_sequences=True)), layers.Bidirectional(layers.GRU(H))],
        lambda: [layers.Bidirectional(layers.SimpleRNN(H, return_sequences=True), merge_mode="mul")],
        lambda: [layers.LSTM(H, return_sequences=True), layers.GlobalAveragePooling1D()],
        lambda: [layers.LSTM(H, go_backwards=True)],
    ],
)
@pytest.mark.parametrize("symbols", [False, True])
@pytest.mark.filterwarnings("ignore:Layer .* was passed a mask:UserWarning")
def test_lengths_are_what_masks_are(made, symbols, tmp_path):
    lengths = [T, 1, 4]
    live = np.arange(T) < np.array(lengths)[:, None]
    if symbols:
        model = sequential(layers.Embedding(V, D, mask_zero=True), *made(), shape=(T,), dtype="int32")
        x = np.where(live, np.random.default_rng(0).integers(1, V, (B, T)), 0)
    else:
        model = sequential(layers.Masking(), *made())
        x = numbers() * live[:, :, None]
    network, notes = read(model, tmp_path)
    found, expected = run(network, x, lengths), keras_output(model, x)
    if found.ndim == 3:
        assert not found[~live].any()
        found, expected = found[live], expected[live]
    assert_near(found, expected)
    assert "`lengths` says where padding begins" in notes[0]


def test_a_functional_model_of_symbols_with_a_mask(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    y = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(layers.Embedding(V, D, mask_zero=True)(ids))
    model = randomised(keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(y))))
    network, _ = read(model, tmp_path)
    x = np.array([[3, 1, 4, 1, 5], [2, 7, 0, 0, 0]])
    assert_near(run(network, x, [5, 2]), keras_output(model, x))


def test_a_functional_model_with_a_mask(tmp_path):
    x = keras.Input((None, D))
    y = layers.LSTM(H, return_sequences=True)(layers.Masking(0.5)(x))
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(y)
    y = layers.TimeDistributed(layers.Dense(4, "relu"))(layers.Dropout(0.3)(y))
    model = randomised(keras.Model(x, layers.Dense(2, name="head")(layers.SimpleRNN(3)(y))))
    network, notes = assert_equals_keras(model, tmp_path)
    assert "whose features are all 0.5" in notes[0]
    assert "acts in training alone: dropout" in notes[1]
    given = numbers()
    given[1, 2:] = 0.5
    assert_near(run(network, given, [T, 2, T]), keras_output(model, given))


def test_a_mask_that_keras_loses_is_told(tmp_path):
    back = layers.LSTM(H, return_sequences=True, go_backwards=True)
    _, notes = assert_equals_keras(sequential(layers.Masking(), back, layers.GRU(3)), tmp_path)
    assert "Keras leaves its mask as it was" in notes[1]
