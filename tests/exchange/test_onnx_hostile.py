"""Hostile ONNX files: nothing grows without end, and damage is an error."""

import contextlib
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.errors import OstinatoError
from ostinato.exchange.from_onnx.reader import read_onnx
from tests.exchange.graphs import Builder, graph, node
from tests.exchange.onnx_reading import after_layer, constant, one_node, refused
from tests.quick import examples


def test_arrays_are_no_larger_than_what_is_there(tmp_path):
    model = one_node()
    model.graph.initializer[0].dims[:] = [2**40, 2**20]
    assert "should have" in refused(model, tmp_path / "m.onnx")[1]
    model.graph.initializer[0].dims[:] = [-1, 12]
    assert "has no valid shape" in refused(model, tmp_path / "m.onnx")[1]
    model.graph.initializer[0].data_type = 77
    assert "has the type number 77, which is not read" in refused(model, tmp_path / "m.onnx")[1]


@pytest.mark.parametrize(
    "make",
    [
        lambda b: b.op("ConstantOfShape", b.constant(array=[2**40])),
        lambda b: b.op("Expand", b.constant(1), b.constant(array=[2**40])),
        lambda b: b.op("Tile", b.constant(4), b.constant(array=[2**40])),
        lambda b: b.op("Range", *(b.constant(array=constant(n)) for n in (0, 2**50, 1))),
        lambda b: b.op("Add", b.constant(2**15, 1), b.constant(1, 2**15)),
        lambda b: b.op("MatMul", b.constant(2**15, 1), b.constant(1, 2**15)),
        lambda b: b.op("Gather", b.constant(1, 2**15), b.constant(array=np.zeros(2**15, np.int64))),
    ],
)
def test_nothing_large_is_made_of_something_small(make, tmp_path):
    assert "it makes" in refused(after_layer(lambda b: b.to("Add", make(b))), tmp_path / "m.onnx")[1]


def test_nothing_grows_without_end(tmp_path):
    def doubled(b):
        for _ in range(60):
            b.here = b.op("Concat", b.here, b.here, axis=2)

    def joined(b):
        b.here = b.op("Tanh", b.op("Concat", *[b.op("Relu", b.here) for _ in range(65)], axis=2))

    def nested(b):
        before = b.here
        for _ in range(12):
            before, b.here = b.here, b.op("Add", b.op("Tanh", b.here), before)

    for build, reason in (
        (doubled, "it joins more than 1024 parts."),
        (joined, "65 branches are joined, of which at most 64 can be."),
        (nested, "branches lie more than 8 deep in branches."),
    ):
        assert reason in refused(after_layer(build), tmp_path / "m.onnx")[1]


def test_the_words_of_a_file_are_told_without_what_moves_the_cursor(tmp_path):
    model = graph([node("\x1b[2J" * 99, "x", "y", name="a\nb")], {"x": ["T", "B", 3]}, ["y"])
    (_, line) = refused(model, tmp_path / "m.onnx")
    assert line.isprintable()
    assert len(line) < 250


@examples(100, 3000, st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_an_error_or_another_model(seed):
    random = np.random.default_rng(seed)
    content = bytearray(DAMAGED)
    if random.random() < 0.3:
        content = content[: random.integers(len(content))]
    for _ in range(random.integers(1, 4)):
        if content:
            content[random.integers(len(content))] = random.integers(256)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        path.write_bytes(content)
        with contextlib.suppress(OstinatoError), warnings.catch_warnings():
            # A weight may become the largest number there is.
            warnings.simplefilter("ignore", RuntimeWarning)
            read_onnx(path)


def _whole():
    builder = Builder(3, batch_first=True)
    builder.recurrent(
        "LSTM", "bidirectional", hidden=1, activations=["Sigmoid", "Elu", "Tanh"] * 2, activation_alpha=[0.5, 0.6]
    )
    builder.gemm()
    builder.last("slice")
    builder.to("Softmax", axis=-1)
    return builder.model().SerializeToString()


DAMAGED = _whole()
