"""torch.compile, torch.export, autocast and checkpoints over whole layers: no break, and the numbers of eager runs."""

import shutil

import pytest
import torch
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

import ostinato.nn
from ostinato.cells import CELLS
from ostinato.engine import dispatch
from ostinato.nn import Recurrent

from ..comparison import assert_close
from ..quick import some_quick
from .running import layer_of, leaf, normal, state_of

T, B, H = 4, 3, 6
LENGTHS = [4, 0, 2]
OPTIONS = [
    {"num_layers": 2, "dropout": 0.3, "residual": True},
    {"bidirectional": True, "batch_first": True, "initial_state": "learned"},
    {"initial_state": "random", "recurrent_dropout": 0.3, "zoneout": {"c": 0.5, "h": 0.1}},
    {"checkpoint_steps": 2, "heads": 2},
]


@pytest.fixture(autouse=True)
def forgotten():
    torch._dynamo.reset()


def layer_for(name, **options):
    program = CELLS[name].program
    return layer_of(name, H, H, widths={"P": H} if "P" in program.width_letters else None, **options)


def results(function, layer, x, *given, **options):
    """Run forwards and backwards; return everything that came out."""
    layer.zero_grad()
    torch.manual_seed(0)
    x = leaf(x)
    out = tree_leaves(function(x, *given, **options))
    sum(part.square().sum() for part in out if isinstance(part, torch.Tensor)).backward()
    return [*out, x.grad, *(weight.grad for weight in layer.parameters())]


def assert_compiles(layer, x, *given, backend="aot_eager", **options):
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    expected = results(layer, layer, x, *given, **options)
    assert_close(results(compiled, layer, x, *given, **options), expected)
    with torch.no_grad():
        torch.manual_seed(0)
        y = tree_leaves(compiled(x, *given, **options))[0]
    assert_close(y, expected[0])
    return compiled


@pytest.mark.parametrize("name", some_quick(CELLS, ("lstm", "gru", "layer_norm_gru", "projected_lstm", "rg_lru")))
def test_every_cell_compiles_without_a_break(name):
    assert_compiles(layer_for(name), normal(T, B, H))


def with_and_without_lengths():
    """Return every option with lengths and without: one of the two is quick, in turns, and the other is slow."""
    ways = [(options, lengths) for options in OPTIONS for lengths in (None, LENGTHS)]
    slow = [k % 4 in (1, 2) for k in range(len(ways))]
    return [pytest.param(*way, marks=[pytest.mark.slow] * is_slow) for way, is_slow in zip(ways, slow, strict=True)]


@pytest.mark.parametrize(("options", "lengths"), with_and_without_lengths(), ids=str)
def test_every_option_compiles_without_a_break(options, lengths):
    layer = layer_for("lstm", **options)
    lengths = None if lengths is None else torch.tensor(lengths)
    x = normal(B, T, H) if layer.batch_first else normal(T, B, H)
    compiled = assert_compiles(layer, x, lengths=lengths)
    layer.eval()
    assert_close(compiled(x, lengths=lengths), layer(x, lengths=lengths))


def test_a_given_state_compiles():
    layer = layer_for("lstm", num_layers=2, bidirectional=True)
    assert_compiles(layer, normal(T, B, H), state_of(layer, B))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("RNN", {"nonlinearity": "relu"}, marks=pytest.mark.slow),
        pytest.param("GRU", {"num_layers": 2, "bidirectional": True}, marks=pytest.mark.slow),
        ("LSTM", {"proj_size": 3, "num_layers": 2}),
    ],
)
def test_the_drop_ins_compile_without_a_break(name, options):
    layer = getattr(ostinato.nn, name)(H, H, dtype=torch.float64, **options)
    assert_compiles(layer, normal(T, B, H))


@pytest.mark.parametrize("name", some_quick(["RNNCell", "GRUCell", "LSTMCell"], ("LSTMCell",)))
def test_the_drop_in_cells_compile_without_a_break(name):
    cell = getattr(ostinato.nn, name)(H, H, dtype=torch.float64)
    assert_compiles(cell, normal(B, H))


def test_another_program_of_the_same_sizes_is_another_graph():
    compiled = torch.compile(lambda layer, x: layer(x)[0], fullgraph=True, backend="aot_eager")
    x = normal(T, B, H)
    for name in ("elman", "elman_relu", "elman_sigmoid"):
        layer = layer_for(name)
        assert_close(compiled(layer, x), layer(x)[0])


@pytest.mark.parametrize("ragged", [pytest.param(False, marks=pytest.mark.slow), True])
def test_one_graph_serves_every_batch_and_every_number_of_steps(ragged):
    layer = layer_for("lstm", num_layers=2)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    graphs = []
    for steps, batch in ((4, 3), (7, 5), (2, 9)):
        x = normal(steps, batch, H)
        lengths = torch.arange(batch) % (steps + 1) if ragged else None
        torch._dynamo.mark_dynamic(x, 0)
        torch._dynamo.mark_dynamic(x, 1)
        if ragged:
            torch._dynamo.mark_dynamic(lengths, 0)
        assert_close(compiled(x, None, lengths), layer(x, None, lengths))
        compiled(x, None, lengths)[0].sum().backward()
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert graphs[0] == graphs[-1]


