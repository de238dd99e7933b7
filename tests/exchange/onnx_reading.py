"""What the tests of the ONNX reader share: reading a graph, and comparing what was read with ONNX Runtime."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from ostinato import Network
from ostinato.errors import DataError
from ostinato.exchange.from_onnx.reader import read_onnx
from tests.comparison import assert_close
from tests.exchange.graphs import Builder, graph, node, numbers, run, saved

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
RAGGED = np.array([5, 0, 3, 1], np.int64)
"""Lengths of four sequences, one of them without a step."""


def read(model, path):
    found = read_onnx(saved(model, path))
    return Network(found.architecture, found.weights), found.notes


def same(builder, steps=5, batch=3):
    """Check that a graph computes what it does in ONNX Runtime when it is read; return the network and the notes."""
    model = builder.model()
    with tempfile.TemporaryDirectory() as folder:
        network, notes = read(model, Path(folder) / "m.onnx")
    x = numbers(np.random.default_rng(9), steps, batch, builder.inputs["x"][-1], scale=1.0)
    expected = run(model, {"x": x.swapaxes(0, 1) if builder.batch_first else x})[builder.here]
    y, _ = network.run(x)
    swap = builder.batch_first and not builder.reduced
    assert_close(y.swapaxes(0, 1) if swap else y, expected, "y")
    return network, notes


def refused(model, path):
    """The lines of the error by which a model is refused."""
    with pytest.raises(DataError) as caught:
        read_onnx(saved(model, path))
    return caught.value.message.split("\n  ")


def after_layer(build, **how):
    """A model of a GRU and what `build` puts behind it."""
    builder = Builder(3, **how)
    builder.recurrent("GRU")
    build(builder)
    return builder.model()


def constant(number):
    return np.array(number)


def one_node(kind="LSTM", inputs=None, reading="x W R", outputs="Y", constants=None, **attributes):
    """A model of one recurrent node over 3 features, of 4 units."""
    random = np.random.default_rng(2)
    gates = GATES.get(kind, 4) * 4
    held = {"W": numbers(random, 1, gates, 3), "R": numbers(random, 1, gates, 4)} | (constants or {})
    made = node(kind, reading, outputs, name="layer", **attributes)
    return graph([made], {"x": ["T", "B", 3]} | (inputs or {}), outputs.replace("- ", "").split(), held)
