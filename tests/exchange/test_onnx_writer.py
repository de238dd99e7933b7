"""ONNX files: in ONNX Runtime they compute what the model does, and a wrong one is never written."""

import itertools
import json
import random as randomness
from importlib.util import find_spec

import numpy as np
import onnx
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

import ostinato
from ostinato import Network, cells
from ostinato.architecture import (
    ActivationArchitecture,
    EmbeddingArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    NormArchitecture,
    ParallelArchitecture,
    RecurrentArchitecture,
    SoftmaxArchitecture,
)
from ostinato.cells import CELLS, Cell
from ostinato.cells.activations import ACTIVATIONS
from ostinato.cells.pooling import running_max, running_mean
from ostinato.errors import ExportError, MissingExtraError, OptionError
from ostinato.exchange.operators import cell_of
from ostinato.exchange.to_onnx import ragged, recurrent, scan, verification
from ostinato.exchange.to_onnx.writer import build
from ostinato.program.operations import ELEMENTWISE
from tests.comparison import are_close, assert_close
from tests.program.programs import evaluate, programs
from tests.quick import examples, some_quick

from .onnx_running import Session, layer, network, numbers, random_state
from .test_matching import OPERATORS, changed

T, B, D, H = 7, 5, 3, 5
LENGTHS = [7, 0, 3, 1, 6]


@pytest.fixture(autouse=True)
def nothing_said(capfd):
    """ONNX Runtime warns of what is odd about a file; there is to be nothing."""
    yield
    assert capfd.readouterr().err == ""


def file_of(model):
    return build(*model.as_chain()).content


def x_of(model, steps, batch, seed=5):
    embedding = model.architecture_.embedding
    if embedding is not None:
        return np.random.default_rng(seed).integers(0, embedding.vocabulary_size, (steps, batch))
    return numbers(steps, batch, model.architecture_.input_size, seed=seed)


def assert_same(model, file=None):
    """Compare a model with its file: ragged from random states, full from the start, one step."""
    session = Session(file_of(model) if file is None else file)
    for steps, lengths in ((T, LENGTHS), (4, [4, 4]), (1, [1, 0, 1])):
        x, state = x_of(model, steps, len(lengths)), random_state(model, len(lengths))
        y, after = model.run(x, lengths, state)
        assert_close(session.run(x, lengths, state), (y, after))
    return session


# ---- recurrent layers

WAYS = [
    {"num_layers": 2, "residual": True},
    {"bidirectional": True, "learned_initial_state": True},
    {"reverse": True, "bias": False},
    {"heads": 2, "zoneout": "first"},
    {"bidirectional": True, "heads": 2},
]


@pytest.mark.parametrize("name", some_quick(CELLS))
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_cell_in_every_way(name, way):
    cell = CELLS[name]
    options = dict(way)
    if options.pop("zoneout", None):
        options["zoneout"] = {cell.program.state_names[0]: 0.25}
    size = 6
    if options.get("heads", 1) > 1 and cell.program.recurrent_width != "H":
        options["heads"] = 1
    onnx.checker.check_model(onnx.load_from_string(file_of(layer(cell, size, size, **options))), full_check=True)
    assert_same(layer(cell, size, size, **options))


STANDARD = {"elman": "RNN", "gru": "GRU", "gru_v1": "GRU", "peephole_lstm": "LSTM", "lstm": "LSTM"}


@pytest.mark.parametrize("name", ["elman", "gru", "gru_v1", "peephole_lstm", "lstm", "mgu"])
def test_a_layer_becomes_the_operator_or_a_scan(name):
    model = layer(CELLS[name], D, H, 2, bidirectional=True)
    graph = onnx.load_from_string(file_of(model)).graph
    kinds = [node.op_type for node in graph.node if node.op_type in ("RNN", "GRU", "LSTM", "Scan")]
    assert kinds == ([STANDARD[name]] * 2 if name in STANDARD else ["Scan"] * 4)
    assert build(*model.as_chain()).layers == (STANDARD.get(name, f"Scan of {name}"),) * 2
    assert_same(model)


