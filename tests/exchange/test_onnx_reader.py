"""ONNX in: what is read computes what ONNX Runtime computes."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from ostinato.architecture import (
    ParallelArchitecture,
    RecurrentArchitecture,
)
from ostinato.exchange import operators as operators_module
from tests.comparison import assert_close
from tests.exchange.graphs import INT32, INT64, Builder, graph, node, numbers, run
from tests.exchange.onnx_reading import GATES, read, same
from tests.quick import examples

ACTIVATIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
WITH_ALPHA = ("Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu")
WITH_BETA = ("Affine", "ScaledTanh", "HardSigmoid")
FUNCTIONS = ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus", *WITH_ALPHA)


def layer_states(state):
    return {name: [getattr(layer, name) for layer in state] for name in state[0]._fields}


# ---- the recurrent operators


@st.composite
def operators(draw):
    """Options of a recurrent node, and sizes."""
    kind = draw(st.sampled_from(list(GATES)))
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    count = 2 if direction == "bidirectional" else 1
    attributes = {"direction": direction}
    if draw(st.booleans()):
        names = [draw(st.sampled_from(FUNCTIONS)) for _ in range(count * ACTIVATIONS[kind])]
        # Small numbers keep what grows without end from growing fast.
        number = st.floats(0.125, 0.75, width=32)
        attributes["activations"] = names
        for attribute, having in (("activation_alpha", WITH_ALPHA), ("activation_beta", WITH_BETA)):
            values = [draw(number) for name in names if name in having]
            attributes |= {attribute: values} if values else {}
    if draw(st.booleans()):
        attributes["clip"] = draw(st.sampled_from([0.25, 1.5]))
    if kind == "LSTM":
        attributes["input_forget"] = draw(st.integers(0, 1))
    if kind == "GRU":
        attributes["linear_before_reset"] = draw(st.integers(0, 1))
    return {
        "kind": kind,
        "attributes": attributes,
        "bias": draw(st.booleans()),
        "peepholes": kind == "LSTM" and draw(st.booleans()),
        "ragged": draw(st.booleans()),
        "start": draw(st.sampled_from(["zero", "input", "constant", "h alone"])),
        "sizes": [draw(st.integers(low, high)) for low, high in ((1, 6), (1, 4), (1, 5), (1, 6))],
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def recurrent(options):
    """A model of one recurrent node, what is fed to it, and how it begins and ends."""
    kind, attributes, (steps, batch, size, hidden) = options["kind"], options["attributes"], options["sizes"]
    random = np.random.default_rng(options["seed"])
    count = 2 if attributes["direction"] == "bidirectional" else 1
    gates = GATES[kind] * hidden
    constants = {"W": numbers(random, count, gates, size), "R": numbers(random, count, gates, hidden)}
    if options["bias"]:
        constants["B"] = numbers(random, count, 2 * gates)
    if options["peepholes"]:
        constants["P"] = numbers(random, count, 3 * hidden)
    feeds = {"x": numbers(random, steps, batch, size, scale=1.0)}
    inputs: dict = {"x": ["T", "B", size]}
    lengths = None
    if options["ragged"]:
        # The first is as long as all, as ONNX Runtime wants one to be.
        lengths = np.array([steps, *random.integers(1, steps + 1, batch - 1)], np.int32)
        feeds["lengths"], inputs["lengths"] = lengths, (INT32, ["B"])
    start = {}
    states = ("h", "c") if kind == "LSTM" else ("h",)
    for name in (
        states if options["start"] in ("input", "constant") else states[:1] if options["start"] != "zero" else ()
    ):
        one = options["start"] == "input"
        value = numbers(random, count, batch if one else 1, hidden)
        start[name] = np.broadcast_to(value, (count, batch, hidden))
        if one:
            feeds[f"{name}0"], inputs[f"{name}0"] = value, [count, "B", hidden]
        else:
            constants[f"{name}0"] = np.ascontiguousarray(start[name])
    read = ["x", "W", "R", *(n if n in constants or n in feeds else "-" for n in ("B", "lengths", "h0", "c0", "P"))]
    read = read if kind == "LSTM" else read[:6]
    outputs = ["Y", "Y_h", "Y_c"][: 1 + len(states)]
    made = node(kind, " ".join(read), " ".join(outputs), name="layer", hidden_size=hidden, **attributes)
    return graph([made], inputs, outputs, constants), feeds, start, lengths


@examples(50, 1500, operators())
def test_a_recurrent_node_is_read_as_onnx_runtime_runs_it(options):
    model, feeds, start, lengths = recurrent(options)
    expected = run(model, feeds)
    # Activations without bound in place of gates can grow from step to step, and every rounding with them.
    assume(max(np.abs(value).max() for value in expected.values()) < 20)
    with tempfile.TemporaryDirectory() as folder:
        network, notes = read(model, Path(folder) / "m.onnx")
    state = None
    if options["start"] == "input":
        state = network.runtime.initial_state(feeds["x"].shape[1])
        state = given_state(state, start)
    y, after = network.run(feeds["x"], lengths, state)
    steps, count, batch, hidden = expected["Y"].shape
    assert_close(y, expected["Y"].transpose(0, 2, 1, 3).reshape(steps, batch, count * hidden), "Y")
    for name, found in layer_states(after).items():
        wanted = expected[f"Y_{name}"]
        assert_close(np.concatenate([part.reshape(-1, batch, hidden) for part in found]), wanted, name)
    assert len([note for note in notes if "'lengths'" in note]) == (lengths is not None)
    assert len([note for note in notes if "'h0'" in note]) == (options["start"] == "input")


def given_state(state, start):
    """A state as the model wants it, of arrays [directions, B, H] by name."""
    filled = []
    for index, layer in enumerate(state):
        parts = []
        for name, zero in zip(layer._fields, layer, strict=True):
            value = start[name]
            parts.append(value if zero.ndim == 3 else value[index] if len(state) > 1 else value[0])
        filled.append(type(layer)(*parts))
    return tuple(filled)


# ---- what stands around them


LAYERS = {
    "lstm": lambda b: b.recurrent("LSTM"),
    "gru": lambda b: b.recurrent("GRU", "bidirectional"),
    "rnn": lambda b: b.recurrent("RNN", "reverse"),
    "matmul": lambda b: b.matmul(),
    "matmul alone": lambda b: b.matmul(bias=False),
    "gemm": lambda b: b.gemm(),
    "norm": lambda b: b.norm(),
    "residual": lambda b: b.residual(),
    "gate": lambda b: b.gate(),
    "branches": lambda b: b.branches(),
    "scale": lambda b: b.scale(),
    "affine": lambda b: b.affine(),
    "softmax": lambda b: b.to("Softmax", axis=-1),
}
ENDS = {
    "all": lambda b: None,
    "gather": lambda b: b.last("gather"),
    "slice": lambda b: b.last("slice"),
    "h": lambda b: b.recurrent("GRU", "bidirectional", final=True),
}


@examples(
    40,
    1000,
    st.lists(st.sampled_from(list(LAYERS)), max_size=6),
    st.sampled_from(list(ENDS)),
    st.lists(st.sampled_from(["matmul", "gate", "affine", "norm", "softmax"]), max_size=2),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_layers_in_any_order_are_read_as_onnx_runtime_runs_them(layers, end, head, batch_first, seed):
    builder = Builder(3, batch_first, seed)
    # What comes first tells which axis is time.
    builder.recurrent("RNN")
    for layer in layers:
        LAYERS[layer](builder)
    ENDS[end](builder)
    for layer in head:
        LAYERS[layer](builder)
    same(builder)


ACTIVATION_NODES = [
    *(("Relu", {}), ("Tanh", {}), ("Sigmoid", {}), ("Softplus", {}), ("Softsign", {}), ("Exp", {}), ("Neg", {})),
    *(("LeakyRelu", {}), ("LeakyRelu", {"alpha": 0.3}), ("Elu", {}), ("Elu", {"alpha": 0.7}), ("Selu", {})),
    *(("Selu", {"alpha": 1.5, "gamma": 0.5}), ("Celu", {"alpha": 0.6}), ("HardSigmoid", {}), ("HardSwish", {})),
    *(("HardSigmoid", {"alpha": 0.3, "beta": 0.4}), ("ThresholdedRelu", {"alpha": 0.25}), ("Softmax", {"axis": 2})),
    *(("LogSoftmax", {}), ("Identity", {}), ("Clip", {}), ("Mish", {}), ("Gelu", {"approximate": "tanh"})),
]


@pytest.mark.parametrize(("operation", "attributes"), ACTIVATION_NODES)
def test_an_activation_is_that_of_onnx_runtime(operation, attributes):
    builder = Builder(4, opset=20)
    builder.recurrent("RNN")
    builder.matmul()
    builder.affine()
    builder.to(operation, **attributes)
    same(builder)


@pytest.mark.parametrize(("low", "high"), [(0.0, None), (None, 0.5), (-0.25, 0.5), (None, None), (0.0, 0.25)])
@pytest.mark.parametrize("opset", [9, 17])
def test_clip_has_its_bounds_as_inputs_or_as_attributes(low, high, opset):
    builder = Builder(4, opset=17)
    builder.recurrent("RNN")
    if opset < 11:
        # Older operators in a graph of an old version: no layer here is newer.
        builder = Builder(4, opset=opset)
        builder.to("MatMul", builder.constant(4, 5))
        builder.to("Clip", **{name: value for name, value in (("min", low), ("max", high)) if value is not None})
    else:
        bounds = ["" if bound is None else builder.constant(array=np.float32(bound)) for bound in (low, high)]
        builder.to("Clip", *bounds)
    same(builder)


def test_a_comparison_with_onnx_runtime_can_fail(monkeypatch):
    builder = Builder(3)
    builder.recurrent("LSTM")
    same(builder)
    monkeypatch.setitem(operators_module.GATES, "LSTM", ("i", "f", "o", "g"))
    with pytest.raises(AssertionError, match="differs by"):
        same(builder)


def test_batch_first_nodes_are_the_others_transposed(tmp_path):
    # ONNX Runtime has no layout=1, so it runs the same node time first.
    random = np.random.default_rng(3)
    size, hidden, steps, batch = 3, 4, 6, 2
    constants = {name: numbers(random, 2, 4 * hidden, n) for name, n in (("W", size), ("R", hidden))}
    constants |= {"B": numbers(random, 2, 8 * hidden), "P": numbers(random, 2, 3 * hidden)}
    constants |= {name: np.repeat(numbers(random, 2, 1, hidden), batch, axis=1) for name in ("h0", "c0")}
    x = numbers(random, steps, batch, size, scale=1.0)
    how = {"direction": "bidirectional", "hidden_size": hidden}
    reading = "x W R B - h0 c0 P"
    time_first = graph([node("LSTM", reading, "Y Y_h Y_c", **how)], {"x": ["T", "B", size]}, ["Y", "Y_h"], constants)
    expected = run(time_first, {"x": x})
    swapped = {name: array.swapaxes(0, 1) if name in ("h0", "c0") else array for name, array in constants.items()}
    made = node("LSTM", reading, "Y Y_h Y_c", layout=1, **how)
    for outputs, wanted in (
        (["Y", "Y_h", "Y_c"], expected["Y"].transpose(0, 2, 1, 3).reshape(steps, batch, -1)),
        (["Y_h"], expected["Y_h"].swapaxes(0, 1).reshape(batch, -1)),
    ):
        model = graph([made], {"x": ["B", "T", size]}, outputs, swapped)
        network, notes = read(model, tmp_path / "m.onnx")
        assert_close(network.run(x)[0], wanted, outputs[0])
        assert notes[-2] == "the input 'x' is [B, T, 3] in the file, and [T, B, 3] here."
    assert notes[-1] == "the output is [B, 2, 4] in the file, and [B, 8] here."


def test_both_directions_are_one_part_where_they_compute_alike(tmp_path):
    for names, kind in ((["Relu", "Relu"], RecurrentArchitecture), (["Relu", "Tanh"], ParallelArchitecture)):
        builder = Builder(3)
        builder.recurrent("RNN", "bidirectional", activations=names)
        network, _ = same(builder)
        assert [type(part) for part in network.architecture_.parts] == [kind]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("symbols", [INT64, INT32])
def test_symbols_are_embedded(batch_first, symbols, tmp_path):
    random = np.random.default_rng(4)
    builder = Builder(5, batch_first)
    builder.inputs = {"x": (symbols, ["B", "T"] if batch_first else ["T", "B"])}
    builder.to("Cast", to=INT64)
    builder.here = builder.op("Gather", builder.constant(11, 5), builder.here)
    builder.recurrent("GRU")
    builder.matmul()
    model = builder.model()
    network, notes = read(model, tmp_path / "m.onnx")
    x = random.integers(0, 11, (6, 3)).astype(np.int32 if symbols == INT32 else np.int64)
    expected = run(model, {"x": x.T if batch_first else x})[builder.here]
    y, _ = network.run(x)
    assert_close(y.swapaxes(0, 1) if batch_first else y, expected, "y")
    assert network.architecture_.embedding.vocabulary_size == 11
    assert ("the input 'x' is [B, T] in the file, and [T, B] here." in notes) == batch_first
