"""How weights start."""

import numpy as np
import pytest

from ostinato.cells import CELLS, bias, cell, constant, identity, normal, orthogonal, tanh, uniform
from ostinato.cells.initialisers import INITIALISERS, draw_weights, from_data
from ostinato.errors import CellError

from ..comparison import assert_close
from ..example_cells import EXAMPLES

D, H, P = 3, 6, 4


def draw(cell, seed=0, **options):
    widths = {"H": H, "P": P}
    input_size = H if cell.program.reads_raw_input else D
    return draw_weights(cell.program, dict(cell.init), np.random.default_rng(seed), input_size, widths, **options)


@pytest.mark.parametrize("cell", (CELLS | EXAMPLES).values(), ids=lambda c: c.name)
def test_each_weight_has_the_shape_that_the_program_names(cell):
    input_size = H if cell.program.reads_raw_input else D
    for with_bias in (True, False):
        drawn = draw(cell, bias=with_bias)
        shapes = {name: values.shape for name, values in drawn.items()}
        assert shapes == cell.program.weight_shapes(input_size, {"H": H, "P": P}, with_bias)
        assert all(values.dtype == np.float64 for values in drawn.values())
        assert with_bias or not any("bias" in name for name in drawn)


def without_start_of(kinds):
    """The names of the cells that have recurrent matrices and say nothing of how such weights start."""
    said = {name: [item for _, given in cell.init for item in given] for name, cell in CELLS.items()}
    return [
        name
        for name, cell in CELLS.items()
        if cell.program.recurrent_gates
        and not any(isinstance(item, bias) == (kinds == "biases") for item in said[name])
    ]


@pytest.mark.parametrize("name", without_start_of("matrices"))
def test_each_recurrent_matrix_starts_orthogonal_and_all_together_keep_lengths(name):
    stack, gates = draw(CELLS[name])["R"], len(CELLS[name].program.recurrent_gates)
    assert_close(stack.T @ stack, np.eye(stack.shape[1]))
    for matrix in np.split(stack, gates):
        assert_close(gates * matrix.T @ matrix, np.eye(matrix.shape[1]))


@pytest.mark.parametrize("cell", [CELLS["lstm"], CELLS["gru"], CELLS["projected_lstm"]], ids=lambda c: c.name)
def test_each_heads_block_is_drawn_on_its_own(cell):
    drawn = draw(cell, heads=2)
    assert {name: values.shape for name, values in drawn.items()} == cell.program.weight_shapes(
        D, {"H": H, "P": P}, heads=2
    )
    gates = len(cell.program.recurrent_gates)
    blocks = np.split(drawn["R"], 2 * gates)
    assert len({block.tobytes() for block in blocks}) == len(blocks)
    for block in blocks:
        assert_close(gates * block.T @ block, np.eye(block.shape[1]))


def test_an_identity_in_heads_is_the_identity():
    program = cell(gates="a", state="h")(lambda x, R, s: tanh(x.a + R.a(s.h))).program
    drawn = draw_weights(program, {"a": (identity(2.0),)}, np.random.default_rng(0), D, {"H": H}, heads=3)
    assert_close(drawn["R"], np.tile(2 * np.eye(2), (3, 1)))


@pytest.mark.parametrize("name", without_start_of("biases"))
def test_biases_start_at_zero(name):
    drawn = draw(CELLS[name])
    assert not drawn["W_bias"].any()
    assert not drawn.get("R_bias", np.zeros(1)).any()


def test_a_bias_given_to_a_gate_stands_in_that_gate_alone():
    given = draw_weights(CELLS["lstm"].program, {"f": (bias(1.0),)}, np.random.default_rng(0), D, {"H": H})["W_bias"]
    assert given.reshape(4, H).tolist() == [[0.0] * H, [1.0] * H, [0.0] * H, [0.0] * H]


def test_input_matrices_start_even_within_one_over_the_root_of_the_input_size():
    drawn = draw(CELLS["lstm"])["W"]
    assert 0.9 / np.sqrt(D) < np.abs(drawn).max() <= 1 / np.sqrt(D)


