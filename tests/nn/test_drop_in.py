"""`ostinato.nn.RNN`, `LSTM` and `GRU` do what torch.nn's do: values, gradients, errors, state dicts."""

import copy
import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils._pytree import tree_leaves

import ostinato.nn
from ostinato import engine
from ostinato.errors import OptionError, OstinatoError

from ..comparison import assert_close
from .running import leaf, normal

# What torch says of its own LSTM with proj_size.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

T, B, D, H = 6, 4, 3, 5
NAMES = ["RNN", "LSTM", "GRU"]
GRID = [
    {},
    {"bias": False},
    {"num_layers": 3},
    {"bidirectional": True},
    {"batch_first": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "bias": False},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.5},
    {"num_layers": 2, "batch_first": True, "dropout": 1.0},
]
CASES = [
    *[(name, options) for name in NAMES for options in GRID],
    *[("LSTM", options | {"proj_size": 2}) for options in GRID],
    ("RNN", {"nonlinearity": "relu"}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True, "bias": False}),
]

FEW = [*[(name, {"num_layers": 2}) for name in NAMES], ("LSTM", {"proj_size": 2, "bidirectional": True})]


def twins(name, *sizes, **options):
    """Return torch's layer and ours, built from the same seed."""
    built = []
    for library in (nn, ostinato.nn):
        torch.manual_seed(0)
        built.append(getattr(library, name)(*sizes, **options))
    return built


def state_for(layer, *batch, dtype=torch.float64):
    """Return a random hx, as a list of tensors."""
    places = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [layer.proj_size or layer.hidden_size] + [layer.hidden_size] * (layer.mode == "LSTM")
    return [normal(places, *batch, width, seed=20 + k, dtype=dtype) for k, width in enumerate(widths)]


def joined(parts):
    return tuple(parts) if len(parts) > 1 else parts[0]


def results(layer, x, parts=None, pack=lambda x: x):
    """Run a layer forwards and backwards with random gradients; return all that came out."""
    torch.manual_seed(1)
    layer.zero_grad()
    x, parts = leaf(x), None if parts is None else [leaf(part) for part in parts]
    output, hidden = layer(pack(x), None if parts is None else joined(parts))
    final = list(hidden) if isinstance(hidden, tuple) else [hidden]
    y = output.data if isinstance(output, PackedSequence) else output
    gradients = [normal(*part.shape, seed=30 + k, dtype=part.dtype) for k, part in enumerate([y, *final])]
    torch.autograd.backward([y, *final], gradients)
    return {
        "y": y,
        "layout": [] if y is output else list(output[1:]),
        "final": final,
        "d_x": x.grad,
        "d_state": [part.grad for part in parts or []],
        "d_weights": {name: weight.grad for name, weight in layer.named_parameters()},
    }


def assert_alike(ours, theirs):
    layouts = zip(ours.pop("layout"), theirs.pop("layout"), strict=True)
    assert all(a is b is None or torch.equal(a, b) for a, b in layouts)
    assert ours["y"].dtype == theirs["y"].dtype
    assert_close(ours, theirs)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
