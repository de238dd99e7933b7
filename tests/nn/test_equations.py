"""Every cell equals its oracle: outputs and all gradients, through every candidate that takes it."""

import numpy as np
import pytest
import torch

from ostinato.cells import CELLS
from ostinato.engine import dispatch, explain, sequence
from ostinato.nn import Recurrent

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..oracles import ORACLES, backpropagate, run, widths
from ..quick import some_quick
from .running import normal, outputs_and_gradients, stacked

SIZES = [(5, 3, 2, 7), (1, 1, 1, 1), (2, 1, 3, 4), (1, 4, 1, 2), (9, 2, 5, 1)]
TORCHS = ["elman", "elman_relu", "lstm", "gru"]
TWICE = [*CELLS.values(), EXAMPLES["peephole"], EXAMPLES["rotation"]]
"""Cells of which second derivatives are compared too."""
RUNS = [(name, runner) for runner in ("core", "torch") for name in ORACLES] + [(name, "aten") for name in TORCHS]


def cell_of(name):
    return (CELLS | EXAMPLES)[name]


def problem(name, sizes):
    """Return an oracle with weights, x, state, and gradients of the outputs and of the final state."""
    steps, batch, input_size, hidden_size = sizes
    oracle, random = ORACLES[name], np.random.default_rng(sum(sizes))
    input_size = oracle.input_size(input_size, hidden_size)
    w = oracle.draw_weights(random, input_size, hidden_size)
    x = random.normal(size=(steps, batch, input_size))
    d_y = random.normal(size=(steps, batch, oracle.output_size(hidden_size)))
    state, d_final = (oracle.draw_state(random, batch, hidden_size) for _ in range(2))
    return oracle, w, x, state, d_y, d_final


def layer_for(cell, x, hidden_size, **options):
    """Return a layer that takes x, with a size for every width of its cell."""
    sizes = {letter: widths(hidden_size)[letter] for letter in cell.program.width_letters[1:]}
    return Recurrent(cell, x.shape[-1], hidden_size, widths=sizes, **options)


def layer_with(cell, w, x, hidden_size, dtype=torch.float64):
    layer = layer_for(cell, x, hidden_size, dtype=dtype)
    weights = {f"layers.0.0.{name}": torch.from_numpy(values) for name, values in stacked(cell.program, w).items()}
    layer.load_state_dict(weights, strict=True)
    return layer


def test_every_cell_that_comes_with_ostinato_has_an_oracle():
    assert set(CELLS) <= set(ORACLES)


def sizes_in_either_type():
    """Return sizes and types: float32 is quick at the first sizes, which are odd ones."""
    return [
        pytest.param(sizes, dtype, marks=[pytest.mark.slow] * (dtype == torch.float32 and sizes != SIZES[0]))
        for sizes in SIZES
        for dtype in (torch.float64, torch.float32)
    ]


@pytest.mark.parametrize(("sizes", "dtype"), sizes_in_either_type(), ids=str)
@pytest.mark.parametrize(("name", "runner"), RUNS)
def test_outputs_and_all_gradients_equal_the_oracle(monkeypatch, name, runner, sizes, dtype):
    oracle, w, x, state, d_y, d_final = problem(name, sizes)
    y, final, memories = run(oracle, w, x, state)
    d_x, d_state, d_w = backpropagate(oracle, w, memories, d_y, d_final)

    cell = cell_of(name)
    layer = layer_with(cell, w, x, sizes[3], dtype)
    table = tuple(candidate for candidate in dispatch.CANDIDATES if candidate.name in (runner, "torch"))
    monkeypatch.setattr(dispatch, "CANDIDATES", table)

    def tensor(values):
        return torch.from_numpy(values).to(dtype)

    assert explain(layer, tensor(x)).runner == runner
    initial = cell.State(*(tensor(state[part]) for part in cell.states))
    given = tensor(d_y), [tensor(d_final[part]) for part in cell.states]
    results = outputs_and_gradients(layer, tensor(x), (initial,), None, *given)
    assert_close(
        results,
        {
            "y": y,
            "final": [[final[part] for part in cell.states]],
            "d_x": d_x,
            "d_state": [d_state[part] for part in cell.states],
            "d_weights": {f"layers.0.0.{name}": values for name, values in stacked(cell.program, d_w).items()},
        },
    )
    assert {part.dtype for part in (results["y"], *results["final"][0], results["d_x"])} == {dtype}


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("name", ORACLES)
def test_numpy_equals_the_oracle(name, sizes):
    oracle, w, x, state, _, _ = problem(name, sizes)
    y, final, _ = run(oracle, w, x, state)
    cell = cell_of(name)
    results = sequence(cell.program, stacked(cell.program, w), x, [state[part] for part in cell.states])
    assert_close(results, [y, [final[part] for part in cell.states]])


@pytest.mark.parametrize("name", ORACLES)
def test_without_biases_the_oracle_has_zero_ones(name):
    oracle, w, x, state, _, _ = problem(name, SIZES[0])
    w |= {weight: 0 * values for weight, values in w.items() if weight[0] in "bd"}
    y, _, _ = run(oracle, w, x, state)
    cell = cell_of(name)
    layer = layer_for(cell, x, SIZES[0][3], bias=False, dtype=torch.float64)
    assert not any("bias" in weight for weight in layer.state_dict())
    with torch.no_grad():
        for weight, values in stacked(cell.program, w).items():
            if weight in layer.layers[0][0].names:
                getattr(layer.layers[0][0], weight).copy_(torch.from_numpy(values))
    initial = cell.State(*(torch.from_numpy(state[part]) for part in cell.states))
    assert_close(layer(torch.from_numpy(x), (initial,))[0], y)


