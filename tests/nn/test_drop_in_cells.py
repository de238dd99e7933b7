"""`ostinato.nn.RNNCell`, `LSTMCell` and `GRUCell` do what torch.nn's do."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import ostinato.nn
from ostinato import engine
from ostinato.errors import OstinatoError

from ..comparison import assert_close
from .running import leaf, normal

B, D, H = 4, 3, 5
CASES = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("RNNCell", {"bias": False}),
    ("LSTMCell", {}),
    ("LSTMCell", {"bias": False}),
    ("GRUCell", {}),
    ("GRUCell", {"bias": False}),
]
NAMES = ["RNNCell", "LSTMCell", "GRUCell"]


def twins(name, *sizes, **options):
    """Return torch's cell and ours, built from the same seed."""
    built = []
    for library in (nn, ostinato.nn):
        torch.manual_seed(0)
        built.append(getattr(library, name)(*sizes, **options))
    return built


def hx_for(name, *shape, dtype=torch.float64, **options):
    parts = [normal(*shape, seed=20 + k, dtype=dtype).to(**options) for k in range(2 if name == "LSTMCell" else 1)]
    return tuple(parts) if name == "LSTMCell" else parts[0]


def parts_of(state):
    return list(state) if isinstance(state, tuple) else [state]


def results(cell, x, hx):
    """Run a cell forwards and backwards with random gradients; return all that came out."""
    cell.zero_grad()
    x, given = leaf(x), [] if hx is None else [leaf(part) for part in parts_of(hx)]
    after = cell(x, None if hx is None else tuple(given) if isinstance(hx, tuple) else given[0])
    assert isinstance(after, tuple) == isinstance(cell, nn.LSTMCell)
    final = parts_of(after)
    torch.autograd.backward(final, [normal(*part.shape, seed=30 + k, dtype=part.dtype) for k, part in enumerate(final)])
    return {
        "final": final,
        "d_x": x.grad,
        "d_state": [part.grad for part in given],
        # With a state of zero nothing reaches the recurrent weights; torch says so by None, the engine may by zeros.
        "d_weights": {n: torch.zeros_like(w) if w.grad is None else w.grad for n, w in cell.named_parameters()},
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_a_step_equals_torchs(name, options, dtype):
    theirs, ours = twins(name, D, H, dtype=dtype, **options)
    for batch in ((B,), (1,), ()):
        x = normal(*batch, D, dtype=dtype)
        for hx in (None, hx_for(name, *batch, H, dtype=dtype)):
            assert_close(results(ours, x, hx), results(theirs, x, hx))


@settings(max_examples=30)
@given(st.sampled_from(CASES), st.integers(1, 5), st.integers(1, 9), st.integers(1, 20), st.booleans())
def test_any_sizes(case, batch, width, hidden, with_state):
    name, options = case
    theirs, ours = twins(name, width, hidden, dtype=torch.float64, **options)
    x, hx = normal(batch, width), hx_for(name, batch, hidden) if with_state else None
    assert_close(results(ours, x, hx), results(theirs, x, hx))


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_none(name):
    after = getattr(ostinato.nn, name)(D, H)(torch.zeros(0, D))
    assert [part.shape for part in parts_of(after)] == [(0, H)] * (2 if name == "LSTMCell" else 1)


@pytest.mark.parametrize("name", NAMES)
def test_steps_make_a_sequence(name):
    torch.manual_seed(0)
    layer = getattr(ostinato.nn, name.removesuffix("Cell"))(D, H)
    cell = getattr(ostinato.nn, name)(D, H)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x, hx, outputs = normal(6, B, D, dtype=torch.float32), None, []
    for step in x:
        hx = cell(step, hx)
        outputs.append(parts_of(hx)[0])
    assert_close(torch.stack(outputs), layer(x)[0])


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_weights_printing_state_dicts_and_copies_are_torchs(name, options):
    theirs, ours = twins(name, D, H, **options)
    assert isinstance(ours, type(theirs))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))
    x, twin = torch.ones(B, D), copy.deepcopy(ours)
    with torch.no_grad():
        for weight in ours.parameters():
            weight.mul_(2)
    assert_close(parts_of(twin(x)), parts_of(theirs(x)))
    theirs.load_state_dict(ours.state_dict())
    assert_close(parts_of(ours(x)), parts_of(theirs(x)))
    ours.load_state_dict(twin.state_dict())
    assert_close(parts_of(ours(x)), parts_of(twin(x)))