class TestOptions:
    """Every layout of the input, over the grid of options."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_batches(self, name, options, dtype):
        theirs, ours = twins(name, D, H, dtype=dtype, **options)
        x = normal(*((B, T) if ours.batch_first else (T, B)), D, dtype=dtype)
        for parts in (None, state_for(theirs, B, dtype=dtype)):
            assert_alike(results(ours, x, parts), results(theirs, x, parts))

    def test_one_sequence_without_a_batch(self, name, options):
        theirs, ours = twins(name, D, H, dtype=torch.float64, **options)
        for parts in (None, state_for(theirs)):
            assert_alike(results(ours, normal(T, D), parts), results(theirs, normal(T, D), parts))

    @pytest.mark.parametrize("lengths", [[6, 6, 3, 1], [3, 5, 1, 5]])
    def test_packed_sequences(self, name, options, lengths):
        if options.get("dropout") == 0.5:
            # What is dropped is drawn over the padded batch, in torch over the packed rows.
            options = options | {"dropout": 0.0}
        theirs, ours = twins(name, D, H, dtype=torch.float64, **options)

        def pack(x):
            is_sorted = lengths == sorted(lengths, reverse=True)
            return pack_padded_sequence(x, torch.tensor(lengths), ours.batch_first, enforce_sorted=is_sorted)

        x = normal(*((B, T) if ours.batch_first else (T, B)), D)
        for parts in (None, state_for(theirs, B)):
            assert_alike(results(ours, x, parts, pack), results(theirs, x, parts, pack))


@settings(max_examples=40)
@given(
    kind=st.sampled_from(NAMES),
    steps=st.integers(1, 5),
    batch=st.integers(1, 4),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    data=st.data(),
)
def test_any_sizes(kind, steps, batch, sizes, data):
    options = {name: data.draw(st.booleans(), name) for name in ("bias", "batch_first", "bidirectional")}
    options["num_layers"] = data.draw(st.integers(1, 3), "num_layers")
    if kind == "LSTM":
        options["proj_size"] = data.draw(st.integers(0, sizes[1] - 1), "proj_size")
    theirs, ours = twins(kind, *sizes, dtype=torch.float64, **options)
    x = normal(*((batch, steps) if ours.batch_first else (steps, batch)), sizes[0])
    parts = state_for(theirs, batch) if data.draw(st.booleans(), "with state") else None
    pack = lambda x: x  # noqa: E731
    if data.draw(st.booleans(), "packed"):
        lengths = data.draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch), "lengths")
        pack = lambda x: pack_padded_sequence(x, torch.tensor(lengths), ours.batch_first, enforce_sorted=False)  # noqa: E731
    assert_alike(results(ours, x, parts, pack), results(theirs, x, parts, pack))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=str)
def test_a_batch_of_none(name, options):
    theirs, ours = twins(name, D, H, **options)
    x = torch.zeros((0, T, D) if ours.batch_first else (T, 0, D))
    for hx in (None, joined(state_for(theirs, 0, dtype=torch.float32))):
        assert_close(*(tree_leaves(layer(x, hx)) for layer in (ours, theirs)))


@pytest.mark.parametrize("name", NAMES)
def test_a_swapped_weight_would_be_seen(name):
    theirs, ours = twins(name, D, H, dtype=torch.float64)
    x = normal(T, B, D)
    with torch.no_grad():
        ours.weight_hh_l0[[0, 1]] = ours.weight_hh_l0[[1, 0]]
    with pytest.raises(AssertionError):
        assert_alike(results(ours, x), results(theirs, x))


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_every_layer_and_direction_runs_in_the_engine(name, options, monkeypatch):
    asked = []

    def sequence(*arguments, **keywords):
        asked.append(keywords["reverse"])
        return sequence_itself(*arguments, **keywords)

    sequence_itself = engine.sequence
    monkeypatch.setattr(engine, "sequence", sequence)
    layer = getattr(ostinato.nn, name)(D, H, **options)
    layer(torch.zeros(T, B, D))
    assert asked == [False, True] * layer.num_layers if layer.bidirectional else [False] * layer.num_layers


# ---- what is kept of torch's modules


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_weights_start_as_torchs_do_and_print_alike(name, options):
    theirs, ours = twins(name, D, H, **options)
    for layer in (theirs, ours):
        torch.manual_seed(5)
        layer.reset_parameters()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    assert [len(row) for row in ours.all_weights] == [len(row) for row in theirs.all_weights]
    assert repr(ours) == repr(theirs)
    assert {key: vars(ours)[key] for key in theirs.__constants__} == {
        key: vars(theirs)[key] for key in theirs.__constants__
    }


@pytest.mark.parametrize(("name", "options"), FEW, ids=str)
def test_state_dicts_go_both_ways(name, options):
    x = normal(T, B, D, dtype=torch.float32)
    for source, target in (reversed(twins(name, D, H, **options)), twins(name, D, H, **options)):
        with torch.no_grad():
            for weight in source.parameters():
                weight.mul_(2)
        file = io.BytesIO()
        torch.save(source.state_dict(), file)
        file.seek(0)
        target.load_state_dict(torch.load(file, weights_only=True), strict=True)
        assert_alike(results(target, x), results(source, x))


@pytest.mark.parametrize(("name", "options"), FEW, ids=str)
def test_a_copy_is_equal_and_apart(name, options):
    layer = getattr(ostinato.nn, name)(D, H, **options)
    x = normal(T, B, D, dtype=torch.float32)
    before = results(layer, x)
    twin = copy.deepcopy(layer)
    assert type(twin) is type(layer)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.zero_()
    assert_alike(results(twin, x), before)


@pytest.mark.parametrize("name", NAMES)
def test_weights_may_be_given_for_one_call(name):
    theirs, ours = twins(name, D, H, dtype=torch.float64)
    x, weights = normal(T, B, D), {key: 2 * weight for key, weight in ours.named_parameters()}
    assert_close(*(torch.func.functional_call(layer, weights, x)[0] for layer in (ours, theirs)))


@pytest.mark.parametrize("name", NAMES)
def test_weights_may_be_parametrized(name):
    theirs, ours = (parametrizations.weight_norm(twin, "weight_hh_l0") for twin in twins(name, D, H))
    x = normal(T, B, D, dtype=torch.float32)
    assert_alike(results(ours, x), results(theirs, x))


def test_weights_stay_where_they_are():
    layer = ostinato.nn.LSTM(D, H)
    places = [weight.data_ptr() for weight in layer.parameters()]
    assert layer.flatten_parameters() is None
    assert [weight.data_ptr() for weight in layer.parameters()] == places


@pytest.mark.parametrize("name", NAMES)
def test_device_and_dtype(name):
    assert next(getattr(ostinato.nn, name)(D, H, device="meta").parameters()).is_meta
    layer = getattr(ostinato.nn, name)(D, H).double()
    assert layer(torch.zeros(T, B, D, dtype=torch.float64))[0].dtype == torch.float64


def test_options_by_position():
    places = (D, H, 2, "relu", False, True, 0.25, True)
    assert repr(ostinato.nn.RNN(*places)) == repr(nn.RNN(*places))
    assert ostinato.nn.RNN(*places).nonlinearity == "relu"
    for name in ("LSTM", "GRU"):
        places = (D, H, 2, False, True, 0.25, True)
        assert repr(getattr(ostinato.nn, name)(*places)) == repr(getattr(nn, name)(*places))
    assert ostinato.nn.LSTM(*places, 2).proj_size == 2


@pytest.mark.parametrize("name", NAMES)
def test_explain_tells_who_runs_a_layer(name):
    layer = getattr(ostinato.nn, name)(D, H, batch_first=True)
    assert engine.explain(layer, torch.zeros(B, T, D)).runner in {
        candidate.name for candidate in engine.dispatch.CANDIDATES
    }


@pytest.mark.parametrize("name", NAMES)
def test_autocast_keeps_to_the_type_of_the_weights(name, monkeypatch):
    seen = []
    monkeypatch.setattr(engine, "sequence", lambda _, __, x, state, *___, **____: (seen.append((x, state)), 1 / 0))
    layer = getattr(ostinato.nn, name)(D, H)
    x, parts = normal(T, B, D, dtype=torch.bfloat16), state_for(layer, B, dtype=torch.bfloat16)
    with torch.autocast("cpu"), pytest.raises(ZeroDivisionError):
        layer(x, joined(parts))
    ((x, state),) = seen
    assert {x.dtype, *(part.dtype for part in state)} == {torch.float32}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_around_the_engine_can_be_traced_whole(name, monkeypatch):
    """Seen with a stand-in for the engine that is a single product."""

    def sequence(program, weights, x, state, lengths=None, reverse=False):
        y = (x @ weights["W"].T + weights["W_bias"])[..., : state[0].shape[-1]]
        return y, [part + 1 for part in state]

    monkeypatch.setattr(engine, "sequence", sequence)
    layer = getattr(ostinato.nn, name)(D, H, num_layers=2, bidirectional=True, batch_first=True)
    x, hx = normal(B, T, D, dtype=torch.float32), joined(state_for(layer, B, dtype=torch.float32))
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    assert_close(tree_leaves(compiled(x, hx)), tree_leaves(layer(x, hx)))


# ---- errors


def zeros(*shape, dtype=torch.float32, **options):
    return torch.zeros(shape, dtype=dtype, **options)


def packed(*shape, lengths=(6, 6, 3, 1), **options):
    return pack_padded_sequence(zeros(*shape, **options), torch.tensor(lengths), enforce_sorted=False)


WRONG = [
    ((D,), None, "input", "[T, B, D=3], got [3]"),
    ((1, T, B, D), None, "input", "[T, B, D=3], got [1, 6, 4, 3]"),
    ((T, B, 12), None, "input", "[T, B, D=3], got [6, 4, 12]"),
    ((T, 12), None, "input", "[T, D=3], got [6, 12]"),
    ((0, B, D), None, "input", "at least one step"),
    ((0, 0, D), None, "input", "at least one step"),
    ((0, D), None, "input", "at least one step"),
    ((T, B, D), (1, 3, H), "hx", "[L·d=1, B=4, H=5], got [1, 3, 5]"),
    ((T, B, D), (2, B, H), "hx", "[L·d=1, B=4, H=5], got [2, 4, 5]"),
    ((T, B, D), (1, B, 4), "hx", "[L·d=1, B=4, H=5], got [1, 4, 4]"),
    ((T, B, D), (B, H), "hx", "[L·d=1, B=4, H=5], got [4, 5]"),
    ((T, D), (1, 1, H), "hx", "[L·d=1, H=5], got [1, 1, 5]"),
]


def refusal(layer, input, hx):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - what torch raises is the question
        layer(input, hx)
    return raised.value


def assert_refused_alike(name, input, hx, argument, said):
    theirs, ours = (refusal(layer, input, hx) for layer in twins(name, D, H))
    assert isinstance(ours, OstinatoError)
    assert isinstance(ours, type(theirs)), f"torch raises {theirs!r}"
    assert ours.message.startswith(f"{name} expected {argument}")
    assert said in ours.message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "state", "argument", "said"), WRONG)
def test_shapes_that_torch_refuses_are_refused_by_an_error_of_its_type(name, shape, state, argument, said):
    hx = None if state is None else joined([zeros(*state)] * (2 if name == "LSTM" else 1))
    assert_refused_alike(name, zeros(*shape), hx, argument, said)


@pytest.mark.parametrize("name", NAMES)
def test_other_types_and_devices_are_refused(name):
    def hx(*shape, **options):
        return joined([zeros(*shape, **options)] * (2 if name == "LSTM" else 1))

    double, meta = {"dtype": torch.float64}, {"device": "meta"}
    assert_refused_alike(
        name, zeros(T, B, D, **double), None, "input", "torch.float32, as its weights, not torch.float64"
    )
    assert_refused_alike(name, zeros(T, B, D, dtype=torch.int64), None, "input", "not torch.int64")
    assert_refused_alike(name, zeros(T, B, D, **meta), None, "input", "on cpu, where its weights are, not meta")
    assert_refused_alike(name, zeros(T, B, D), hx(1, B, H, **double), "hx", "not torch.float64")
    assert_refused_alike(name, zeros(T, B, D), hx(1, B, H, **meta), "hx", "not meta")
    assert_refused_alike(name, packed(T, B, D, **double), None, "input.data", "not torch.float64")
    assert_refused_alike(name, packed(T, B, 12), None, "input.data", "[N, D=3], got [16, 12]")
    assert_refused_alike(name, packed(T, B, D, 1), None, "input.data", "[N, D=3], got [16, 3, 1]")
    ours = getattr(ostinato.nn, name)(D, H)
    assert "expected hx" in str(refusal(ours, packed(T, B, D), hx(1, 3, H)))
    assert "expected hx" in str(refusal(ours, packed(T, B, D), hx(B, H)))


def test_the_hint_tells_how_to_convert():
    error = refusal(ostinato.nn.GRU(D, H), zeros(T, B, D, dtype=torch.float64), None)
    assert error.hint == "give it as input.to(torch.float32), or convert the layer with .to(torch.float64)."


@pytest.mark.parametrize(
    ("name", "hx", "said"),
    [
        ("GRU", (zeros(1, B, H), zeros(1, B, H)), "GRU expected hx as one tensor, got a tuple."),
        ("RNN", [zeros(1, B, H)], "RNN expected hx as one tensor, got a list."),
        ("LSTM", zeros(1, B, H), "LSTM expected hx as a tuple (h, c) of tensors, got a Tensor."),
        ("LSTM", (zeros(1, B, H),), "LSTM expected hx as a tuple (h, c) of tensors, got a tuple."),
        ("LSTM", (zeros(1, B, H), None), "LSTM expected hx as a tuple (h, c) of tensors, got a tuple."),
    ],
)
def test_a_state_of_another_kind_is_refused(name, hx, said):
    assert refusal(getattr(ostinato.nn, name)(D, H), zeros(T, B, D), hx).message == said


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[(name, {"input_size": 0}) for name in NAMES],
        *[(name, {"input_size": 2.0}) for name in NAMES],
        *[(name, {"hidden_size": 0}) for name in NAMES],
        *[(name, {"num_layers": 0}) for name in NAMES],
        *[(name, {"bias": 1}) for name in NAMES],
        *[(name, {"batch_first": None}) for name in NAMES],
        *[(name, {"dropout": 1.5}) for name in NAMES],
        *[(name, {"dropout": True}) for name in NAMES],
        *[(name, {"unknown": True}) for name in NAMES],
        ("LSTM", {"proj_size": -1}),
        ("LSTM", {"proj_size": H}),
        ("RNN", {"proj_size": 2}),
        ("GRU", {"proj_size": 2}),
        ("GRU", {"nonlinearity": "relu"}),
        ("RNN", {"nonlinearity": "sigmoid"}),
    ],
    ids=str,
)
def test_options_that_torch_refuses_are_refused(name, options):
    options = {"input_size": D, "hidden_size": H} | options
    with pytest.raises((TypeError, ValueError)) as theirs:
        getattr(nn, name)(**options)
    with pytest.raises(type(theirs.value)):
        getattr(ostinato.nn, name)(**options)


def test_an_option_of_ours_is_refused_with_a_hint():
    with pytest.raises(OptionError) as raised:
        ostinato.nn.RNN(D, H, nonlinearity="tahn")
    assert str(raised.value) == "there is no nonlinearity 'tahn'.\n  hint: did you mean 'tanh'?"
    with pytest.raises(OptionError, match="GRU has no proj_size, and 2 was given") as raised:
        ostinato.nn.GRU(D, H, proj_size=2)
    assert raised.value.hint == "only LSTM has one."


@pytest.mark.parametrize("name", NAMES)
def test_dropout_without_a_second_layer_warns_as_torch_does(name):
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        getattr(ostinato.nn, name)(D, H, dropout=0.5)
