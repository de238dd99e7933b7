"""ONNX in: what is read computes what ONNX Runtime computes, and what cannot be read is named."""

import contextlib
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from onnx import numpy_helper

from ostinato import Network, cells
from ostinato.architecture import (
    ActivationArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
)
from ostinato.errors import DataError, OstinatoError
from ostinato.exchange import operators as operators_module
from ostinato.exchange.from_onnx.reader import read_onnx
from tests.comparison import assert_close
from tests.exchange.graphs import FLOAT, INT32, INT64, Builder, graph, node, numbers, run, saved
from tests.quick import examples

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
WITH_ALPHA = ("Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu")
WITH_BETA = ("Affine", "ScaledTanh", "HardSigmoid")
FUNCTIONS = ("Relu", "Tanh", "Sigmoid", "Softsign", "Softplus", *WITH_ALPHA)


def read(model, path):
    found = read_onnx(saved(model, path))
    return Network(found.architecture, found.weights), found.notes


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


# ---- states and lengths


def test_states_come_and_go_by_the_graphs_own_names(tmp_path):
    # One step of two layers, whose states are cut from one input and joined in one output, as torch exports them.
    builder = Builder(3)
    builder.inputs = {"x": ["B", 3], "h": [2, "B", 4]}
    builder.to("Unsqueeze", builder.constant(array=np.array([0])))
    after = []
    for layer in range(2):
        ends = [builder.constant(array=np.array([n])) for n in (layer, layer + 1, 0)]
        start = builder.op("Slice", "h", *ends)
        weights = [builder.constant(1, 12, 3 if layer == 0 else 4), builder.constant(1, 12, 4)]
        y, h = builder.op("GRU", builder.here, *weights, "", "", start, count=2, hidden_size=4)
        after.append(h)
        builder.here = builder.op("Squeeze", y, builder.constant(array=np.array([1])))
    builder.to("Squeeze", builder.constant(array=np.array([0])))
    builder.more = [builder.op("Concat", *after, axis=0)]
    model = builder.model()
    network, notes = read(model, tmp_path / "m.onnx")
    random = np.random.default_rng(8)
    xs, state = numbers(random, 5, 2, 3, scale=1.0), np.zeros((2, 2, 4), np.float32)
    ours = None
    for x in xs:
        found = run(model, {"x": x, "h": state})
        y, ours = network.step(x, ours)
        assert_close(y, found[builder.here], "y")
        state = found[builder.more[0]]
        assert_close(np.stack([layer.h for layer in ours]), state, "state")
    assert [note for note in notes if "begins at a state" in note] == [
        f"node '{name}' (GRU) begins at a state that comes as input: h by the input 'h'[{part}]. Here it is in the "
        "argument state of run; without one the model begins anew."
        for name, part in (("n2", "0:1"), ("n5", "1:2"))
    ]
    assert (
        f"the output '{builder.more[0]}' is a state after the last step; here it is in the state that run returns."
        in notes
    )


def started(start):
    """A model whose initial state is made by nodes of its own, as exporters write them. start: builder, B → name."""
    builder = Builder(3)
    shape = builder.op("Shape", "x")
    batch = builder.op("Gather", shape, builder.constant(array=np.array(1)), axis=0)
    weights = [builder.constant(1, 16, 3), builder.constant(1, 16, 4)]
    h = start(builder, builder.op("Unsqueeze", batch, builder.constant(array=np.array([0]))))
    builder.here = builder.op("LSTM", "x", *weights, "", "", h, h, hidden_size=4)
    return builder


def shape_of_state(builder, batch):
    return builder.op("Concat", builder.constant(array=[1]), batch, builder.constant(array=[4]), axis=0)


def test_states_that_nodes_make(tmp_path):
    def zeros(builder, batch):
        return builder.op("ConstantOfShape", shape_of_state(builder, batch))

    def learned(builder, batch):
        return builder.op("Expand", builder.constant(1, 1, 4), shape_of_state(builder, batch))

    def tiled(builder, batch):
        ones = builder.constant(array=[1])
        return builder.op("Tile", builder.constant(1, 1, 4), builder.op("Concat", ones, batch, ones, axis=0))

    for start, is_learned in ((zeros, False), (learned, True), (tiled, True)):
        model = started(start).model()
        network, _ = read(model, tmp_path / "m.onnx")
        x = numbers(np.random.default_rng(1), 4, 3, 3)
        assert_close(network.run(x)[0], run(model, {"x": x})[model.graph.output[0].name][:, 0], start.__name__)
        assert network.architecture_.parts[0].learned_initial_state == is_learned


