"""Directions that are joined or parted, the last step, and pooling over time, in ONNX graphs."""

import numpy as np
import pytest

from tests.comparison import assert_close
from tests.exchange.graphs import Builder, numbers, run
from tests.exchange.onnx_reading import read, same


def two_ways(builder, hidden=4):
    weights = [builder.constant(2, 3 * hidden, 3), builder.constant(2, 3 * hidden, hidden)]
    return builder.op("GRU", "x", *weights, count=2, direction="bidirectional", hidden_size=hidden)


def test_directions_are_summed_averaged_split_and_picked():
    def summed(builder, y, h):
        builder.here = builder.op("ReduceSum", y, builder.constant(array=[1]), keepdims=0)

    def averaged(builder, y, h):
        builder.here = builder.op("ReduceMean", y, axes=[1], keepdims=0)

    def split(builder, y, h):
        pieces = builder.op("Split", y, count=2, axis=1)
        squeezed = [builder.op("Squeeze", piece, builder.constant(array=[1])) for piece in pieces]
        builder.here = builder.op("Sub", *squeezed)

    def features(builder, y, h):
        flat = builder.op("Transpose", y, perm=[0, 2, 1, 3])
        flat = builder.op("Reshape", flat, builder.constant(array=[0, 0, 8]))
        pieces = builder.op("Split", flat, builder.constant(array=[4, 4]), count=2, axis=-1)
        builder.here = builder.op("Mul", *pieces)

    def second(builder, y, h):
        builder.here = builder.op("Gather", y, builder.constant(array=np.array(1)), axis=1)

    def last_both(builder, y, h):
        pieces = [builder.op("Gather", h, builder.constant(array=np.array(n)), axis=0) for n in (-2, -1)]
        builder.here = builder.op("Concat", *pieces, axis=1)

    def both(builder, y, h):
        every = builder.op("Transpose", y, perm=[0, 2, 1, 3])
        every = builder.op("Reshape", every, builder.constant(array=[0, 0, -1]))
        builder.here = builder.op("Concat", every, builder.op("Tanh", every), axis=2)

    def apart(builder, y, h):
        flat = builder.op("Transpose", y, perm=[0, 2, 1, 3])
        flat = builder.op("Reshape", flat, builder.constant(array=[0, 0, -1]))
        apart = builder.op("Reshape", flat, builder.constant(array=[0, 0, 2, 4]))
        builder.here = builder.op("ReduceMean", apart, axes=[2], keepdims=0)

    for way in (summed, averaged, split, features, second, last_both, both, apart):
        builder = Builder(3, seed=6)
        way(builder, *two_ways(builder))
        same(builder)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_series_of_single_numbers_needs_no_axis_of_features(batch_first, tmp_path):
    builder = Builder(1, batch_first)
    builder.inputs = {"x": ["B", "T"] if batch_first else ["T", "B"]}
    builder.to("Unsqueeze", builder.constant(array=[2]))
    builder.recurrent("LSTM", hidden=4)
    builder.to("MatMul", builder.constant(4, 1))
    builder.to("Squeeze", builder.constant(array=[2]))
    model = builder.model()
    network, notes = read(model, tmp_path / "m.onnx")
    x = numbers(np.random.default_rng(1), 5, 4)
    expected = run(model, {"x": x.T if batch_first else x})[builder.here]
    assert_close(network.run(x[:, :, None])[0][:, :, 0], expected.T if batch_first else expected, "y")
    axes = "[B, T]" if batch_first else "[T, B]"
    assert f"the output is {axes} in the file, and [T, B, 1] here." in notes


def test_the_last_layers_state_of_a_stack():
    builder = Builder(3)
    states = []
    for _ in range(2):
        weights = [builder.constant(1, 16, builder.size), builder.constant(1, 16, 4)]
        y, h, _ = builder.op("LSTM", builder.here, *weights, count=3, hidden_size=4)
        states.append(h)
        builder.here, builder.size = builder.op("Squeeze", y, builder.constant(array=[1])), 4
    stacked = builder.op("Concat", *states, axis=0)
    builder.here = builder.op("Gather", stacked, builder.constant(array=np.array(-1)), axis=0)
    builder.matmul()
    same(builder)


@pytest.mark.parametrize("batch_first", [False, True])
def test_pooling_over_time(batch_first):
    axis = 1 if batch_first else 0
    for pool in (
        lambda b: b.to("ReduceMean", axes=[axis], keepdims=0),
        lambda b: b.to("ReduceMax", axes=[axis - 3], keepdims=0),
        lambda b: [b.to("ReduceMean", axes=[axis]), b.to("Squeeze", b.constant(array=[axis]))],
    ):
        builder = Builder(3, batch_first)
        builder.recurrent("GRU")
        pool(builder)
        builder.matmul()
        builder.reduced = True
        same(builder)


@pytest.mark.parametrize("pool", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pooling(pool):
    builder = Builder(3, batch_first=True)
    builder.recurrent("GRU")
    builder.to("Transpose", perm=[0, 2, 1])
    builder.to(pool)
    builder.to("Flatten")
    builder.reduced = True
    same(builder)


def test_batch_normalisation_becomes_part_of_a_dense_layer():
    for before in (lambda b: None, lambda b: b.matmul()):
        builder = Builder(3, batch_first=True)
        builder.recurrent("GRU")
        builder.last("gather")
        before(builder)
        weights = [builder.constant(builder.size) for _ in range(3)]
        variance = builder.constant(array=np.linspace(0.5, 2, builder.size, dtype=np.float32))
        builder.to("BatchNormalization", *weights, variance, epsilon=1e-3)
        network, _ = same(builder)
        assert len(network.architecture_.parts) == 3
