"""Recurrent dropout and zoneout against equations in NumPy, with the masks that the generator gives.

Gradients of the equations are taken by complex steps: f'(v) = Im f(v + i ε)/ε, exact to the last digits.
"""

import copy
import math
import pickle
from functools import cache

import numpy as np
import pytest
import torch

from ostinato import engine
from ostinato.cells import CELLS
from ostinato.engine import explain
from ostinato.errors import OptionError
from ostinato.nn import Recurrent, noise

from ..candidates import TABLES, use_table
from ..comparison import assert_close
from ..example_cells import EXAMPLES
from .running import layer_of, normal, outputs_and_gradients, state_of

T, B, D, H = 4, 3, 2, 3
LENGTHS = [3, 4, 0]
KEPT = {"c": 0.5, "h": 0.2}
SEED = 11
EPSILON = 1e-30


@pytest.fixture(params=TABLES, autouse=True)
def table(request, monkeypatch):
    use_table(monkeypatch, request.param)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def lstm_step(w, x, s, masks):
    i, f, g, o = np.split(w["W"] @ x + w["W_bias"] + w["R"] @ (masks[0] * s["h"]), 4)
    c = sigmoid(f) * s["c"] + sigmoid(i) * np.tanh(g)
    return {"h": sigmoid(o) * np.tanh(c), "c": c}


def gru_v1_step(w, x, s, masks):
    inputs, (Rr, Rz, Rn) = np.split(w["W"] @ x + w["W_bias"], 3), np.split(w["R"], 3)
    r, z = (sigmoid(part + R @ (masks[0] * s["h"])) for part, R in zip(inputs[:2], (Rr, Rz), strict=True))
    n = np.tanh(inputs[2] + Rn @ (masks[1] * (r * s["h"])))
    return {"h": (1 - z) * n + z * s["h"]}


STEPS = {"lstm": (lstm_step, 1), "gru_v1": (gru_v1_step, 2)}


def equations(name, w, x, state, masks, mix, reverse):
    """Run one layer in one direction, sequence by sequence. mix(name, t, b, old, new): the state after zoneout."""
    step, y, final = STEPS[name][0], [], []
    for b, length in enumerate(LENGTHS):
        s, outputs = {part: values[b] for part, values in state.items()}, [np.zeros(H)] * T
        for t in reversed(range(length)) if reverse else range(length):
            new = step(w, x[t, b], s, [mask[b] for mask in masks])
            s = {part: mix(part, t, b, s[part], new[part]) for part in new}
            outputs[t] = s["h"]
        y.append(np.stack(outputs))
        final.append(s)
    return np.stack(y, axis=1), {part: np.stack([s[part] for s in final]) for part in state}


def complex_gradients(function, given):
    """Return d function / d each element of each array."""
    gradients = {}
    for name, values in given.items():
        gradients[name] = np.zeros(values.shape)
        for place in np.ndindex(values.shape):
            moved = values.astype(complex)
            moved[place] += 1j * EPSILON
            gradients[name][place] = function(**(given | {name: moved})).imag / EPSILON
    return gradients


def ones(p, *shape):
    """Draw ones with probability p as the documentation says: sixteen bits of torch's generator for each element."""
    count = math.prod(shape)
    numbers = torch.randint(-(2**63), 2**63 - 1, (math.ceil(count / 4),)).numpy()
    bits = numbers.view(np.int16)[:count].astype(int) + 2**15
    return (bits < round(p * 2**16)).astype(float).reshape(shape)


def drawn(name, options, directions):
    """Draw, as the layer does, the masks and the streams of each direction."""
    dropped, states = options.get("recurrent_dropout", 0.0), CELLS[name].states
    kept = {state: options["zoneout"][state] for state in states if state in options.get("zoneout", {})}
    torch.manual_seed(SEED)
    result = []
    for _ in range(directions):
        count = STEPS[name][1] if dropped else 0
        masks = [ones(1 - dropped, B, H) / (1 - dropped) for _ in range(count)] or [np.ones((B, H))] * 2
        streams = {state: ones(p, T, B, H) for state, p in kept.items()}
        result.append((masks, streams))
    return result