@pytest.mark.parametrize("made", ["Expand", "Constant"])
def test_lengths_that_are_all_the_steps_are_none(made, tmp_path):
    builder = Builder(3)
    if made == "Expand":
        shape = builder.op("Cast", builder.op("Shape", "x"), to=INT32)
        steps = builder.op("Slice", shape, *(builder.constant(array=[n]) for n in (0, 1)))
        batch = builder.op("Slice", builder.op("Shape", "x"), *(builder.constant(array=[n]) for n in (1, 2)))
        lengths = builder.op("Expand", steps, batch)
    else:
        builder.inputs = {"x": [5, 3, 3]}
        lengths = builder.constant(array=np.array([5, 5, 5], np.int32))
    weights = [builder.constant(1, 12, 3), builder.constant(1, 12, 4)]
    builder.to("GRU", *weights, "", lengths, hidden_size=4)
    builder.to("Squeeze", builder.constant(array=[1]))
    _, notes = same(builder)
    told = ["the file is made for 5 steps at a time; here any number is read."] if made == "Constant" else []
    assert list(notes)[:1] == told


RAGGED = np.array([5, 0, 3, 1], np.int64)


def ranged(builder, upto, axis):
    """The places 0, 1, … up to a size of x, as nodes make them."""
    size = builder.op("Gather", builder.op("Shape", upto), builder.constant(array=constant(axis)), axis=0)
    return builder.op("Range", builder.constant(array=constant(0)), size, builder.constant(array=constant(1)))


def masked_by_where(builder, y):
    steps = builder.op("Unsqueeze", ranged(builder, "x", 0), builder.constant(array=[1]))
    mask = builder.op("Less", steps, builder.op("Unsqueeze", "lengths", builder.constant(array=[0])))
    mask = builder.op("Unsqueeze", mask, builder.constant(array=[2]))
    return builder.op("Where", mask, y, builder.constant(array=np.float32(0)))


def masked_by_where_not(builder, y):
    steps = builder.op("Unsqueeze", ranged(builder, "x", 0), builder.constant(array=[1]))
    mask = builder.op("Unsqueeze", builder.op("GreaterOrEqual", steps, "lengths"), builder.constant(array=[-1]))
    return builder.op("Where", mask, builder.constant(array=np.zeros((1, 1, 1), np.float32)), y)


def masked_by_product(builder, y):
    flipped = builder.op("Transpose", y, perm=[1, 0, 2])
    lengths = builder.op("Unsqueeze", "lengths", builder.constant(array=[1]))
    mask = builder.op("Cast", builder.op("Greater", lengths, ranged(builder, "x", 0)), to=FLOAT)
    masked = builder.op("Mul", builder.op("Unsqueeze", mask, builder.constant(array=[2])), flipped)
    return builder.op("Transpose", masked, perm=[1, 0, 2])


def last_by_places(builder, y):
    places = builder.op("Sub", "lengths", builder.constant(array=[1]))
    places = builder.op("Max", places, builder.constant(array=constant(0)))
    pairs = [builder.op("Unsqueeze", each, builder.constant(array=[1])) for each in (places, ranged(builder, "x", 1))]
    return builder.op("GatherND", y, builder.op("Concat", *pairs, axis=1))


def last_in_batches(builder, y):
    places = builder.op("Sub", "lengths", builder.constant(array=[1]))
    places = builder.op("Unsqueeze", places, builder.constant(array=[1]))
    return builder.op("GatherND", builder.op("Transpose", y, perm=[1, 0, 2]), places, batch_dims=1)


