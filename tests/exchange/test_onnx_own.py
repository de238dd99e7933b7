"""What was exported to ONNX comes back as it was, bit for bit; what was changed since is not taken for it."""

import json

import numpy as np
import onnx
import pytest
from hypothesis import strategies as st
from onnx import numpy_helper

from ostinato import Network, cells
from ostinato.architecture import (
    EmbeddingArchitecture,
    LastArchitecture,
    LinearArchitecture,
    NormArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
)
from ostinato.cells import CELLS
from ostinato.exchange.from_onnx.own import read_own
from ostinato.exchange.from_onnx.reader import read_onnx
from ostinato.exchange.operators import cell_of
from tests.quick import examples, some_quick

from .onnx_running import layer, network, numbers
from .test_matching import OPERATORS, renamed_lstm, shared_gate
from .test_onnx_writer import file_of

D, H = 3, 6


def assert_comes_back(model):
    found = read_own(onnx.load_from_string(file_of(model)))
    assert found.architecture == model.architecture_
    assert found.notes == ()
    assert {name: w.tobytes() for name, w in found.weights.items()} == {
        n: w.tobytes() for n, w in model.weights_.items()
    }
    assert {name: w.shape for name, w in found.weights.items()} == model.architecture_.weight_shapes()


@pytest.mark.parametrize("name", some_quick(CELLS))
@pytest.mark.parametrize(
    "way",
    [{"bidirectional": True, "learned_initial_state": True}, {"bias": False, "heads": 3, "zoneout": "first"}],
    ids=str,
)
def test_every_cell_comes_back(name, way):
    cell = CELLS[name]
    zoneout = {"zoneout": {cell.program.state_names[0]: 0.25}} if "zoneout" in way else {}
    assert_comes_back(layer(cell, H, H, **way | zoneout))


@examples(10, 200, st.sampled_from(OPERATORS), st.booleans(), st.booleans())
def test_every_operator_comes_back(found, bias, both):
    assert_comes_back(layer(cell_of(found), D, H, 2, bias=bias, bidirectional=both))


def test_models_come_back():
    stack = RecurrentArchitecture(cells.gru, D, H)
    back = [RecurrentArchitecture(renamed_lstm, D, 4, reverse=True), LinearArchitecture(4, H)]
    for model in (
        network([stack, NormArchitecture(H), LastArchitecture(H), LinearArchitecture(H, 2), SoftmaxArchitecture(2)], D),
        network([ParallelArchitecture([[stack], back], "mul"), LinearArchitecture(H, 2, bias=False)], D),
        network([stack, LinearArchitecture(H, 7)], D, EmbeddingArchitecture(7, D)),
        layer(shared_gate, D, H),
    ):
        assert_comes_back(model)


def test_a_file_comes_back_through_the_importer(tmp_path):
    model = layer(cells.slstm, D, H, 2)
    model.export_onnx(tmp_path / "m.onnx")
    found = read_onnx(tmp_path / "m.onnx")
    again = Network(found.architecture, found.weights)
    x = numbers(5, 2, D)
    assert again.run(x)[0].tobytes() == model.run(x)[0].tobytes()
    again.export_onnx(tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "m.onnx").read_bytes()


# ---- what is not ours any more


def changed(change):
    read = onnx.load_from_string(file_of(layer(cells.gru, D, H, 2, learned_initial_state=True)))
    change(read)
    return read_own(read)


def said(read, name="architecture"):
    return next(entry for entry in read.metadata_props if entry.key == name)


def replace_weight(read, change):
    held = next(each for each in read.graph.initializer if each.name == "parts.0.layers.1.R")
    held.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(held)), held.name))


def in_architecture(**fields):
    def change(read):
        data = json.loads(said(read).value)
        data["parts"][0] |= fields
        said(read).value = json.dumps(data)

    return change


def elsewhere(read):
    read.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL


CHANGES = {
    "no architecture": lambda read: read.metadata_props.remove(said(read)),
    "no JSON": lambda read: setattr(said(read), "value", "{"),
    "another thing": lambda read: setattr(said(read), "value", "[1]"),
    "nested without end": lambda read: setattr(said(read), "value", "[" * 100_000),
    "a start without end": lambda read: setattr(said(read, "state.0.h"), "value", "[" * 100_000),
    "another start": lambda read: setattr(said(read, "state.0.h"), "value", json.dumps([0.5] * (H - 1))),
    "a start that is no number": lambda read: setattr(said(read, "state.0.h"), "value", '"h"'),
    "a huge architecture": in_architecture(hidden_size=2**31 - 1, input_size=2**31 - 1),
    "a larger architecture": in_architecture(hidden_size=H + 1),
    "residual": in_architecture(residual=True),
    "another node": lambda read: setattr(read.graph.node[0], "op_type", "Neg"),
    "a node more": lambda read: read.graph.node.append(read.graph.node[0]),
    "another attribute": lambda read: setattr(
        next(a for n in read.graph.node if n.op_type == "GRU" for a in n.attribute if a.name == "linear_before_reset"),
        "i",
        0,
    ),
    "another type": lambda read: replace_weight(read, lambda R: R.astype(np.float16)),
    "another shape": lambda read: replace_weight(read, lambda R: R[:, 1:]),
    "bytes that are missing": lambda read: setattr(read.graph.initializer[0], "raw_data", b"abc"),
    "weights in another file": elsewhere,
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_not_taken_for_ours(name):
    assert changed(CHANGES[name]) is None


def test_changed_weights_are_taken_as_they_are():
    found = changed(lambda read: replace_weight(read, lambda R: 2 * R))
    weights = layer(cells.gru, D, H, 2, learned_initial_state=True).weights_
    weights["parts.0.layers.1.0.R"] *= 2
    assert {name: w.tobytes() for name, w in found.weights.items()} == {
        name: w.tobytes() for name, w in weights.items()
    }


def test_a_number_where_there_is_none_is_not_lost():
    """A GRU of ours has one bias a gate; a file with two different ones is another."""

    def second(read):
        held = next(each for each in read.graph.initializer if each.name == "parts.0.layers.1.B")
        held.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(held) + 1, held.name))

    assert changed(second) is None