@pytest.mark.parametrize("name", NAMES)
def test_the_step_runs_in_the_engine(name, monkeypatch):
    asked, sequence = [], engine.sequence
    monkeypatch.setattr(engine, "sequence", lambda *given: asked.append(given) or sequence(*given))
    getattr(ostinato.nn, name)(D, H)(torch.zeros(B, D))
    ((_, _, x, *_),) = asked
    assert x.shape == (1, B, D)


# ---- errors


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("shape", "state", "said"),
    [
        ((1, B, D), None, "input of shape [B, D=3], got [1, 4, 3]"),
        ((), None, "input of shape [B, D=3], got []"),
        ((B, 4), None, "input of shape [B, D=3], got [4, 4]"),
        ((4,), None, "input of shape [D=3], got [4]"),
        ((B, D), (3, H), "hx of shape [B=4, H=5], got [3, 5]"),
        ((B, D), (B, 4), "hx of shape [B=4, H=5], got [4, 4]"),
        ((B, D), (1, B, H), "hx of shape [B=4, H=5], got [1, 4, 5]"),
        ((B, D), (H,), "hx of shape [B=4, H=5], got [5]"),
        ((D,), (1, H), "hx of shape [H=5], got [1, 5]"),
    ],
)
def test_shapes_that_torch_refuses_are_refused_by_an_error_of_its_type(name, shape, state, said):
    hx = None if state is None else hx_for(name, *state, dtype=torch.float32)
    assert_refused_alike(name, torch.zeros(shape), hx, said)


@pytest.mark.parametrize("name", NAMES)
def test_other_types_and_devices_are_refused(name):
    x = torch.zeros(B, D)
    assert_refused_alike(name, x.double(), None, "input of torch.float32, as its weights, not torch.float64")
    assert_refused_alike(name, x, hx_for(name, B, H), "hx of torch.float32, as its weights, not torch.float64")
    # torch's cells fail on other devices in ways of their own.
    with pytest.raises(OstinatoError, match="expected input on cpu, where its weights are, not meta"):
        getattr(ostinato.nn, name)(D, H)(x.to("meta"))


def assert_refused_alike(name, x, hx, said):
    theirs, ours = twins(name, D, H)
    with pytest.raises((RuntimeError, ValueError)) as expected:
        theirs(x, hx)
    with pytest.raises(type(expected.value)) as raised:
        ours(x, hx)
    assert isinstance(raised.value, OstinatoError)
    argument = "hx[0]" if name == "LSTMCell" else "hx"
    assert raised.value.message.startswith(f"{name} expected {said.replace('hx', argument)}")


@pytest.mark.parametrize(
    ("name", "hx", "said"),
    [
        ("GRUCell", (torch.zeros(B, H),), "GRUCell expected hx as one tensor, got a tuple."),
        ("LSTMCell", torch.zeros(B, H), "LSTMCell expected hx as a tuple (h, c) of tensors, got a Tensor."),
    ],
)
def test_a_state_of_another_kind_is_refused(name, hx, said):
    with pytest.raises(OstinatoError) as raised:
        getattr(ostinato.nn, name)(D, H)(torch.zeros(B, D), hx)
    assert raised.value.message == said


def test_an_unknown_nonlinearity_is_refused_when_it_is_used():
    theirs, ours = twins("RNNCell", D, H, nonlinearity="tahn")
    for cell in (theirs, ours):
        with pytest.raises(RuntimeError, match="nonlinearity"):
            cell(torch.zeros(B, D))