@pytest.mark.parametrize(
    "use", [masked_by_where, masked_by_where_not, masked_by_product, last_by_places, last_in_batches]
)
@pytest.mark.parametrize("sizes", [["T", "B", 3], [5, 4, 3]])
def test_masks_and_places_of_the_last_step(use, sizes, tmp_path):
    builder = Builder(3, seed=7)
    builder.inputs = {"x": sizes, "lengths": (INT64, ["B"])}
    builder.recurrent("GRU")
    builder.matmul()
    builder.here = use(builder, builder.here)
    model = builder.model()
    network, notes = read(model, tmp_path / "m.onnx")
    x = numbers(np.random.default_rng(1), 5, 4, 3)
    # A sequence without a step has no last one, and zeros here.
    lengths = np.maximum(RAGGED, 1) if use in (last_by_places, last_in_batches) else RAGGED
    expected = run(model, {"x": x, "lengths": lengths})[builder.here]
    assert_close(network.run(x, lengths)[0], expected, "y")
    assert any("'lengths' is here the argument lengths of run" in note for note in notes)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (lambda b, y: b.op("Mul", y, b.op("Cast", "lengths", to=FLOAT)), "otherwise than by a mask"),
        (lambda b, y: b.op("Where", b.op("Cast", "lengths", to=9), y, y), "it chooses between what is no step and its"),
        (lambda b, y: b.op("Add", y, b.op("Cast", "lengths", to=FLOAT)), "its input 2 is made of lengths, which it"),
        (lambda b, y: b.op("GatherND", y, b.op("Unsqueeze", "lengths", b.constant(array=[1]))), "along other axes"),
    ],
)
def test_what_else_is_made_of_lengths_is_refused(use, reason, tmp_path):
    builder = Builder(3)
    builder.inputs["lengths"] = (INT64, ["B"])
    builder.recurrent("GRU")
    builder.here = use(builder, builder.here)
    assert reason in refused(builder.model(), tmp_path / "m.onnx")[1]


def exported():
    """Models of Ostinato's own, of cells that are operators of ONNX."""
    gru, lstm = cells.gru, cells.peephole_lstm
    last, back = LastArchitecture(5), LastArchitecture(5, reverse=True)
    return {
        "ragged": [RecurrentArchitecture(gru, 3, 5, 2, bidirectional=True), LinearArchitecture(10, 2)],
        "last": [RecurrentArchitecture(lstm, 3, 5), last, SoftmaxArchitecture(5)],
        "first": [RecurrentArchitecture(cells.elman, 3, 5, reverse=True), back],
        "residual": [RecurrentArchitecture(cells.gru_v1, 3, 3, 2, residual=True), ActivationArchitecture(3, "mish")],
        "beside": [
            ParallelArchitecture(
                [[RecurrentArchitecture(gru, 3, 5), last], [RecurrentArchitecture(lstm, 3, 5, reverse=True), back]]
            )
        ],
    }