@examples(15, 150, st.sampled_from(OPERATORS), st.booleans())
def test_every_operator_is_written_with_all_that_it_has(found, both):
    """Activations with their numbers, clipping, peepholes and the rest."""
    model = network([RecurrentArchitecture(cell_of(found), D, H, 1, bidirectional=both)], D, scale=0.3)
    assert build(*model.as_chain()).layers == (found.kind,)
    assert_same(model)


def test_heads_zoneout_and_other_widths_make_it_a_scan():
    for cell, options in [
        (cells.lstm, {"heads": 5}),
        (cells.gru, {"zoneout": {"h": 0.1}}),
        (cells.projected_lstm, {}),
    ]:
        assert build(*layer(cell, D, H, **options).as_chain()).layers == (f"Scan of {cell.name}",)


def test_a_lstm_beside_an_oracle():
    """Not Ostinato beside itself: the formulas of a test oracle beside ONNX Runtime."""
    model = layer(cells.lstm, D, H)
    weights = {name.removeprefix("parts.0.layers.0.0."): w.astype(float) for name, w in model.weights_.items()}
    x, ((h, c),) = numbers(T, 1, D), random_state(model, 1)
    y, ((last_h, last_c),) = Session(file_of(model)).run(x, [T], [[h, c]])
    expected = []
    for row in x.astype(float):
        pre = row @ weights["W"].T + weights["W_bias"] + h @ weights["R"].T
        i, f, g, o = np.split(pre, 4, axis=-1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        expected.append(h)
    assert_close([y, last_h, last_c], [np.array(expected), h, c])


def test_the_standards_own_evaluator_agrees():
    """Where it goes: it knows no Scan from the end, and no lengths of the operators."""
    stacks = [
        [RecurrentArchitecture(cells.slstm, D, 4, heads=2), RecurrentArchitecture(cells.layer_norm_gru, 4, H)],
        [RecurrentArchitecture(cells.lstm, D, H), ActivationArchitecture(H, "elu", 0.5)],
        [RecurrentArchitecture(cells.min_gru, D, H), LastArchitecture(H), NormArchitecture(H), SoftmaxArchitecture(H)],
    ]
    for parts in stacks:
        model = network(parts, D)
        built, x, state = build(*model.as_chain()), numbers(T, 2, D), random_state(model, 2)
        lengths = [T, T] if "LSTM" in built.layers else [T, 2]
        given = [x, np.array(lengths), *itertools.chain.from_iterable(state)]
        found = ReferenceEvaluator(built.content).run(None, dict(zip(built.inputs, given, strict=True)))
        assert_close(found, _flat(model.run(x, lengths, state)))


def test_every_operation_of_a_program_has_one_of_onnx():
    assert {*scan.OPERATIONS, "square", "not_equal"} == set(ELEMENTWISE)


@examples(15, 300, programs(), st.integers(0, 2**32))
def test_any_program_as_a_scan(program, seed):
    """Random programs beside an evaluator in plain Python."""
    random = np.random.default_rng(seed)
    widths = {"H": 4, "P": 3}
    shapes = program.weight_shapes(4, widths)
    weights = {name: random.normal(size=shape, scale=0.4).astype(np.float32) for name, shape in shapes.items()}
    part = RecurrentArchitecture(Cell("any", "", program), 4, 4, further_widths={"P": 3})
    named = {f"parts.0.layers.0.0.{name}": weight for name, weight in weights.items()}
    session = Session(build(ModelArchitecture(4, [part]), named).content)
    x, lengths = numbers(4, 3, 4, seed=seed), [4, 0, 2]
    state = [random.normal(size=(3, widths[width]), scale=0.5).astype(np.float32) for _, width in program.states]
    y, (after,) = session.run(x, lengths, [state])
    wide = {name: weight.astype(float) for name, weight in weights.items()}
    expected, final = evaluate(program, wide, x.astype(float), [part.astype(float) for part in state], lengths)
    assert np.allclose(y, expected, rtol=1e-3, atol=1e-3)
    for came, part in zip(after, final, strict=True):
        assert np.allclose(came, part, rtol=1e-3, atol=1e-3)


@examples(40, 500, st.sampled_from(OPERATORS), st.integers(0, 2**32))
def test_what_is_matched_is_never_another_program(found, seed):
    """One instruction of an operator's cell is changed; whatever is made of that, it computes the same."""
    program = changed(cell_of(found).program, randomness.Random(seed))
    assume(program is not None)
    model = network([RecurrentArchitecture(Cell("changed", "", program), D, H)], D, scale=0.2)
    x, state = numbers(3, 2, D), random_state(model, 2)
    expected = model.run(x, None, state)
    other = Network(model.architecture_, {n: _nudged(weight) for n, weight in model.weights_.items()})
    nudged = other.run(_nudged(x), None, [[_nudged(part) for part in parts] for parts in state])
    # Not a quotient near 1/0, which shows every last bit.
    assume(are_close(nudged, expected))
    assert_close(Session(file_of(model)).run(x, [3, 3], state), expected)


def _nudged(values):
    """Return values moved by some last bits, up or down."""
    return values * np.random.default_rng(3).choice(np.float32([1 - 1e-6, 1 + 1e-6]), values.shape)


def _flat(result):
    return [result[0], *itertools.chain.from_iterable(result[1])]


# ---- parts


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name):
    known = ACTIVATIONS[name]
    alpha, beta = (None if value is None else value + 0.375 for value in (known.alpha, known.beta))
    parts = [LinearArchitecture(D, 40), ActivationArchitecture(40, name), ActivationArchitecture(40, name, alpha, beta)]
    assert_same(network(parts, D))


