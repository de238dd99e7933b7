"""Keras models of random weights, their files, and what is read of them beside what Keras makes of the models."""

import os

import numpy as np
import pytest

import ostinato
from ostinato.errors import DataError
from ostinato.exchange.from_keras.reader import read_keras

os.environ.setdefault("KERAS_BACKEND", "torch")
h5py = pytest.importorskip("h5py")
keras = pytest.importorskip("keras")
layers = keras.layers
KERAS = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
"""A mark of every test of Keras's files: its own way to NumPy, under NumPy 2."""

T, B, D, H, V = 6, 3, 4, 5, 9


def randomised(model, seed=0, scale=0.5):
    """Give each weight of a model a random value; variances stay positive."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if "seed" not in variable.path:
            values = random.normal(size=variable.shape, scale=scale)
            variable.assign(np.abs(values) + 0.1 if "variance" in variable.path else values)
    return model


def sequential(*given, shape=(T, D), dtype="float32"):
    return randomised(keras.Sequential([keras.Input(shape, dtype=dtype), *given]))


def functional(build):
    x = keras.Input((T, D))
    return randomised(keras.Model(x, build(x)))


def numbers(seed=1, shape=(B, T, D)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def read(model, folder):
    """Save a model and read its file."""
    model.save(folder / "m.keras")
    imported = read_keras(folder / "m.keras")
    return ostinato.Network(imported.architecture, imported.weights), imported.notes


def run(network, x, lengths=None):
    """Run a network over a batch as Keras has it, [B, T, …]."""
    y, _ = network.run(np.swapaxes(x, 0, 1), lengths)
    return np.swapaxes(y, 0, 1) if y.ndim == 3 else y


def keras_output(model, x):
    y = model(x, training=False)
    return (y[0] if isinstance(y, (list, tuple)) else y).detach().cpu().float().numpy()


def assert_near(found, expected):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def assert_equals_keras(model, folder, x=None):
    x = numbers() if x is None else x
    network, notes = read(model, folder)
    assert_near(run(network, x), keras_output(model, x))
    return network, notes


def refused(model, folder):
    model.save(folder / "m.keras")
    with pytest.raises(DataError) as caught:
        read_keras(folder / "m.keras")
    return caught.value.message