@pytest.mark.parametrize("name", exported())
def test_what_ostinato_exported_is_read_by_its_nodes(name, tmp_path):
    architecture, random = ModelArchitecture(3, exported()[name]), np.random.default_rng(5)
    weights = {name: numbers(random, *shape) for name, shape in architecture.weight_shapes().items()}
    network = Network(architecture, weights)
    network.export_onnx(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    # Without what says which model it is of.
    del model.metadata_props[:]
    again, _ = read(model, tmp_path / "m.onnx")
    x = numbers(random, 5, 4, 3)
    y, state = network.run(x, RAGGED)
    found, after = again.run(x, RAGGED)
    assert_close(found, y, "y")
    assert_close([part for layer in after for part in layer], [part for layer in state for part in layer], "state")


# ---- directions, the last step, pooling


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


# ---- torch's own exporter


def torch_modules():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Tagger(nn.Module):
        """Symbols in, and an answer at every step."""

        def __init__(self):
            super().__init__()
            self.embedding, self.norm, self.head = nn.Embedding(11, 6), nn.LayerNorm(10), nn.Linear(10, 4)
            self.recurrent = nn.LSTM(6, 5, 2, batch_first=True, bidirectional=True)

        def forward(self, x):
            y, _ = self.recurrent(self.embedding(x))
            return torch.log_softmax(self.head(nn.functional.silu(self.norm(y))), -1)

    class Classifier(nn.Module):
        """The states of both directions after the last step, and a head."""

        def __init__(self):
            super().__init__()
            self.recurrent, self.head = nn.GRU(3, 5, 2, batch_first=True, bidirectional=True), nn.Linear(10, 4)

        def forward(self, x):
            _, h = self.recurrent(x)
            return self.head(torch.cat([h[-2], h[-1]], 1))

    class Pooled(nn.Module):
        """A learned first state, and pooling over time."""

        def __init__(self):
            super().__init__()
            self.recurrent, self.head = nn.RNN(3, 5, batch_first=True), nn.Linear(10, 4)
            self.start = nn.Parameter(torch.randn(1, 1, 5))

        def forward(self, x):
            y, _ = self.recurrent(x, self.start.expand(-1, x.shape[0], -1).contiguous())
            return self.head(torch.cat([y.mean(1), y.amax(1)], -1))

    return {"tagger": Tagger, "classifier": Classifier, "pooled": Pooled}


@pytest.mark.parametrize("folding", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["tagger", "classifier", "pooled"])
@pytest.mark.filterwarnings("ignore")
def test_what_torch_exports_is_read(name, folding, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    module = torch_modules()[name]().eval()
    x = torch.randint(0, 11, (2, 6)) if name == "tagger" else torch.randn(2, 6, 3)
    path = tmp_path / "m.onnx"
    axes = {"x": {0: "batch", 1: "time"}}
    # The older of torch's two exporters, which needs no package beside torch.
    how = {"dynamo": False, "opset_version": 17, "do_constant_folding": folding}
    torch.onnx.export(module, (x,), path, input_names=["x"], dynamic_axes=axes, **how)
    found = read_onnx(path)
    y, _ = Network(found.architecture, found.weights).run(x.numpy().swapaxes(0, 1))
    assert_close(y.swapaxes(0, 1) if name == "tagger" else y, module(x).detach().numpy(), "y")


# ---- how files hold their weights


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


# ---- what cannot be read


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


REFUSED = [
    (lambda b: b.to("Erf"), "(Erf): the operator is not among those that are read."),
    (lambda b: b.to("Gelu"), "(Gelu): it is exact, by the error function"),
    (lambda b: b.to("Strange", domain="com.example"), "(com.example.Strange): it is no operator of ONNX's own."),
    (lambda b: b.to("Softmax", axis=0), "it is taken over an axis that is not the features."),
    (
        lambda b: b.to("Gather", b.constant(array=constant(2)), axis=0),
        "it takes steps other than the last or the",
    ),
    (lambda b: b.to("Gather", b.constant(array=constant(0)), axis=1), "it takes some of the sequences."),
    (lambda b: b.to("Gather", b.constant(array=constant(0)), axis=2), "it takes some of the features."),
    (lambda b: b.to("Slice", *(b.constant(array=[n]) for n in (-1, -(2**63), 0, -1))), "it takes steps other than"),
    (lambda b: b.to("Slice", *(b.constant(array=[n]) for n in (1, 3, 2))), "it takes the features 1 to 2 alone."),
    (lambda b: b.to("Reshape", b.constant(array=[7, -1])), "which cannot be followed."),
    (lambda b: b.to("Squeeze", b.constant(array=[0])), "it takes away axis 0, which has more than one place."),
    (lambda b: b.to("Transpose", perm=[0, 1, 5]), "it names axis 5 of 3."),
    (lambda b: b.to("Add", b.constant(4, 1, 1)), "its constant is not the same for all steps and sequences."),
    (lambda b: b.to("Add", b.constant(7)), "its constant has 7 numbers for 4 features."),
    (lambda b: b.to("Div", b.constant(array=np.zeros(4, np.float32))), "it divides by zero."),
    (lambda b: b.to("MatMul", b.constant(7, 2)), "it reads 7 features, but 4 come to it."),
    (lambda b: b.to("MatMul", b.here), "its weight is computed, and not a constant in the file."),
    (lambda b: b.to("Dropout", "", b.constant(array=constant(True))), "it acts as in training."),
    (lambda b: b.to("Cast", to=INT64), "it makes INT64 of numbers."),
    (lambda b: b.to("LayerNormalization", b.constant(4), axis=1), "it normalises over other axes"),
    (lambda b: b.to("PRelu", b.constant(4)), "it has a slope for each feature"),
    (lambda b: b.to("ReduceSum", b.constant(array=[0])), "it takes the sum over time."),
    (lambda b: b.to("ReduceMean"), "it reduces several axes at once."),
    (lambda b: b.to("Add", b.op("Transpose", b.here, perm=[1, 0, 2])), "it takes together what has different axes."),
    (
        lambda b: b.to("Div", b.op("Cast", b.op("Shape", b.here, start=0, end=1), to=FLOAT)),
        "its constant is computed of",
    ),
    (lambda b: b.more.append(b.op("Tanh", b.here)), "a model here has one output, which is"),
]


@pytest.mark.parametrize(("build", "reason"), REFUSED)
def test_what_cannot_be_read_is_named_with_the_reason(build, reason, tmp_path):
    head, *lines = refused(after_layer(build, opset=20), tmp_path / "m.onnx")
    assert head == "a layer cannot be imported."
    (line,) = lines
    assert reason in line
    assert line.startswith(("node 'n", "output 'v"))


def one_node(kind="LSTM", inputs=None, reading="x W R", outputs="Y", constants=None, **attributes):
    """A model of one recurrent node over 3 features, of 4 units."""
    random = np.random.default_rng(2)
    gates = GATES.get(kind, 4) * 4
    held = {"W": numbers(random, 1, gates, 3), "R": numbers(random, 1, gates, 4)} | (constants or {})
    made = node(kind, reading, outputs, name="layer", **attributes)
    return graph([made], {"x": ["T", "B", 3]} | (inputs or {}), outputs.replace("- ", "").split(), held)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"clip": -1.0}, "its clip is -1, where a number above 0 is read."),
        ({"clip": 1}, "its attribute clip is no float."),
        ({"direction": "sideways"}, "its direction is 'sideways'."),
        ({"layout": 7}, "its layout is 7, where 0 and 1 are known."),
        ({"direction": "bidirectional"}, "its W of shape [1, 16, 3] is not one for 2 directions."),
        ({"activations": ["Tanh"]}, "LSTM has 3 activations a direction, not 1."),
        ({"activations": ["Sigmoid", "Tanh", "Sine"]}, "there is no activation 'Sine' in ONNX."),
        ({"activations": [1, 2, 3]}, "its attribute activations is no list of str."),
        ({"constants": {"R": np.ones((1, 16, 5), np.float32)}}, "W of LSTM must be [20, 3], not [16, 3]."),
        ({"constants": {"W": np.ones((16, 3), np.float32)}}, "its W of shape [16, 3] is not one for 1 directions."),
        ({"constants": {"W": np.ones((1, 16, 3), np.int32)}}, "its W of shape [1, 16, 3]"),
        ({"constants": {"W": np.ones((1, 16, 5), np.float32)}}, "it reads 5 features, but 3 come to it."),
        ({"reading": "x W - "}, "it lacks its R."),
        ({"reading": "x W R gone"}, "it reads 'gone', what nothing before it gives."),
        ({"reading": "W W R"}, "the graph has none."),
        (
            {"reading": "x W R - - h", "constants": {"h": np.arange(8, dtype=np.float32).reshape(1, 2, 4)}},
            "its first state h is fixed in the file, another one for each sequence of a batch.",
        ),
        ({"reading": "x W R - l", "constants": {"l": np.ones(3, np.int32)}}, "the lengths of its sequences are fixed"),
        ({"reading": "x W R - - x"}, "one input is read, beside lengths and states"),
        ({"outputs": "Y Y_h Y_c more"}, "its output 4 is used, and cannot be read."),
    ],
)
def test_a_recurrent_node_that_cannot_be_read_says_why(options, reason, tmp_path):
    assert reason in refused(one_node(**options), tmp_path / "m.onnx")[-1]


