"""How ONNX files hold their weights: in pieces, in other types, in a file beside."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from ostinato import Network
from ostinato.errors import DataError
from ostinato.exchange.from_onnx.reader import read_onnx
from tests.comparison import assert_close
from tests.exchange.graphs import FLOAT, Builder, numbers, run
from tests.exchange.onnx_reading import same


def test_weights_in_pieces_are_put_together():
    # As torch writes them without constant folding: gates cut apart and stacked in another order.
    builder = Builder(3)
    made = []
    for columns in (3, 4):
        whole = builder.constant(12, columns)
        pieces = [
            builder.op("Slice", whole, *(builder.constant(array=[n]) for n in (i * 4, i * 4 + 4, 0))) for i in (1, 0, 2)
        ]
        stacked = builder.op("Concat", *pieces, axis=0)
        made.append(builder.op("Unsqueeze", stacked, builder.constant(array=[0])))
    y = builder.op("GRU", "x", *made, hidden_size=4)
    builder.here = builder.op("Squeeze", y, builder.constant(array=[1]))
    weight = builder.op("Constant", value=numpy_helper.from_array(numbers(builder.random, 2, 4)))
    builder.to("MatMul", builder.op("Transpose", weight))
    same(builder)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_weights_of_other_types_are_kept_in_float32_which_is_told(kind):
    builder = Builder(3)
    builder.recurrent("RNN")
    builder.to(
        "MatMul", builder.op("Cast", builder.constant(array=numbers(builder.random, 4, 2).astype(kind)), to=FLOAT)
    )
    _, notes = same(builder)
    assert f"weights in {np.dtype(kind).name if kind == np.float16 else 'double'} are kept in float32." in notes


def external(tmp_path):
    builder = Builder(3)
    builder.recurrent("LSTM")
    builder.matmul()
    model = builder.model()
    expected = run(model, {"x": np.ones((2, 1, 3), np.float32)})[builder.here]
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="m.onnx.data", size_threshold=0)
    return path, expected


def test_weights_in_a_file_beside_are_read(tmp_path):
    path, expected = external(tmp_path)
    found = read_onnx(path)
    assert_close(Network(found.architecture, found.weights).run(np.ones((2, 1, 3)))[0], expected, "y")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("location", "/etc/hostname", "outside of the model's folder"),
        ("location", "../m.onnx.data", "outside of the model's folder"),
        ("location", "link", "outside of the model's folder"),
        ("location", "", "outside of the model's folder"),
        ("location", ".", "outside of the model's folder"),
        ("location", "gone", "cannot be read: no such file or directory"),
        ("offset", "99999999", "ends before it does"),
        ("offset", "-8", "should have"),
        ("offset", "x", "says no place"),
        ("length", "4", "but has 4"),
    ],
)
def test_no_file_elsewhere_is_opened(key, value, message, tmp_path):
    (tmp_path / "inside").mkdir()
    path, _ = external(tmp_path / "inside")
    (tmp_path / "m.onnx.data").write_bytes(path.with_name("m.onnx.data").read_bytes())
    path.with_name("link").symlink_to(tmp_path / "m.onnx.data")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        facts = {entry.key: entry.value for entry in tensor.external_data} | {key: value}
        del tensor.external_data[:]
        for name, text in facts.items():
            tensor.external_data.add(key=name, value=text)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=message):
        read_onnx(path)
