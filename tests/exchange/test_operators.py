"""ONNX's operators as cells: beside single nodes in ONNX Runtime, with weights both ways."""

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from ostinato import cells
from ostinato.cells.activations import ACTIVATIONS
from ostinato.errors import OptionError, ShapeError
from ostinato.exchange.operators import (
    DEFAULTS,
    FUNCTIONS,
    GATES,
    KNOWN,
    SIGMOID,
    TANH,
    OnnxWeights,
    Squashing,
    activations_from_onnx,
    activations_to_onnx,
    cell_of,
    operator,
    weights_from_onnx,
    weights_to_onnx,
)
from ostinato.exchange.to_onnx.matching import match
from tests.comparison import assert_close

from .onnx_running import layer, numbers

T, B, D, H = 5, 3, 4, 6
FORMS = [
    ("RNN", {}),
    ("GRU", {}),
    ("GRU", {"linear_before_reset": True}),
    *(("LSTM", {"peepholes": p, "input_forget": f}) for p, f in itertools.product((False, True), repeat=2)),
]


def squashing(name):
    """One of our activations, with numbers that are not its defaults."""
    known = ACTIVATIONS[name]
    return Squashing(name, None if known.alpha is None else 0.375, None if known.beta is None else 0.625)


def every_operator():
    """Every form, clipped and not, with activations in turn, so that each comes at each place of each kind."""
    names = list(FUNCTIONS.values())
    for (kind, fields), shift in itertools.product(FORMS, range(len(names))):
        functions = [squashing(names[(shift * (k + 1) + k) % len(names)]) for k in range(len(DEFAULTS[kind]))]
        yield operator(kind, functions, clip=None if shift % 2 else 0.75, **fields)


def weights_of(found, seed=0):
    gates = len(GATES[found.kind])
    shapes = {"W": (gates * H, D), "R": (gates * H, H), "B": (2 * gates * H,), "P": (3 * H,)}
    arrays = {name: 0.5 * numbers(*shape, seed=seed + k) for k, (name, shape) in enumerate(shapes.items())}
    return OnnxWeights(**(arrays if found.peepholes else arrays | {"P": None}))