def test_vectors_and_matrices_start_even_within_one_over_the_root_of_their_width():
    assert np.abs(draw(EXAMPLES["peephole"])["p_f_peep"]).max() <= 1 / np.sqrt(H)
    assert 0.7 / np.sqrt(H) < np.abs(draw(CELLS["projected_lstm"])["M_project"]).max() <= 1 / np.sqrt(H)


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, same, other = (draw(CELLS["gru"], seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], same[name]) for name in first)
    assert not np.array_equal(first["R"], other["R"])


def test_init_acts_on_what_it_names():
    @cell(
        gates="a b",
        state="h",
        vectors="v",
        matrices="m[H,H]",
        init={"a": (bias(2.0), identity(3.0)), "v": constant(4.0), "m": orthogonal(2.0)},
    )
    def mine(x, R, s, p, M):
        return tanh(x.a + R.a(s.h)) * p.v + M.m(tanh(R.b(s.h) * x.b))

    drawn = draw(mine)
    assert np.array_equal(drawn["R"][:H], 3 * np.eye(H))
    assert_close(2 * drawn["R"][H:] @ drawn["R"][H:].T, np.eye(H))
    assert drawn["W_bias"].tolist() == [2.0] * H + [0.0] * H
    assert drawn["p_v"].tolist() == [4.0] * H
    assert_close(drawn["M_m"] @ drawn["M_m"].T, 4 * np.eye(H))


def test_a_gate_without_input_has_its_bias_at_the_recurrent_product():
    @cell(gates="a", state="h", init={"a": bias(2.0)})
    def mine(R, s):
        return tanh(R.a(s.h))

    assert sorted(draw(mine)) == ["R", "R_bias"]
    assert draw(mine)["R_bias"].tolist() == [2.0] * H


def test_a_gate_with_two_biases_starts_with_its_bias_at_the_input():
    @cell(gates="a", state="h", init={"a": bias(2.0)})
    def mine(x, R, s):
        return tanh(x.a * R.a(s.h))

    assert draw(mine)["W_bias"].tolist() == [2.0] * H
    assert draw(mine)["R_bias"].tolist() == [0.0] * H


@pytest.mark.parametrize("shape", [(3, 3), (5, 2), (2, 5), (1, 1), (1, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape):
    drawn = orthogonal(0.5).draw(np.random.default_rng(0), shape)
    product = drawn @ drawn.T if shape[0] < shape[1] else drawn.T @ drawn
    assert_close(product, 0.25 * np.eye(min(shape)))


def test_uniform_and_normal_have_the_spread_that_they_name():
    random = np.random.default_rng(0)
    even, bell = uniform(0.9, 0.99).draw(random, (10_000,)), normal(0.2).draw(random, (10_000,))
    assert 0.9 <= even.min() < 0.901
    assert 0.989 < even.max() <= 0.99
    assert abs(bell.mean()) < 0.01
    assert abs(bell.std() - 0.2) < 0.01


SAMPLES = (bias(1), constant(2.5), uniform(-1.0, 1.0), normal(0.1), orthogonal(), identity(0.5))


@pytest.mark.parametrize("initialiser", SAMPLES, ids=repr)
def test_data_and_back_gives_an_equal_initialiser(initialiser):
    assert from_data(initialiser.to_data()) == initialiser


def test_every_initialiser_is_sampled_here():
    assert {type(sample).__name__ for sample in SAMPLES} == set(INITIALISERS)


@pytest.mark.parametrize(
    ("kind", "numbers", "said"),
    [
        (bias, [float("nan")], "bias takes finite numbers, not nan."),
        (bias, [float("inf")], "bias takes finite numbers, not inf."),
        (constant, ["1"], "constant takes finite numbers, not '1'."),
        (orthogonal, [True], "orthogonal takes finite numbers, not True."),
        (uniform, [1.0, -1.0], "uniform needs low <= high, not 1.0 and -1.0."),
        (uniform, [-1e308, 1e308], "uniform needs low <= high"),
        (normal, [-1.0], "normal needs a deviation of at least 0, not -1.0."),
    ],
)
def test_impossible_numbers_are_refused_at_once(kind, numbers, said):
    with pytest.raises(CellError) as error:
        kind(*numbers)
    assert said in str(error.value)
    with pytest.raises(CellError):
        from_data([kind.__name__, *numbers])