def test_chains_of_parts():
    stack = RecurrentArchitecture(cells.gru, D, H)
    back = RecurrentArchitecture(cells.min_gru, D, H, reverse=True)
    head = [NormArchitecture(H, 1e-3), LinearArchitecture(H, 9), SoftmaxArchitecture(9, log=True)]
    for parts in (
        [stack, *head],
        [stack, LastArchitecture(H), *head],
        [back, LastArchitecture(H, reverse=True), *head],
        [LinearArchitecture(D, 2, bias=False), SoftmaxArchitecture(2)],
        [RecurrentArchitecture(running_mean, D, D), LastArchitecture(D)],
        [RecurrentArchitecture(running_max, D, D), LastArchitecture(D)],
    ):
        assert_same(network(parts, D))


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave"])
def test_chains_side_by_side(merge):
    forth = [RecurrentArchitecture(cells.lstm, D, H, 2), LinearArchitecture(H, 4)]
    back = [LinearArchitecture(D, 2), RecurrentArchitecture(cells.min_gru, 2, 4, reverse=True)]
    within = [ParallelArchitecture([[RecurrentArchitecture(cells.elman, D, 4)], forth], "sum")]
    every = ParallelArchitecture([forth, back, within], merge)
    assert_same(network([every, LinearArchitecture(every.output_size, 3)], D))
    once = ParallelArchitecture([[*forth, LastArchitecture(4)], [*back, LastArchitecture(4, reverse=True)]], merge)
    assert_same(network([once, LinearArchitecture(once.output_size, 3)], D))


def test_symbols():
    parts = [RecurrentArchitecture(cells.gru, D, H), LinearArchitecture(H, 11)]
    assert_same(network(parts, D, EmbeddingArchitecture(11, D)))


def test_what_stands_beyond_the_lengths_has_no_effect():
    model = layer(cells.lstm, D, H)
    session, state = Session(file_of(model)), random_state(model, 2)
    x = numbers(4, 2, D)
    spoilt = x.copy()
    spoilt[2:, 1] = np.nan
    assert_close(session.run(spoilt, [4, 2], state), session.run(x, [4, 2], state))


# ---- the file


