"""What cannot be read of an ONNX graph is named, with the reason."""

import numpy as np
import pytest

from tests.comparison import assert_close
from tests.exchange.graphs import FLOAT, INT32, INT64, Builder, graph, node, numbers, run
from tests.exchange.onnx_reading import after_layer, constant, one_node, read, refused, same

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