def test_lengths_are_checked_when_a_graph_runs():
    layer = layer_for("gru")
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    compiled(normal(T, B, H), lengths=torch.tensor([1, 2, 3]))
    with pytest.raises(Exception, match="expected lengths: 3 whole numbers between 0 and T=4"):
        compiled(normal(T, B, H), lengths=torch.tensor([1, 2, 5]))


def test_where_the_core_is_not_the_operator_runs_the_others(monkeypatch):
    layer = layer_for("gru", bidirectional=True)
    x, lengths = normal(T, B, H), torch.tensor(LENGTHS)
    expected = results(layer, layer, x, lengths=lengths)
    monkeypatch.setattr("ostinato.engine.core.missing", lambda: "it was taken away")
    monkeypatch.setattr("ostinato.engine.operators.missing", lambda: "it was taken away")
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert_close(results(compiled, layer, x, lengths=lengths), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="inductor needs a compiler")
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_inductor_compiles_too(lengths):
    layer = layer_for("lstm", num_layers=2, bidirectional=True, checkpoint_steps=3)
    given = torch.tensor(lengths) if lengths else None
    assert_compiles(layer, normal(T, B, H), backend="inductor", lengths=given)


# ---- export


@pytest.mark.parametrize("name", ["lstm", "rg_lru"])
def test_an_exported_layer_does_the_same_and_learns_the_same(name):
    layer, x = layer_for(name, num_layers=2), normal(T, B, H)
    steps = torch.export.Dim("steps", min=2)
    exported = torch.export.export(layer, (x,), dynamic_shapes=({0: steps},)).module()
    for given in (x, normal(T + 3, B, H)):
        assert_close(exported(given), layer(given))
    expected = results(layer, layer, x)
    weights = dict(exported.named_parameters())
    y, state = exported(x)
    sum(part.square().sum() for part in (y, *tree_leaves(state))).backward()
    assert_close([weights[name].grad for name, _ in layer.named_parameters()], expected[-len(weights) :])


# ---- autocast


def floats(layer):
    return layer.float(), normal(T, B, H, dtype=torch.float32)


@pytest.mark.parametrize(
    ("table", "compiled"),
    [
        *(("every candidate", False), ("aten", False), ("torch", False), ("every candidate", True)),
        pytest.param("aten", True, marks=pytest.mark.slow),
        pytest.param("torch", True, marks=pytest.mark.slow),
    ],
)
def test_autocast_leaves_the_recurrence_in_the_type_of_the_weights(monkeypatch, table, compiled):
    layer, x = floats(layer_for("lstm", num_layers=2, residual=True, recurrent_dropout=0.3, zoneout={"c": 0.5}))
    narrow = x.bfloat16()
    if table != "every candidate":
        kept = tuple(candidate for candidate in dispatch.CANDIDATES if candidate.name in (table, "torch"))
        monkeypatch.setattr(dispatch, "CANDIDATES", kept)
    expected = results(layer, layer, narrow.float())

    def cast(x):
        with torch.autocast("cpu", torch.bfloat16):
            return layer(torch.nn.functional.linear(x, torch.eye(H)))

    run = torch.compile(cast, fullgraph=True, backend="aot_eager") if compiled else cast
    found = results(run, layer, narrow.float())
    assert {part.dtype for part in found} == {torch.float32}
    # Back through the product that autocast made narrow goes a narrow gradient.
    assert_close([*found[:5], *found[6:]], [*expected[:5], *expected[6:]])


def test_states_are_cast_as_x_is():
    layer, x = floats(layer_for("gru"))
    state = (layer.cell.State(normal(B, H).bfloat16()),)
    with torch.autocast("cpu", torch.bfloat16):
        y, (last,) = layer(x.bfloat16(), state)
        step, _ = layer.eval().step(x[0].bfloat16())
    assert y.dtype == last.h.dtype == step.dtype == torch.float32


# ---- checkpoints


def test_torchs_checkpoint_runs_a_layer_again():
    layer, x = layer_for("lstm", num_layers=2), normal(T, B, H)
    again = results(lambda x: checkpoint(layer, x, use_reentrant=False), layer, x)
    assert_close(again, results(layer, layer, x))


def kept_numbers(layer, x):
    """Return how many numbers a run keeps for its way back, beside x, y and what the layer holds anyway."""
    known = {part.untyped_storage().data_ptr() for part in (x, *layer.parameters())}
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y, _ = layer(x)
    return sum(size for place, size in kept.items() if place not in {*known, y.untyped_storage().data_ptr()})


@pytest.mark.parametrize("name", ["lstm", "gru", "rg_lru"])
def test_checkpoint_steps_keep_the_states_of_every_so_many_steps(name):
    steps, every = 10_000, 100
    x = normal(steps, 1, 16)
    layers = [layer_of(name, 16, 16, checkpoint_steps=k) for k in (None, every)]
    whole, states = (kept_numbers(layer, x) for layer in layers)
    own = len(layers[0].program.states) * 16
    assert whole >= steps * own
    assert states <= (steps // every + 2) * own
    assert_close(results(layers[1], layers[1], x[:250]), results(layers[0], layers[0], x[:250]))


def test_impossible_checkpoint_steps_are_refused():
    with pytest.raises(ostinato.errors.OptionError, match="must be a whole number of at least 1, not 0"):
        Recurrent("lstm", 2, 3, checkpoint_steps=0)
    assert "checkpoint_steps=7" in repr(Recurrent("lstm", 2, 3, checkpoint_steps=7))