OPTIONS = {
    "dropout": {"recurrent_dropout": 0.4},
    "zoneout": {"zoneout": KEPT},
    "both": {"recurrent_dropout": 0.4, "zoneout": KEPT},
}


def problem(name, options, directions, training):
    """Return a layer, x, a state, and the same run of the equations as a function of arrays by name."""
    kept = {state: p for state, p in options.get("zoneout", {}).items() if state in CELLS[name].states}
    options = options | ({"zoneout": kept} if kept else {})
    layer = layer_of(name, D, H, bidirectional=directions == 2, **options).train(training)
    x, state = normal(T, B, D), state_of(layer, B)
    noise = drawn(name, options, directions)

    def mixing(streams):
        def mix(part, t, b, old, new):
            if part not in kept:
                return new
            if not training:
                return kept[part] * old + (1 - kept[part]) * new
            return np.where(streams[part][t, b] == 1, old, new)

        return mix

    def run(x, **given):
        outputs, finals = [], []
        for direction, (masks, streams) in enumerate(noise):
            w = {n.rsplit(".", 1)[1]: v for n, v in given.items() if n.startswith(f"layers.0.{direction}.")}
            before = {part: given[part][direction] for part in layer.cell.states}
            masks = masks if training else [np.ones((B, H))] * 2
            y, final = equations(name, w, x, before, masks, mixing(streams), reverse=direction == 1)
            outputs.append(y)
            finals.append(final)
        return np.concatenate(outputs, axis=-1), [np.stack([f[part] for f in finals]) for part in layer.cell.states]

    arrays = {"x": x.numpy()} | {n: w.detach().numpy() for n, w in layer.named_parameters()}
    per_direction = [part if directions == 2 else part[None] for part in state[0]]
    arrays |= {part: values.numpy() for part, values in zip(layer.cell.states, per_direction, strict=True)}
    return layer, x, state, arrays, run


@cache
def solved(name, options, directions, training):
    """Return a layer, x and a state, and what the equations give for them: y, final states, and every gradient.

    For random gradients of y and of the final states, those that `outputs_and_gradients` takes.
    """
    layer, x, state, arrays, run = problem(name, OPTIONS[options], directions, training)
    y, final = run(**arrays)
    d_y = normal(*y.shape, seed=1).numpy()
    shape = (2, B, H) if directions == 2 else (B, H)
    d_final = [normal(*shape, seed=2 + k).reshape(directions, B, H).numpy() for k in range(len(final))]

    def loss(**given):
        y, final = run(**given)
        return (y * d_y).sum() + sum((part * d).sum() for part, d in zip(final, d_final, strict=True))

    return layer, x, state, y, final, complex_gradients(loss, arrays)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", STEPS)
def test_outputs_and_every_gradient_equal_the_equations(name, options, directions, training):
    layer, x, state, y, final, expected = solved(name, options, directions, training)
    torch.manual_seed(SEED)
    actual = outputs_and_gradients(layer, x, state, LENGTHS)
    assert_close(actual["y"], y)
    assert_close([part.reshape(directions, B, H) for part in actual["final"][0]], final)
    assert_close(actual["d_x"], expected["x"])
    assert_close(
        [part.reshape(directions, B, H) for part in actual["d_state"]], [expected[s] for s in layer.cell.states]
    )
    assert_close(actual["d_weights"], {weight: expected[weight] for weight in actual["d_weights"]})


# ---- how it is drawn


def test_each_call_draws_anew_and_the_same_seed_draws_the_same():
    layer, x = layer_of("lstm", D, H, recurrent_dropout=0.5, zoneout=KEPT), normal(T, B, D)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(layer(x)[0])
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert not torch.equal(layer(x)[0], layer(x)[0])


