"""Rewrites of programs: what changes, what stays, and what they mean, judged by the evaluator in plain Python."""

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.cells import CELLS, cell, tanh
from ostinato.errors import ProgramError
from ostinato.program import Instruction, Program
from ostinato.program.program import MAX_INSTRUCTIONS
from ostinato.program.rewrite import expected_zoneout, recurrent_dropout, zoneout

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..quick import examples
from .programs import evaluate, programs

T, H, P = 3, 3, 2
WIDTHS = {"H": H, "P": P}
LENGTHS = [T, 1]


def problem(program, seed=0):
    """Return random weights, an input [T, B, H] and a state for a program."""
    random = np.random.default_rng(seed)
    weights = {name: random.normal(size=shape) for name, shape in program.weight_shapes(H, WIDTHS).items()}
    x = random.normal(size=(T, len(LENGTHS), H))
    return weights, x, [random.normal(size=(len(LENGTHS), WIDTHS[width])) for _, width in program.states]


def streams_full_of(program, value):
    return {name: np.full((T, len(LENGTHS), WIDTHS[width]), value) for name, width in program.streams}


def rewritten(program):
    """Return every rewrite of a program, and one of a rewrite."""
    every = [recurrent_dropout(program), zoneout(program, ["h", "q"]), expected_zoneout(program, {"q": 0.3, "h": 0.9})]
    return [*every, zoneout(every[0], ["q"])]


@examples(30, 150, programs())
def test_a_rewritten_program_takes_the_same_weights_and_puts_out_the_same_states(program):
    for other in rewritten(program):
        assert other.weight_shapes(H, WIDTHS) == program.weight_shapes(H, WIDTHS)
        assert other.recurrent_bias_gates == program.recurrent_bias_gates
        assert other.output == program.output
        assert other.states[:2] == program.states
        assert Program.from_data(other.to_data()) == other


# ---- recurrent dropout


@examples(30, 150, programs(), st.integers(0, 99))
def test_masks_of_ones_drop_nothing_and_stay(program, seed):
    weights, x, state = problem(program, seed)
    dropped = recurrent_dropout(program)
    masks = [np.ones((len(LENGTHS), WIDTHS[width])) for _, width in dropped.states[2:]]
    y, final = evaluate(dropped, weights, x, [*state, *masks], LENGTHS)
    assert_close([y, final[:2]], list(evaluate(program, weights, x, state, LENGTHS)))
    assert_close(final[2:], masks)


@examples(30, 150, programs(), st.integers(0, 99))
def test_masks_of_zeros_leave_nothing_of_the_recurrent_matrices_but_biases(program, seed):
    weights, x, state = problem(program, seed)
    dropped = recurrent_dropout(program)
    masks = [np.zeros((len(LENGTHS), WIDTHS[width])) for _, width in dropped.states[2:]]
    without = weights | {name: np.zeros_like(values) for name, values in weights.items() if name == "R"}
    y, final = evaluate(dropped, weights, x, [*state, *masks], LENGTHS)
    assert_close([y, final[:2]], list(evaluate(program, without, x, state, LENGTHS)))


@pytest.mark.parametrize(
    ("name", "masks"),
    [("lstm", 1), ("elman", 1), ("gru", 1), ("gru_v1", 2), ("rotation", 0)],
)
def test_each_distinct_argument_of_a_recurrent_product_has_one_mask(name, masks):
    program = (CELLS | EXAMPLES)[name].program
    dropped = recurrent_dropout(program)
    assert dropped.states == (*program.states, *((f"mask_{k}", "H") for k in range(masks)))
    arguments = {i.arguments for i in dropped.instructions if i.operation == "recurrent"}
    assert len(arguments) == masks
    assert all(dropped.instructions[argument].operation == "multiply" for (argument,) in arguments)


def test_a_mask_is_as_wide_as_what_enters_the_matrix():
    assert recurrent_dropout(CELLS["projected_lstm"].program).states[-1] == ("mask_0", "P")


def test_a_mask_takes_no_name_that_is_taken():
    mine = cell(gates="a", state="mask_0 mask_1 h")(lambda x, R, s: (tanh(x.a + R.a(s.h)), s.mask_0, s.mask_1)).program
    assert recurrent_dropout(mine).state_names == ("mask_0", "mask_1", "h", "mask_2")


def test_without_recurrent_products_nothing_changes():
    assert recurrent_dropout(EXAMPLES["rotation"].program) == EXAMPLES["rotation"].program


def test_equal_products_of_a_program_from_a_file_stay_apart():
    """Joined, they would give the gate a bias of its own, and the program other weights."""
    data = [["a"], [["h", "H"]], [], [], ["h"], [], [7]]
    data[5] = [["input", "a"], ["state", "h"], ["recurrent", "a", 1], ["recurrent", "a", 1]]
    data[5] += [["add", 0, 2], ["add", 3, 0], ["multiply", 4, 5], ["tanh", 6]]
    program = Program.from_data(data)
    assert recurrent_dropout(program).recurrent_bias_gates == program.recurrent_bias_gates == ()


# ---- zoneout


@examples(30, 150, programs(), st.integers(0, 99))
def test_streams_of_zeros_keep_nothing(program, seed):
    weights, x, state = problem(program, seed)
    zoned = zoneout(program, ["h", "q"])
    given = evaluate(zoned, weights, x, state, LENGTHS, streams_full_of(zoned, 0.0))
    assert_close(list(given), list(evaluate(program, weights, x, state, LENGTHS)))


@examples(30, 150, programs(), st.integers(0, 99))
def test_streams_of_ones_keep_the_old_states_to_the_bit(program, seed):
    weights, x, state = problem(program, seed)
    zoned = zoneout(program, ["q", "h"])
    _, final = evaluate(zoned, weights, x, state, LENGTHS, streams_full_of(zoned, 1.0))
    for after, before in zip(final, state, strict=True):
        np.testing.assert_array_equal(after, before)


def test_only_the_named_states_have_a_stream():
    zoned = zoneout(CELLS["lstm"].program, ["c"])
    assert zoned.streams == (("c", "H"),)
    assert zoned.results[0] == CELLS["lstm"].program.results[0]
    assert str(zoned).splitlines()[3:4] == ["streams  c[H]"]


@examples(30, 150, programs(), st.integers(0, 99))
def test_the_expectation_over_one_step_lies_between_old_and_new(program, seed):
    weights, x, state = problem(program, seed)
    _, plain = evaluate(program, weights, x[:1], state, [1, 1])
    _, mixed = evaluate(expected_zoneout(program, {"h": 0.25, "q": 0.75}), weights, x[:1], state, [1, 1])
    for p, old, new, after in zip((0.25, 0.75), state, plain, mixed, strict=True):
        assert_close(after, p * old + (1 - p) * new)


def test_what_grows_beyond_a_program_is_refused():
    count = MAX_INSTRUCTIONS - 2
    instructions = [["input", "a"], ["state", "h"], *[["tanh", 1]] * count]
    full = Program.from_data([["a"], [["h", "H"]], [], [], ["h"], instructions, [2]])
    with pytest.raises(ProgramError, match="at most 2,000 instructions"):
        zoneout(full, ["h"])


def test_the_rewritten_program_is_made_of_the_old_instructions_and_few_more():
    program = CELLS["lstm"].program
    assert zoneout(program, ["c"]).instructions[: len(program.instructions)] == program.instructions
    assert zoneout(program, ["c"]).instructions[len(program.instructions) :] == (
        Instruction("stream", name="c"),
        Instruction("constant", value=0.5),
        Instruction("greater", (23, 24)),
        Instruction("where", (25, 17, 20)),
    )
