"""A program prepared once for NumPy arrays."""

import numpy as np
import pytest

from ostinato.cells import CELLS
from ostinato.engine import prepare, sequence
from ostinato.errors import ShapeError

from ..candidates import TABLES, use_table
from ..comparison import assert_close
from ..example_cells import EXAMPLES

T, B, D, H, P = 5, 3, 4, 4, 2


def problem(cell, bias=True):
    random = np.random.default_rng(0)
    widths = {"H": H, "P": P}
    shapes = cell.program.weight_shapes(D, widths, bias)
    weights = {name: random.normal(size=shape) for name, shape in shapes.items()}
    state = [random.normal(size=(B, widths[width])) for _, width in cell.program.states]
    return weights, random.normal(size=(T, B, D)), state


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", (CELLS | EXAMPLES).values(), ids=lambda c: c.name)
def test_steps_equal_the_sequence(cell, bias):
    weights, x, state = problem(cell, bias)
    prepared = prepare(cell.program, weights)
    y, final = prepared.sequence(x, state)
    assert_close([y, final], sequence(cell.program, weights, x, state))
    stepped = []
    for x_t in x:
        y_t, state = prepared.step(x_t, state)
        stepped.append(y_t)
    assert_close([np.stack(stepped), state], [y, final])


def test_lengths_are_kept_and_checked():
    weights, x, state = problem(CELLS["gru"])
    prepared = prepare(CELLS["gru"].program, weights)
    y, (h,) = prepared.sequence(x, state, [2, 0, T])
    for b, length in enumerate([2, 0, T]):
        alone, (last,) = prepared.sequence(x[:length, b : b + 1], [state[0][b : b + 1]])
        assert_close([y[:length, b], h[b]], [alone[:, 0], last[0]])
        assert not y[length:, b].any()
    with pytest.raises(ShapeError, match="expected lengths: 3 whole numbers between 0 and T=5"):
        prepared.sequence(x, state, [2, 0, T + 1])


def test_a_step_of_no_rows_is_empty():
    weights, _, _ = problem(CELLS["lstm"])
    y, state = prepare(CELLS["lstm"].program, weights).step(np.empty((0, D)), [np.empty((0, H))] * 2)
    assert y.shape == (0, H)
    assert [part.shape for part in state] == [(0, H)] * 2


def test_what_was_given_is_not_changed():
    weights, x, state = problem(CELLS["lstm"])
    before = [values.copy() for values in (*weights.values(), x, *state)]
    prepared = prepare(CELLS["lstm"].program, weights)
    y, final = prepared.sequence(x, state)
    prepared.step(x[0], final)
    y *= 0
    assert all(map(np.array_equal, (*weights.values(), x, *state), before))


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", ["lstm", "gru_v1", "projected_lstm"])
def test_a_step_of_some_of_many_states_moves_those_alone(name, table, monkeypatch):
    use_table(monkeypatch, table)
    program = CELLS[name].program
    random = np.random.default_rng(0)
    widths = dict.fromkeys(program.width_letters, H)
    weights = {n: random.normal(size=s).astype(np.float32) for n, s in program.weight_shapes(D, widths).items()}
    state = [random.normal(size=(300, H)).astype(np.float32) for _ in program.states]
    for places in (random.permutation(300)[:117], np.array([299]), np.arange(300), np.array([], np.int64)):
        x = random.normal(size=(len(places), D)).astype(np.float32)
        before = [part.copy() for part in state]
        y, after = prepare(program, weights).step(x, [part[places] for part in state])
        assert prepare(program, weights).advance(x, state, state, places).tobytes() == y.tobytes()
        for part, old, new in zip(state, before, after, strict=True):
            old[places] = new
            assert part.tobytes() == old.tobytes()


def test_wrong_places_are_refused():
    weights, _, _ = problem(CELLS["lstm"])
    prepared = prepare(CELLS["lstm"].program, weights)
    state = [np.zeros((5, H))] * 2
    for places in ([0, 5], [-1, 2], [0], [0.0, 1.0]):
        with pytest.raises((TypeError, ValueError, IndexError)):
            prepared.advance(np.zeros((2, D)), state, state, np.array(places))
    with pytest.raises(ShapeError, match="x of shape"):
        prepared.advance(np.zeros((2, D + 1)), state, state, np.array([0, 1]))