def run_node(found, weights, x, state, **attributes):
    """Run one node of the operator, forwards; return y [T, B, H] and the states."""
    values = {"x": x, **{name: array[None] for name, array in weights._asdict().items() if array is not None}}
    values |= {f"state_{k}": part[None] for k, part in enumerate(state)}
    inputs = ["x", "W", "R", "B" if "B" in values else "", "", *(f"state_{k}" for k in range(len(state)))]
    outputs = ["y", *(f"new_{k}" for k in range(len(state)))]
    node = helper.make_node(
        found.kind, [*inputs, "P"] if found.peepholes else inputs, outputs, hidden_size=H, **attributes
    )
    graph = helper.make_graph(
        [node],
        "node",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in values.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    y, *after = onnxruntime.InferenceSession(model.SerializeToString()).run(None, values)
    return y[:, 0], [part[0] for part in after]


def attributes_of(found):
    attributes = activations_to_onnx(found.activations) | ({} if found.clip is None else {"clip": found.clip})
    for name in ("input_forget", "linear_before_reset"):
        attributes |= {name: 1} if getattr(found, name) else {}
    return attributes


def run_cell(found, weights, x, state):
    model = layer(cell_of(found), D, H)
    given = weights_from_onnx(found, weights)
    model.weights_ = {f"parts.0.layers.0.0.{name}": array for name, array in given.items()}
    assert {n: a.shape for n, a in model.weights_.items()} == model.architecture_.weight_shapes()
    y, (after,) = model.run(x, state=[state])
    return y, list(after)


def states(found):
    return [numbers(B, H, seed=20 + k) for k in range(2 if found.kind == "LSTM" else 1)]


def test_every_operator_is_its_node():
    """One test: a node takes a few milliseconds."""
    for found in [*KNOWN, *every_operator()]:
        weights, x, state = weights_of(found), numbers(T, B, D), states(found)
        y, after = run_node(found, weights, x, state, **attributes_of(found))
        assert_close(run_cell(found, weights, x, state), (y, after), str(found))


def test_a_wrong_gate_is_found():
    found = operator("GRU")
    weights, x, state = weights_of(found), numbers(T, B, D), states(found)
    y, after = run_node(found, weights._replace(W=np.roll(weights.W, H, axis=0)), x, state)
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(run_cell(found, weights, x, state), (y, after))


def test_weights_go_there_and_back():
    for found in every_operator():
        weights = weights_of(found)
        program = cell_of(found).program
        matched = match(program)
        assert matched.operator == found
        ours = weights_from_onnx(found, weights)
        back = weights_to_onnx(found, program, matched.names, ours)
        x, state = numbers(T, B, D), states(found)
        attributes = attributes_of(found)
        assert_close(
            run_node(found, back, x, state, **attributes), run_node(found, weights, x, state, **attributes), str(found)
        )
        assert_close(weights_from_onnx(found, back), ours)


def test_known_operators_are_cells_of_the_house():
    assert cell_of(operator("LSTM")) is cells.lstm
    assert cell_of(operator("GRU", linear_before_reset=True)) is cells.gru
    assert cell_of(operator("GRU")) is cells.gru_v1
    for found, cell in KNOWN.items():
        assert match(cell.program).operator == found


def test_without_bias_there_is_none():
    assert set(weights_from_onnx(operator("GRU"), weights_of(operator("GRU"))._replace(B=None))) == {"W", "R"}


def test_the_doc_is_the_equations():
    found = operator("LSTM", [Squashing("hard_sigmoid", 0.2, 0.5), TANH, TANH], clip=3.0, input_forget=True)
    doc = cell_of(found).doc
    assert "i = hard_sigmoid(clip(W_i x + b_i + R_i h))   input gate\nf = 1 - i\n" in doc
    assert doc.endswith("hard_sigmoid: α = 0.2, β = 0.5\nclip: to at most 3 either way")


def test_activations_are_read_as_onnx_runtime_reads_them():
    found = activations_from_onnx("LSTM", ["sigmoid", "LeakyRelu", "ScaledTanh"], [0.3, 0.7], [0.9])
    assert found == (SIGMOID, Squashing("leaky_relu", 0.3), Squashing("scaled_tanh", 0.7, 0.9))
    assert activations_from_onnx("GRU", []) == (SIGMOID, TANH)
    assert activations_from_onnx("RNN", ["HardSigmoid"]) == (Squashing("hard_sigmoid", 0.2, 0.5),)
    found = operator("RNN", [Squashing("hard_sigmoid", 0.2, 0.5)])
    weights, x, state = weights_of(found), numbers(T, B, D), states(found)
    assert_close(run_cell(found, weights, x, state), run_node(found, weights, x, state, activations=["HardSigmoid"]))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Tahn"], "no activation 'Tahn' in ONNX"),
        (["Tanh", "Tanh"], "RNN has 1 activations a direction, not 2"),
        (["ScaledTanh"], "comes without its alpha"),
    ],
)
def test_wrong_activations_are_told(names, message):
    with pytest.raises(OptionError, match=message):
        activations_from_onnx("RNN", names)


def test_wrong_weights_are_told():
    found = operator("LSTM", peepholes=True)
    weights = weights_of(found)
    for wrong, message in [
        ({"W": weights.W[:-1]}, r"W of LSTM must be \[24, 4\], not \[23, 4\]"),
        ({"R": weights.R[:, :-1]}, "W of LSTM must be"),
        ({"B": weights.B[1:]}, r"B of LSTM must be \[48\]"),
        ({"P": None}, "peepholes needs P"),
        ({"W": weights.W[0]}, "two axes"),
    ]:
        with pytest.raises(ShapeError, match=message):
            weights_from_onnx(found, weights._replace(**wrong))