def test_the_projected_cell_is_torchs_lstm_with_proj_size():
    """Outputs, states and all gradients, with torch's second bias at zero."""
    (steps, batch, D, H), P = (5, 3, 2, 7), 3
    layer = Recurrent("projected_lstm", D, H, widths={"P": P}, dtype=torch.float64)
    peer = torch.nn.LSTM(D, H, proj_size=P, dtype=torch.float64)
    names = {"W": "weight_ih_l0", "R": "weight_hh_l0", "W_bias": "bias_ih_l0", "M_project": "weight_hr_l0"}
    with torch.no_grad():
        peer.bias_hh_l0.zero_()
        for name, theirs in names.items():
            getattr(layer.layers[0][0], name).copy_(getattr(peer, theirs))
    x, h, c = (torch.randn(*shape, dtype=torch.float64) for shape in ((steps, batch, D), (batch, P), (batch, H)))
    results = outputs_and_gradients(layer, x, (layer.cell.State(h, c),))
    given = [part.clone().requires_grad_() for part in (x, h[None], c[None])]
    y, final = peer(given[0], (given[1], given[2]))
    d_final = [normal(*part[0].shape, seed=2 + k)[None] for k, part in enumerate(final)]
    torch.autograd.backward([y, *final], [normal(*y.shape, seed=1), *d_final])
    assert_close([results["y"], list(results["final"][0])], [y, [part[0] for part in final]])
    assert_close([results["d_x"], *results["d_state"]], [given[0].grad, given[1].grad[0], given[2].grad[0]])
    expected = {f"layers.0.0.{name}": getattr(peer, theirs).grad for name, theirs in names.items()}
    assert_close(results["d_weights"], expected)


def test_the_rotating_cell_is_a_product_with_a_complex_number():
    """Two joined states are the parts of z' = r exp(i angle) z + W x + b."""
    random, (steps, batch, D, H) = np.random.default_rng(4), (4, 2, 3, 5)
    layer = Recurrent(EXAMPLES["rotation"], D, H, dtype=torch.float64)
    weights = {name: weight.detach().numpy() for name, weight in layer.layers[0][0].named().items()}
    assert_close(weights["p_decay"], np.full(H, -1.0))
    x = random.normal(size=(steps, batch, D))
    turn = np.exp(-np.log1p(np.exp(weights["p_decay"])) + 1j * weights["p_angle"])
    z, y = np.zeros((batch, H), complex), layer(torch.from_numpy(x))[0]
    for t in range(steps):
        z = turn * z + x[t] @ weights["W"].T + weights["W_bias"]
        assert_close(y[t], np.concatenate([z.real, z.imag], axis=1))


def test_the_leaky_cell_reads_the_input_itself_and_chooses():
    random, (steps, batch, H) = np.random.default_rng(5), (6, 3, 4)
    layer = Recurrent(EXAMPLES["leaky"], H, H, dtype=torch.float64)
    w = {name: weight.detach().numpy() for name, weight in layer.layers[0][0].named().items()}
    x, h = random.normal(size=(steps, batch, H)), np.zeros((batch, H))
    y = layer(torch.from_numpy(x))[0]
    chosen = []
    for t in range(steps):
        product = h @ w["R"].T + w["R_bias"]
        z, mask = 1 / (1 + np.exp(-(x[t] @ w["W"].T + w["W_bias"] + product))), product > 0.1
        h = np.where(mask, w["p_keep"] * h + (1 - w["p_keep"]) * x[t], x[t] * z)
        chosen += [mask.any(), (~mask).any()]
        assert_close(y[t], h)
    assert any(chosen[::2]), "the first branch is taken somewhere"
    assert any(chosen[1::2]), "and so is the second"


@pytest.mark.parametrize("cell", some_quick(TWICE, ("lstm", "gru", "rotation")), ids=lambda c: c.name)
@pytest.mark.parametrize("lengths", [None, [3, 1]])
def test_first_and_second_derivatives_of_the_interpreter_equal_differences(monkeypatch, cell, lengths):
    table = tuple(candidate for candidate in dispatch.CANDIDATES if candidate.name == "torch")
    monkeypatch.setattr(dispatch, "CANDIDATES", table)
    torch.manual_seed(0)
    layer = Recurrent(cell, 2, 2, widths={"P": 1} if "P" in cell.program.width_letters else None, dtype=torch.float64)
    names = [name for name, _ in layer.named_parameters()]
    state = [torch.randn(2, layer.widths[width], dtype=torch.float64) for _, width in layer.program.states]

    def function(x, *rest):
        parts, weights = rest[: len(state)], dict(zip(names, rest[len(state) :], strict=True))
        y, final = torch.func.functional_call(layer, weights, (x, (cell.State(*parts),), lengths))
        return (y, *final[0])

    given = [torch.randn(3, 2, 2, dtype=torch.float64), *state, *layer.parameters()]
    given = [part.detach().requires_grad_() for part in given]
    assert torch.autograd.gradcheck(function, given)
    assert torch.autograd.gradgradcheck(function, given)