def test_all_that_cannot_be_read_is_told_at_once(tmp_path):
    builder, names = Builder(3), ("Erf", "Round", "Ceil")
    ends = [builder.op(name, "x") for name in names]
    builder.here, builder.more = ends[0], ends[1:]
    assert refused(builder.model(), tmp_path / "m.onnx") == [
        "3 layers cannot be imported.",
        *(
            f"node 'n{i}' ({n}): the operator is not among those that are read."
            for i, n in enumerate(("Erf", "Round", "Ceil"))
        ),
    ]


def test_time_is_the_same_axis_everywhere(tmp_path):
    builder = Builder(3)
    builder.recurrent("GRU")
    weights = [builder.constant(1, 12, 4), builder.constant(1, 12, 4)]
    builder.to("GRU", *weights, hidden_size=4, layout=1)
    (_, line) = refused(builder.model(), tmp_path / "m.onnx")
    assert line == "node 'n2' (GRU): the axes of its X do not come in the order in which it reads time and batch."


def test_states_go_nowhere_but_out(tmp_path):
    builder = Builder(3)
    weights = [builder.constant(1, 16, 3), builder.constant(1, 16, 4)]
    _, h, c = builder.op("LSTM", "x", *weights, count=3, hidden_size=4)
    _, builder.here = builder.op("LSTM", "x", *weights, "", "", h, h, count=2, hidden_size=4)
    assert "it begins at a state h that is computed." in refused(builder.model(), tmp_path / "m.onnx")[1]
    builder.here = builder.op("Tanh", c)
    assert "it computes with the cell state c of an LSTM" in refused(builder.model(), tmp_path / "m.onnx")[1]


