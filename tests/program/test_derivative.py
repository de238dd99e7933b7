"""The derivative of programs: every gradient against autograd and finite differences, and what is kept for it."""

import json

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.cells import (
    CELLS,
    cell,
    cos,
    exp,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sin,
    softplus,
    sqrt,
    square,
    tanh,
    where,
)
from ostinato.errors import ProgramError
from ostinato.program import Instruction, Program, Source, derivative, hoist
from ostinato.program.operations import ELEMENTWISE
from ostinato.program.rewrite import recurrent_dropout, zoneout
from ostinato.program.rules import RULES

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..quick import examples
from .backward import gradients, random_problem, torch_gradients
from .programs import STREAMS, evaluate, programs

EVERY_CELL = [*CELLS.values(), *EXAMPLES.values()]
any_program = programs() | programs(STREAMS)
ragged = (
    st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda n: sorted(n, reverse=True)).filter(lambda n: n[0])
)


def check(program, lengths=(4, 2, 1, 0), seed=0, constant=frozenset()):
    """Compare every gradient with autograd's; of constant states, that there is none."""
    problem = random_problem(program, lengths, seed)
    expected = torch_gradients(problem)
    for name in constant:
        del expected[f"state {name}"]
    assert_close(gradients(problem, constant), expected)


# ---- gradients


@pytest.mark.parametrize("c", EVERY_CELL, ids=lambda c: c.name)
@pytest.mark.parametrize("lengths", [(1,), (3, 3), (4, 2, 1, 0)])
def test_gradients_of_every_cell_equal_autograd(c, lengths):
    check(c.program, lengths)


@examples(50, 250, any_program, ragged, st.integers(0, 99))
def test_gradients_of_random_programs_equal_autograd(program, lengths, seed):
    check(program, lengths, seed)


@pytest.mark.parametrize("c", EVERY_CELL, ids=lambda c: c.name)
def test_gradients_of_every_cell_equal_finite_differences(c):
    lengths, step = [3, 2, 0], 1e-6
    problem = random_problem(c.program, lengths, seed=1)
    found = gradients(problem)
    names = [f"state {name}" for name in c.program.state_names]
    point = problem.weights | {"x": np.concatenate(problem.x)} | dict(zip(names, problem.state, strict=True))
    assert set(found) == set(point)
    random = np.random.default_rng(2)
    direction = {name: random.normal(size=value.shape) for name, value in point.items()}

    def loss(scale):
        moved = {name: value + scale * direction[name] for name, value in point.items()}
        return plain_loss(problem, lengths, moved.pop("x"), [moved.pop(name) for name in names], moved)

    expected = (loss(step) - loss(-step)) / (2 * step)
    assert sum((found[name] * direction[name]).sum() for name in point) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def plain_loss(problem, lengths, rows, state, weights):
    """What `gradients` gives the gradients of, by an evaluator that shares nothing with the interpreters."""
    x = np.zeros((max(lengths), len(lengths), rows.shape[1]))
    for t, part in enumerate(np.split(rows, np.cumsum(problem.counts)[:-1])):
        x[t, : len(part)] = part
    y, final = evaluate(problem.program, weights, x, state, lengths)
    loss = sum((y[t, : len(d)] * d).sum() for t, d in enumerate(problem.d_y))
    return loss + sum((part * d).sum() for part, d in zip(final, problem.d_final, strict=True))


@cell(gates="a", state="h", vectors="u")
def every_operation(x, R, s, p):
    """Each operation once, on values that a gradient goes through."""
    v, w = R.a(s.h), x.a
    total = sigmoid(v) + tanh(w) - exp(tanh(v)) * log(square(w) + 0.5) / sqrt(square(v) + 0.1) + softplus(v) * relu(w)
    total = total + abs(v - w) + sin(v) * cos(w) + maximum(v, w) * minimum(v, p.u) - (-v) + where(v < w, v * w, w)
    return tanh(total)


def test_every_operation_has_a_rule_for_each_argument_and_they_are_right():
    expected = {(name, index) for name, known in ELEMENTWISE.items() for index in range(known.arity)}
    expected -= {(name, index) for name, index in expected if ELEMENTWISE[name].yields_mask} | {("where", 0)}
    assert set(RULES) == expected | {("sum", 0)}
    check(every_operation.program)