def test_a_sequence_is_trained_in_chunks_by_its_state():
    layer, x = layer_of("lstm", D, H, num_layers=2, recurrent_dropout=0.5, zoneout={"h": 0.5}), normal(2 * T, B, D)
    first, state = layer(x[:T])
    assert [type(part) for part in state] == [CELLS["lstm"].State] * 2, "no mask shows in the state"
    second, _ = layer(x[T:], state)
    assert first.shape == second.shape == (T, B, H)


def test_as_many_units_keep_their_value_as_the_probability_says():
    layer = layer_of("lstm", D, 50, zoneout={"h": 0.3})
    y, _ = layer(normal(40, 20, D))
    kept = (y[1:] == y[:-1]).double().mean().item()
    assert abs(kept - 0.3) < 0.01


def test_a_mask_holds_for_the_sequence_and_its_mean_is_one():
    layer = layer_of("elman", D, 200, recurrent_dropout=0.25)
    (mask,) = layer.noise.masks(layer.widths, 300, torch.empty(0))
    assert mask.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert abs(mask.mean().item() - 1) < 0.01


@pytest.mark.parametrize("p", [1e-9, 0.02, 0.35, 0.5, 0.9999])
@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0), (5, 7), (1001, 1003)])
def test_what_is_drawn_has_its_probability_and_no_pattern(p, shape):
    torch.manual_seed(3)
    given = noise.drawn(p, shape, torch.empty(0, dtype=torch.float64))
    assert given.shape == shape
    assert set(given.unique().tolist()) <= {0.0, 1.0}
    if given.numel() < 1000:
        return
    deviation = math.sqrt(p * (1 - p) / given.numel())
    assert abs(given.mean().item() - p) < 5 * deviation + 2**-16
    # Neighbours, which share one random number, are independent; so are rows.
    for one, other in ((given[:, :-1], given[:, 1:]), (given[:-1], given[1:])):
        both = ((one - p) * (other - p)).mean().item()
        assert abs(both) < 5 * max(p * (1 - p), 2**-16) / math.sqrt(given.numel())


@pytest.mark.parametrize("p", [0.4, 0.999, 0.99999])
def test_the_mean_stays_where_a_probability_is_no_multiple(p):
    torch.manual_seed(5)
    x = torch.ones(3000, 3000, dtype=torch.float64)
    deviation = math.sqrt(p / (1 - p) / x.numel())
    assert abs(noise.dropout(x, p, True).mean().item() - 1) < 4 * deviation < 0.5


def test_dropout_is_torchs_where_somebody_looks_on():
    x = normal(50, 40)
    for p, training in ((0.0, True), (0.5, False)):
        assert noise.dropout(x, p, training) is x or torch.equal(noise.dropout(x, p, training), x)
    mapped = torch.func.vmap(lambda row: noise.dropout(row, 0.5, True), randomness="different")(x)
    assert 0.4 < (mapped == 0).double().mean() < 0.6
    y = noise.dropout(x.requires_grad_(), 0.25, True)
    assert set((y / x).detach().round(decimals=12).unique().tolist()) == {0.0, round(4 / 3, 12)}
    y.sum().backward()
    assert_close(x.grad, (y / x).detach())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_stays(dtype):
    layer = layer_of("lstm", D, H, dtype=dtype, recurrent_dropout=0.5, zoneout=KEPT)
    y, (state,) = layer(normal(T, B, D, dtype=dtype))
    assert {part.dtype for part in (y, *state)} == {dtype}


def test_a_sequence_without_steps_gives_the_state_back():
    layer = layer_of("lstm", D, H, recurrent_dropout=0.5, zoneout=KEPT)
    state = state_of(layer, B)
    y, final = layer(normal(0, B, D), state)
    assert y.shape == (0, B, H)
    assert_close(final, state)


def test_nothing_is_drawn_that_needs_a_gradient(monkeypatch):
    asked, run = [], engine.sequence

    def sequence(program, weights, x, state, lengths, reverse, streams, checkpoint_steps):
        asked.append([*state[2:], *streams.values()])
        return run(program, weights, x, state, lengths, reverse, streams, checkpoint_steps)

    monkeypatch.setattr(engine, "sequence", sequence)
    layer_of("lstm", D, H, recurrent_dropout=0.5, zoneout=KEPT)(normal(T, B, D))
    assert [part.requires_grad for part in asked[0]] == [False] * 3