def ragged(build):
    """A model with lengths, and what `build` makes of the outputs of its GRU."""
    builder = Builder(3)
    builder.inputs["lengths"] = (INT32, ["B"])
    weights = [builder.constant(1, 12, 3), builder.constant(1, 12, 4)]
    y, h = builder.op("GRU", "x", *weights, "", "lengths", count=2, hidden_size=4)
    build(builder, y, h)
    return builder


def test_lengths_are_those_of_every_recurrent_node(tmp_path):
    def stacked(lengths):
        def build(builder, y, h):
            weights = [builder.constant(1, 12, 4), builder.constant(1, 12, 4)]
            below = builder.op("Squeeze", y, builder.constant(array=[1]))
            builder.here = builder.op("GRU", below, *weights, "", lengths, count=2, hidden_size=4)[1]

        return ragged(build).model()

    model = stacked("lengths")
    network, _ = read(model, tmp_path / "m.onnx")
    x, lengths = numbers(np.random.default_rng(1), 5, 3, 3), np.array([5, 1, 3], np.int32)
    expected = run(model, {"x": x, "lengths": lengths})[model.graph.output[0].name]
    assert_close(network.run(x, lengths)[0], expected[0], "y")
    head, *lines = refused(stacked(""), tmp_path / "m.onnx")
    assert head == "2 layers cannot be imported."
    assert all(line.endswith("it does not stop at the same lengths as the other recurrent nodes.") for line in lines)


def test_the_last_of_all_steps_is_none_of_a_shorter_sequence(tmp_path):
    def last(builder, y, h):
        builder.here = builder.op("Gather", y, builder.constant(array=constant(-1)), axis=0)

    def mean(builder, y, h):
        builder.here = builder.op("ReduceMean", y, axes=[0])

    assert "which a shorter sequence does not have" in refused(ragged(last).model(), tmp_path / "m.onnx")[1]
    assert "those beyond a sequence's length too" in refused(ragged(mean).model(), tmp_path / "m.onnx")[1]


def test_what_no_output_depends_on_is_told(tmp_path):
    builder = Builder(3)
    builder.recurrent("GRU")
    builder.op("Erf", builder.here)
    _, notes = same(builder)
    assert notes == ("no output depends on node 'n2' (Erf); it is left out.",)


@pytest.mark.parametrize(("opset", "came"), [(6, "6"), (99, "99")])
def test_an_unknown_opset_is_named(opset, came, tmp_path):
    model = after_layer(lambda b: None)
    model.opset_import[0].version = opset
    assert refused(model, tmp_path / "m.onnx") == [f"the file is written for opset {came}; versions 7 to 28 are read."]


def test_inputs_that_no_model_has(tmp_path):
    builder = Builder(3)
    builder.inputs["z"] = ["T", "B", 3]
    builder.here = builder.op("Add", "x", "z")
    (line,) = refused(builder.model(), tmp_path / "m.onnx")
    assert line == "one input is read, beside lengths and states of recurrent nodes; the graph has 'x', 'z'."
    builder.inputs = {"x": ["A", "T", "B", 3]}
    builder.here = builder.op("Relu", "x")
    (line,) = refused(builder.model(), tmp_path / "m.onnx")
    assert line == "the input 'x' of 4 axes in FLOAT is none that a model here has."


def test_graphs_within_nodes_are_refused(tmp_path):
    inner = graph([node("Relu", "a", "b")], {"a": [1]}, ["b"]).graph
    model = graph([node("Loop", "- - x", "y", name="l", body=inner)], {"x": ["T", "B", 3]}, ["y"])
    assert (
        refused(model, tmp_path / "m.onnx")[1] == "node 'l' (Loop): its attribute 'body' is of a kind that is not read."
    )


# ---- hostile files


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
