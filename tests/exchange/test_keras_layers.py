"""Keras's layers without memory, models within models, symbols, vectors, and other types than float32."""

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
    refused,
    run,
    sequential,
)

pytestmark = KERAS


FUNCTIONS = [
    *(
        "linear",
        "relu",
        "sigmoid",
        "tanh",
        "softmax",
        "log_softmax",
        "leaky_relu",
        "relu6",
        "hard_sigmoid",
        "hard_tanh",
    ),
    *("elu", "celu", "selu", "softplus", "softsign", "exponential", "silu", "swish", "mish"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activations_are_kerass(function, tmp_path):
    assert_equals_keras(sequential(layers.Dense(11, activation=function)), tmp_path, 3 * numbers())
    assert_equals_keras(sequential(layers.Dense(7), layers.Activation(function)), tmp_path)


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.ReLU(max_value=1.5), layers.Dense(3)],
        lambda: [layers.ReLU(negative_slope=0.3)],
        lambda: [layers.ReLU(threshold=0.4)],
        lambda: [layers.LeakyReLU(negative_slope=0.1), layers.ELU(alpha=0.6), layers.Softmax()],
        lambda: [layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.7))],
        lambda: [layers.Rescaling(0.3, offset=-1.0), layers.Dense(2, use_bias=False)],
        lambda: [layers.LayerNormalization(epsilon=1e-4)],
        lambda: [layers.LayerNormalization(axis=2, center=False), layers.LayerNormalization(scale=False)],
        lambda: [layers.BatchNormalization(), layers.Dense(6), layers.BatchNormalization(scale=False)],
        lambda: [layers.Dense(3, use_bias=False), layers.BatchNormalization(center=False, epsilon=0.02), layers.ReLU()],
        lambda: [layers.GlobalMaxPooling1D(), layers.Flatten(), layers.Reshape((D,)), layers.Dense(3)],
        lambda: [layers.GlobalAveragePooling1D(), layers.BatchNormalization(), layers.Dense(3)],
        lambda: [layers.GaussianNoise(0.1), layers.SpatialDropout1D(0.2), layers.Dense(3), layers.Reshape((T, 3))],
        lambda: [layers.TimeDistributed(layers.LayerNormalization()), layers.TimeDistributed(layers.Activation("elu"))],
        lambda: [
            layers.TimeDistributed(keras.Sequential([layers.Dense(4, "relu"), layers.Dropout(0.1), layers.Dense(2)]))
        ],
        lambda: [
            keras.Sequential([layers.Dense(4), layers.Dense(3)]),
            layers.Dense(2),
            keras.Sequential([layers.LSTM(3)]),
        ],
    ],
)
def test_layers_without_memory_are_kerass(made, tmp_path):
    assert_equals_keras(sequential(*made()), tmp_path)


def test_symbols_are_read(tmp_path):
    ids = np.random.default_rng(0).integers(0, V, (B, T))
    model = randomised(keras.Sequential([layers.Embedding(V, D), layers.GlobalAveragePooling1D(), layers.Dense(2)]))
    model(ids)
    network, notes = assert_equals_keras(randomised(model), tmp_path, ids)
    assert not notes
    assert network.summary()["reads"] == "9 symbols"


def test_a_sequence_of_symbols_is_not_one_vector(tmp_path):
    model = sequential(layers.Embedding(V, D), layers.Flatten(), layers.Dense(2), shape=(T,), dtype="int32")
    assert "(Flatten): it makes one vector of a sequence" in refused(model, tmp_path)
    model = sequential(layers.Embedding(V, D), layers.Reshape((T, D)), layers.LSTM(2), shape=(T,), dtype="int32")
    assert_equals_keras(model, tmp_path, np.random.default_rng(0).integers(0, V, (B, T)))


def test_many_layers_of_a_class_keep_their_weights(tmp_path):
    assert_equals_keras(sequential(*[layers.Dense(3 + index % 2, "tanh") for index in range(12)]), tmp_path)


def test_models_within_models(tmp_path):
    inner = keras.Sequential([keras.Input((None, D)), layers.Dense(3, "relu"), layers.LSTM(H, return_sequences=True)])
    x = keras.Input((T, D))
    middle = keras.Model(x, layers.Dense(4, "tanh")(inner(x)))
    outer = keras.Input((T, D))
    assert_equals_keras(randomised(keras.Model(outer, layers.Dense(2)(layers.GRU(3)(middle(outer))))), tmp_path)


@pytest.mark.parametrize(
    ("kind", "bound"), [("float64", 1e-5), ("mixed_float16", 1e-2), ("bfloat16", 5e-2), ("float16", 1e-2)]
)
def test_other_types_become_float32(kind, bound, tmp_path):
    # An orthogonal start is not to be had in half precision.
    lstm = layers.LSTM(H, dtype=kind, recurrent_initializer="glorot_uniform")
    model = sequential(lstm, layers.Dense(3, dtype=kind))
    network, notes = read(model, tmp_path)
    expected = keras_output(model, numbers())
    assert np.abs(run(network, numbers()) - expected.astype(float)).max() <= bound * np.abs(expected).max()
    assert any("half precision" in note for note in notes) == ("float16" in kind)
    assert any(f"from {kind}" in note for note in notes) == (not kind.startswith("mixed"))


def test_a_model_of_vectors_is_told(tmp_path):
    model = sequential(layers.Dense(3, "relu"), layers.Flatten(), layers.Dense(2), shape=(D,))
    network, notes = read(model, tmp_path)
    assert_near(run(network, numbers())[:, 0], keras_output(model, numbers()[:, 0]))
    assert "single vectors" in notes[0]


def test_a_compiled_model_is_read_without_its_optimizer(tmp_path):
    model = sequential(layers.LSTM(H), layers.Dense(1))
    model.compile("adam", "mse")
    model.fit(numbers(), np.zeros((B, 1)), verbose=0)
    assert_equals_keras(model, tmp_path)