@pytest.mark.parametrize("key", set(RULES) - {("sum", 0)}, ids=str)
def test_a_wrong_rule_is_noticed(key, monkeypatch):
    right = RULES[key]
    monkeypatch.setitem(RULES, key, lambda use: right(use) * 1.01)
    derivative.cache_clear()
    with pytest.raises(AssertionError, match="differs by"):
        check(every_operation.program)
    derivative.cache_clear()


def by_hand(*instructions, results, streams=()):
    """Return a program with one gate, a state h[H] and a state q[P], without a cell's checks."""
    return Program(
        gates=("a",),
        states=(("h", "H"), ("q", "P")),
        vectors=(("u", "H"),),
        matrices=(),
        output=("h",),
        instructions=tuple(instructions),
        results=results,
        streams=streams,
    )


def test_corners_give_what_is_stated():
    @cell(gates="a", state="h")
    def corners(x, R, s):
        zero = s.h - s.h
        return relu(zero) + abs(zero) + 0 * x.a + maximum(s.h, s.h + zero) + minimum(s.h, s.h + zero)

    check(corners.program)


def test_equal_instructions_that_do_not_share_a_slot_add_up_to_one_gradient():
    state, gate = Instruction("state", name="h"), Instruction("input", name="a")
    program = by_hand(
        state,
        gate,
        Instruction("recurrent", (0,), "a"),
        Instruction("tanh", (1,)),
        gate,
        Instruction("tanh", (4,)),
        state,
        Instruction("multiply", (5, 6)),
        Instruction("add", (7, 3)),
        Instruction("add", (8, 2)),
        Instruction("state", name="q"),
        results=(9, 10),
    )
    check(program)
    assert [name for name, _ in derivative(program).input_gradients] == ["a"]


def test_numbers_of_a_row_receive_the_sum_over_its_units_and_give_to_each():
    program = by_hand(
        Instruction("state", name="q"),
        Instruction("sum", (0,)),
        Instruction("tanh", (1,)),
        Instruction("state", name="h"),
        Instruction("sum", (3,)),
        Instruction("multiply", (2, 4)),
        Instruction("sin", (5,)),
        Instruction("input", name="a"),
        Instruction("multiply", (6, 7)),
        Instruction("recurrent", (8,), "a"),
        Instruction("sum", (9,)),
        Instruction("add", (10, 8)),
        Instruction("multiply", (0, 6)),
        results=(11, 12),
    )
    check(program)


def test_a_number_that_stands_beside_units_which_are_summed_receives_as_much_from_each():
    program = by_hand(
        Instruction("state", name="q"),
        Instruction("sum", (0,)),
        Instruction("input", name="a"),
        Instruction("subtract", (2, 1)),
        Instruction("sum", (3,)),
        Instruction("tanh", (4,)),
        Instruction("state", name="h"),
        Instruction("multiply", (5, 6)),
        Instruction("multiply", (5, 0)),
        results=(7, 8),
    )
    check(program)
    read = {(instruction.operation, instruction.name) for instruction in derivative(program).program.instructions}
    assert ("size", "H") in read


def test_a_gate_that_only_a_sum_reads_where_nothing_else_is_as_wide():
    program = Program(
        gates=("a",),
        states=(("q", "P"),),
        vectors=(),
        matrices=(),
        output=("q",),
        instructions=(
            Instruction("state", name="q"),
            Instruction("input", name="a"),
            Instruction("sum", (1,)),
            Instruction("multiply", (0, 2)),
            Instruction("tanh", (3,)),
        ),
        results=(4,),
    )
    check(program)


def test_what_is_multiplied_may_be_the_input_itself_a_stream_or_a_vector():
    program = by_hand(
        Instruction("raw"),
        Instruction("recurrent", (0,), "a"),
        Instruction("stream", name="given"),
        Instruction("recurrent", (2,), "a"),
        Instruction("vector", name="u"),
        Instruction("recurrent", (4,), "a"),
        Instruction("add", (1, 3)),
        Instruction("multiply", (5, 6)),
        Instruction("tanh", (7,)),
        Instruction("state", name="q"),
        results=(8, 9),
        streams=(("given", "H"),),
    )
    check(program)
    operands = [product.operand for product in derivative(program).products]
    assert operands == [Source("raw"), Source("given", "given"), Source("emitted", "e4")]