# ---- when it is drawn


def test_in_evaluation_recurrent_dropout_leaves_the_cell_as_it_is():
    layer, plain = layer_of("lstm", D, H, recurrent_dropout=0.5).eval(), layer_of("lstm", D, H)
    x = normal(T, B, D)
    assert torch.equal(layer(x)[0], plain(x)[0])
    assert layer.engine_call(x).program == CELLS["lstm"].program
    assert explain(layer, x).runner == explain(plain, x).runner


def test_explain_shows_the_rewritten_program_and_draws_nothing():
    layer, x = layer_of("lstm", D, H, recurrent_dropout=0.5, zoneout={"h": 0.3, "c": 0.0}), normal(T, B, D)
    before = torch.get_rng_state()
    call = layer.engine_call(x)
    assert call.program.state_names == ("h", "c", "mask_0")
    assert {name: tuple(values.shape) for name, values in call.streams.items()} == {"h": (T, B, H)}
    assert explain(layer, x).runner != "aten"
    assert torch.equal(torch.get_rng_state(), before)
    call = layer.eval().engine_call(x)
    assert call.program.state_names == ("h", "c")
    assert not call.streams


@pytest.mark.parametrize("options", [{"recurrent_dropout": 0.0}, {"zoneout": {}}, {"zoneout": {"h": 0.0}}])
def test_a_probability_of_zero_changes_nothing(options):
    layer = layer_of("lstm", D, H, **options)
    assert layer.noise.training == layer.noise.evaluation == CELLS["lstm"].program


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_draw_the_same(duplicate):
    layer, x = layer_of("gru", D, H, recurrent_dropout=0.5, zoneout={"h": 0.5}), normal(T, B, D)
    results = []
    for one in (layer, duplicate(layer)):
        torch.manual_seed(0)
        results.append(one(x)[0])
    assert torch.equal(*results)


def test_the_options_are_printed():
    layer = Recurrent("lstm", D, H, recurrent_dropout=0.5, zoneout={"h": 0.1})
    assert layer.extra_repr() == "lstm, 2, 3, recurrent_dropout=0.5, zoneout={'h': 0.1}"


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"recurrent_dropout": 1.0}, "recurrent_dropout must be at least 0 and less than 1, not 1.0.", None),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout must be at least 0 and less than 1, not -0.1.", None),
        ({"recurrent_dropout": math.nan}, "recurrent_dropout must be at least 0 and less than 1, not nan.", None),
        ({"recurrent_dropout": "0.5"}, "recurrent_dropout must be at least 0 and less than 1, not '0.5'.", None),
        ({"recurrent_dropout": True}, "recurrent_dropout must be at least 0 and less than 1, not True.", None),
        (
            {"cell": EXAMPLES["rotation"], "recurrent_dropout": 0.5},
            "recurrent_dropout drops what enters recurrent matrices, but this cell has none.",
            "leave it out.",
        ),
        ({"zoneout": 0.5}, "zoneout must be a probability for each state, not 0.5.", "write zoneout={'h': 0.05}."),
        ({"zoneout": "h"}, "zoneout must be a probability for each state, not 'h'.", "write zoneout={'h': 0.05}."),
        ({"zoneout": {"m": 0.5}}, "zoneout names 'm', no state.", "known here: h, c."),
        ({"zoneout": {3: 0.5}}, "zoneout names 3, no state.", "known here: h, c."),
        ({"zoneout": {"h": 1.0}}, "zoneout['h'] must be at least 0 and less than 1, not 1.0.", None),
        ({"zoneout": {"c": None}}, "zoneout['c'] must be at least 0 and less than 1, not None.", None),
    ],
    ids=str,
)
def test_an_impossible_option_is_refused(options, message, hint):
    with pytest.raises(OptionError) as error:
        Recurrent(**({"cell": "lstm", "input_size": D, "hidden_size": H} | options))
    assert error.value.message == message
    assert error.value.hint == hint