def test_a_stream_in_onnx_runtime_is_a_whole_run(tmp_path):
    parts = [
        RecurrentArchitecture(cells.lstm, D, H, 2),
        RecurrentArchitecture(cells.mgu, H, H),
        LinearArchitecture(H, 2),
    ]
    model = network(parts, D)
    written = model.export_onnx(tmp_path / "m.onnx")
    session = Session(str(tmp_path / "m.onnx"))
    x = numbers(T, 1, D)
    state = [[np.zeros_like(part) for part in parts] for parts in model.runtime.initial_state(1)]
    stream, outputs = model.stream(), []
    for step in x:
        y, state = session.run(step[None], [1], state)
        outputs.append(y[0])
        assert_close(y[0, 0], stream.push(step[0]))
    assert_close(np.array(outputs), model.run(x)[0])
    assert written.inputs == ("x", "lengths", "state.0.h", "state.0.c", "state.1.h", "state.1.c", "state.2.h")
    assert written.outputs == ("y", *(f"new_{name}" for name in written.inputs[2:]))
    assert written.size == (tmp_path / "m.onnx").stat().st_size
    assert 0 < written.difference < verification.TOLERANCE


def test_the_file_says_what_it_is(tmp_path):
    model = layer(cells.gru, D, H, bidirectional=True)
    model.export_onnx(tmp_path / "a.onnx")
    model.export_onnx(tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    read = onnx.load(tmp_path / "a.onnx")
    assert [(each.domain, each.version) for each in read.opset_import] == [("", 17)]
    assert (read.ir_version, read.producer_name, read.producer_version) == (8, "ostinato", ostinato.__version__)
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*read.graph.input, *read.graph.output)
    }
    assert shapes == {
        "x": ["time", "batch", D],
        "lengths": ["batch"],
        "state.0.h": [2, "batch", H],
        "y": ["time", "batch", 2 * H],
        "new_state.0.h": [2, "batch", H],
    }


@pytest.mark.parametrize("cell", [cells.lstm, cells.slstm], ids=lambda cell: cell.name)
@pytest.mark.parametrize("way", [{}, {"bidirectional": True}], ids=str)
def test_a_learned_start_stands_in_the_metadata(cell, way):
    model = layer(cell, D, H, 2, learned_initial_state=True, **way)
    session = Session(file_of(model))
    start = model.runtime.initial_state(3)
    x = numbers(4, 3, D)
    state = [[np.zeros_like(part) for part in parts] for parts in start]
    names = iter(session.inputs[2:])
    for parts in state:
        for part in parts:
            part += np.array(json.loads(session.metadata[next(names)]), np.float32)[..., None, :]
    assert [part.tobytes() for parts in state for part in parts] == [p.tobytes() for parts in start for p in parts]
    assert_close(session.run(x, [4, 2, 0], state), model.run(x, [4, 2, 0]))


def test_a_model_of_text_brings_its_vocabulary(small_model, tmp_path):
    small_model.export_onnx(tmp_path / "m.onnx")
    session = Session(str(tmp_path / "m.onnx"))
    vocabulary = json.loads(session.metadata["vocabulary"])
    assert vocabulary == small_model.vocabulary_.to_data()
    ids = np.array([vocabulary["code_points"].index(ord(character)) for character in "if the"])[:, None]
    state = small_model.runtime.initial_state(1)
    assert_close(session.run(ids, [6], state)[0], small_model.run(ids)[0])


# ---- what goes wrong