def test_a_state_that_is_never_read_passes_no_gradient_on_not_even_one_that_is_no_number():
    program = by_hand(
        Instruction("state", name="h"),
        Instruction("recurrent", (0,), "a"),
        Instruction("tanh", (1,)),
        Instruction("sum", (2,)),
        Instruction("stream", name="one"),
        Instruction("multiply", (3, 4)),
        results=(2, 5),
        streams=(("one", "P"),),
    )
    problem = random_problem(program, [3, 2])
    problem.d_final[1][1] = np.nan
    found = gradients(problem)
    assert found["state q"].tolist() == np.zeros((2, 2)).tolist()
    assert np.isfinite(found["state h"][0]).all()
    assert np.isnan(found["state h"][1]).all()


# ---- constant states


def test_dropped_states_have_the_right_gradients_and_their_masks_none():
    program = recurrent_dropout(CELLS["lstm"].program)
    check(program, constant=frozenset({"mask_0"}))


@examples(20, 100, any_program, ragged)
def test_other_gradients_are_the_same_where_a_state_is_constant(program, lengths):
    pairs = zip(program.state_names, program.results, strict=True)
    constant = {name for name, slot in pairs if program.instructions[slot] == Instruction("state", name=name)}
    check(program, lengths, constant=frozenset(constant))


def test_constant_states_cost_nothing():
    program = recurrent_dropout(CELLS["gru_v1"].program)
    masks = frozenset(name for name in program.state_names if name.startswith("mask"))
    with_masks, without = derivative(program), derivative(program, masks)
    assert len(masks) == 2
    assert [name for _, name in without.carried] == ["h"]
    extra = len(with_masks.program.instructions) - len(without.program.instructions)
    assert extra >= 3 * len(masks), "each mask's gradient is carried, multiplied and added up"


def test_streams_have_no_gradient_and_are_read_only_where_they_are_needed():
    program = zoneout(CELLS["lstm"].program, ["h", "c"])
    back = derivative(program)
    assert {name for name, source in back.streams.items() if source.kind == "given"} == {"m0", "m1"}
    check(program)


@pytest.mark.parametrize("name", ["h", "other"])
def test_a_state_that_changes_cannot_be_constant(name):
    with pytest.raises(ProgramError, match="was given as constant, but no state of that name is its own new value"):
        derivative(CELLS["elman"].program, frozenset({name}))


# ---- what is kept


def kept(name):
    """Return what the kept slots of a cell hold, as operations and the names of gates below them."""
    program = hoist(CELLS[name].program).step
    return [describe(program, slot) for slot in derivative(program).kept]


def describe(program, slot):
    operation, _, name, _ = program.instructions[slot]
    gates, open_slots = set(), [slot]
    while open_slots:
        below = program.instructions[open_slots.pop()]
        if below.operation == "input":
            gates.add(below.name)
        if below.operation not in ("recurrent", "matrix"):
            open_slots.extend(below.arguments)
    return f"{operation} {name or ' '.join(sorted(gates))}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("elman", []),
        ("elman_relu", []),
        ("lstm", ["sigmoid i", "sigmoid f", "tanh g", "sigmoid o"]),
        ("gru", ["sigmoid r", "sigmoid z", "recurrent n", "tanh n r"]),
        ("gru_v1", ["sigmoid r", "sigmoid z", "tanh n"]),
    ],
)
def test_each_product_is_kept_once_as_itself_or_as_its_one_activation(name, expected):
    assert kept(name) == expected
    assert derivative(CELLS[name].program).recorded == CELLS[name].program.state_names


def test_what_is_multiplied_is_a_recorded_state_or_computed_anew():
    of_gates = {product.name: product.operand for product in derivative(CELLS["gru_v1"].program).products}
    assert of_gates["r"] == of_gates["z"] == Source("before", "h")
    assert of_gates["n"].kind == "emitted"
    (of_cell,) = [p.operand for p in derivative(CELLS["projected_lstm"].program).products if p.kind == "matrix"]
    assert of_cell.kind == "emitted"


