"""States and lengths of an ONNX graph: given, made by its nodes, or in its way."""

import numpy as np
import pytest

from tests.comparison import assert_close
from tests.exchange.graphs import FLOAT, INT32, INT64, Builder, numbers, run
from tests.exchange.onnx_reading import RAGGED, constant, read, refused, same


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