@pytest.mark.parametrize(
    ("owner", "name", "wrong"),
    [
        (recurrent, "weights_to_onnx", lambda right: lambda *given: right(*given)._replace(R=-right(*given).R)),
        (
            ragged.Ragged,
            "only_some",
            lambda right: lambda self, new, old, name=None: self.graph.add("Identity", new, name=name),
        ),
        (
            ragged.Ragged,
            "only_steps",
            lambda right: lambda self, y, name=None: self.graph.add("Identity", y, name=name),
        ),
    ],
    ids=["weights", "sequences without steps", "steps beyond"],
)
def test_a_wrong_file_is_not_written(monkeypatch, tmp_path, owner, name, wrong):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"what was there")
    monkeypatch.setattr(owner, name, wrong(getattr(owner, name)))
    with pytest.raises(ExportError, match=r"differ in .* by|no numbers"):
        network([RecurrentArchitecture(cells.lstm, D, H), LinearArchitecture(H, 2)], D).export_onnx(path)
    assert path.read_bytes() == b"what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("operation", "wrong", "message"),
    [("tanh", "Sigmoid", "differ in y by"), ("tanh", "Tahn", "cannot run|No Op registered|not a registered")],
)
def test_a_wrong_operation_in_a_scan_is_found(monkeypatch, tmp_path, operation, wrong, message):
    monkeypatch.setitem(scan.OPERATIONS, operation, wrong)
    with pytest.raises((ExportError, onnx.checker.ValidationError), match=message):
        layer(cells.mgu, D, H).export_onnx(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_zero_hide_nothing(monkeypatch, tmp_path):
    """The model's own weights cannot show a gate in another's place where they are all zero; random ones do."""
    model = layer(cells.gru, D, H)
    model.weights_ = {name: np.zeros_like(weight) for name, weight in model.weights_.items()}
    assert model.export_onnx(tmp_path / "m.onnx").difference < 1e-5
    right = recurrent.weights_to_onnx
    monkeypatch.setattr(
        recurrent, "weights_to_onnx", lambda *given: right(*given)._replace(W=np.roll(right(*given).W, H, 0))
    )
    with pytest.raises(ExportError):
        model.export_onnx(tmp_path / "m.onnx")


def test_what_is_too_far_depends_on_what_the_last_bit_does():
    """Where the model itself moves by much with the last bit of x, float32 is the limit; but that ends."""
    value = np.linspace(-2, 2, 9, dtype=np.float32)
    still, moved, wild = (value + np.float32(2 * part) for part in (0, 1e-4, 1e-2))
    for came, near in [(5e-5, still), (2e-3, moved), (9e-3, wild)]:
        assert verification.compared("y", value + np.float32(2 * came), value, near) == pytest.approx(came, rel=0.01)
    for came, near in [
        (2e-4, still),
        (5e-3, moved),
        (2e-2, wild),
        (2e-4, np.full_like(value, np.nan)),
        (np.nan, still),
    ]:
        with pytest.raises(ExportError, match="differ in y by"):
            verification.compared("y", value + np.float32(2 * came), value, near)


def test_what_is_no_number_must_be_none_in_the_file():
    value = np.array([1, np.nan, np.inf, -np.inf], np.float32)
    assert verification.compared("y", value.copy(), value, value) == 0
    for place in range(1, 4):
        came = value.copy()
        came[place] = 1
        with pytest.raises(ExportError, match="other infinities"):
            verification.compared("y", came, value, value)
    with pytest.raises(ExportError, match=r"gives y the shape \[3\], not \[4\]"):
        verification.compared("y", value[1:], value, value)


def test_a_model_that_is_too_large_is_refused_before_memory_is_taken(tmp_path):
    architecture = ModelArchitecture(50_000, [LinearArchitecture(50_000, 50_000)])
    shapes = architecture.weight_shapes()
    model = Network(architecture, {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()})
    with pytest.raises(OptionError, match=r"has 9.3 GiB of weights, and an ONNX file holds less than 2 GiB"):
        model.export_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_it_says_what_to_install(monkeypatch, tmp_path, missing):
    monkeypatch.setattr("ostinato.extras.find_spec", lambda name: None if name == missing else find_spec(name))
    with pytest.raises(MissingExtraError, match=rf"{missing}, which is not installed.(?s:.)*ostinato\[onnx\]"):
        layer(cells.gru, D, H).export_onnx(tmp_path / "m.onnx")


def test_wide_weights_are_written_in_float32():
    model = layer(cells.gru, D, H)
    wide = {name: weight.astype(np.float64) for name, weight in model.weights_.items()}
    content = build(model.architecture_, wide).content
    assert content == file_of(model)
    kinds = {tensor.data_type for tensor in onnx.load_from_string(content).graph.initializer}
    assert kinds == {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64}