def test_the_new_value_of_a_recorded_state_is_read_rather_than_kept():
    back = derivative(CELLS["elman"].program)
    assert list(back.streams.values()) == [Source("new", "h"), Source("output", "h")]


def test_what_a_comparison_alone_reads_is_kept_as_it_is_compared():
    @cell(gates="a b", state="h")
    def gated(x, R, s):
        return where(R.a(s.h) < x.a, tanh(x.b), 0.5 * s.h)

    check(gated.program)
    assert [describe(gated.program, slot) for slot in derivative(gated.program).kept] == [
        "recurrent a",
        "input a",
        "tanh b",
    ]


def test_states_that_are_recorded_for_their_old_values_spare_what_made_the_new_ones():
    @cell(gates="a", state="h c e")
    def two_sums(x, s):
        c, e = s.c + x.a, s.e + x.a
        return square(c) * square(e), c, e

    check(two_sums.program)
    assert derivative(two_sums.program).kept == ()
    assert derivative(two_sums.program).recorded == ("c", "e")


def test_of_a_sum_over_a_row_the_number_is_kept_that_stands_for_it():
    assert [said.split()[0] for said in kept("layer_norm_gru")] == ["subtract", "sqrt"] * 6
    back = derivative(CELLS["layer_norm_gru"].program).program
    assert [i.operation for i in back.instructions].count("sum") == 2 * 6
    assert [width for _, width in back.streams].count("1") == 6


def test_vectors_that_are_always_added_together_share_the_sum_of_their_gradients():
    back = derivative(CELLS["layer_norm_gru"].program)
    sums = {vector: a for a, vector in back.accumulated}
    assert len(sums) == 12
    assert len(set(sums.values())) == 10
    assert sums["shift_xr"] == sums["shift_hr"] != sums["shift_xz"] == sums["shift_hz"]
    assert sums["shift_xn"] != sums["shift_hn"]


def test_equal_gradients_are_emitted_once():
    back = derivative(CELLS["lstm"].program)
    assert len(back.program.output) == 4
    assert {gradient for _, gradient in back.input_gradients} == {product.gradient for product in back.products}


# ---- the backward program


@examples(30, 150, any_program)
def test_a_backward_program_is_a_program_like_any_other(program):
    back = derivative(hoist(program).step)
    assert Program.from_data(json.loads(json.dumps(back.program.to_data()))) == back.program
    assert len(str(back.program).splitlines()) > len(back.program.instructions)
    assert set(back.streams) == {name for name, _ in back.program.streams}
    assert set(back.kept) >= {source.slot for source in back.streams.values() if source.kind == "kept"}


@examples(30, 150, any_program)
def test_nothing_is_computed_that_no_result_needs(program):
    back = derivative(program).program
    used = set(back.results) | {slot for instruction in back.instructions for slot in instruction.arguments}
    assert used == set(range(len(back.instructions)))
    assert len(set(back.instructions)) == len(back.instructions)
    read = {(instruction.operation, instruction.name) for instruction in back.instructions}
    assert all(("stream", name) in read for name, _ in back.streams)
    assert all(("matrix", matrix.name) in read for matrix in back.matrices)


def test_products_are_added_one_after_the_other_to_what_is_elementwise():
    back = derivative(CELLS["gru"].program).program
    slot, names = back.results[0], []
    while back.instructions[slot].operation == "add":
        slot, product = back.instructions[slot].arguments
        names.append(back.instructions[product].name)
    assert names[::-1] == ["R0", "R1", "R2"]
    assert back.instructions[slot].operation == "multiply"


def test_the_derivative_of_equal_programs_is_made_once():
    program = CELLS["lstm"].program
    assert derivative(program) is derivative(Program.from_data(program.to_data()))


def test_a_backward_program_larger_than_a_program_may_be_is_refused():
    chain = [Instruction("tanh", (slot,)) for slot in range(1_500)]
    program = by_hand(Instruction("state", name="h"), *chain, Instruction("state", name="q"), results=(1_500, 1_501))
    with pytest.raises(ProgramError, match="a program holds at most"):
        derivative(program)
