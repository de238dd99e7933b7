"""Hoisting: two parts that are together what the program was."""

import numpy as np
import pytest

from ostinato.cells import CELLS, cell, exp, sigmoid, softplus, tanh
from ostinato.engine.numpy import NumpyInterpreter
from ostinato.program import Instruction, Matrix, Program, hoist
from ostinato.program.declarations import SCALAR
from ostinato.program.program import MAX_INSTRUCTIONS
from ostinato.program.pruning import needed

from ..comparison import assert_close
from ..example_cells import EXAMPLES
from ..quick import examples
from .backward import SIZES, random_problem
from .programs import STREAMS, programs


@cell(gates="u", state="h", vectors="v0 level", matrices="mix[H,H]")
def parameters_everywhere(x, R, s, p, M):
    """Numbers, vectors and products that depend on parameters alone, and a vector that has a new one's name."""
    wide = exp(-softplus(p.v0)) + M.mix(tanh(p.level))
    return tanh(x.u + wide * R.u(s.h) + p.v0 * s.h + (wide + 1))


def outputs(problem, program, more=None):
    interpreter = NumpyInterpreter(program, problem.weights | (more or {}), problem.x[0])
    streams = {name: np.concatenate([step[name] for step in problem.streams]) for name, _ in program.streams}
    y, final = interpreter.sequence(np.concatenate(problem.x), problem.counts, problem.state, streams)
    return [y, *final]


def computed_vectors(problem, parameters):
    """Run the first part for one row and one step; its states are never read, so that what they hold is no matter."""
    weights = {name: value for name, value in problem.weights.items() if name.startswith(("p_", "M_"))}
    state = [np.full((1, SIZES[width]), np.nan) for _, width in parameters.states]
    _, final = NumpyInterpreter(parameters, weights, np.zeros(0)).sequence(np.zeros((1, 0)), [1], state)
    return {f"p_{name}": part[0] for name, part in zip(parameters.state_names, final, strict=True)}


def check(program):
    hoisted = hoist(program)
    problem = random_problem(program, [3, 3])
    more = computed_vectors(problem, hoisted.parameters) if hoisted.parameters else {}
    assert_close(outputs(problem, hoisted.step, more), outputs(problem, program))
    for part in filter(None, (hoisted.parameters, hoisted.step)):
        assert Program.from_data(part.to_data()) == part


@examples(30, 150, programs() | programs(STREAMS))
def test_the_parts_of_a_random_program_give_what_the_whole_gives(program):
    check(program)


@pytest.mark.parametrize("c", [*CELLS.values(), *EXAMPLES.values(), parameters_everywhere], ids=lambda c: c.name)
def test_the_parts_of_a_cell_give_what_the_whole_gives(c):
    check(c.program)


@examples(30, 150, programs() | programs(STREAMS))
def test_what_a_step_keeps_of_parameters_is_vectors_numbers_comparisons_and_recurrent_products(program):
    step = hoist(program).step
    below_recurrent = set()
    for slot in sorted(needed(step.instructions, step.results)):
        operation, arguments, _, _ = step.instructions[slot]
        if operation == "recurrent" or below_recurrent & set(arguments):
            below_recurrent.add(slot)
        elif step.placements[slot] == "parameters":
            assert operation == "vector" or step.types[slot].is_mask or step.types[slot].width == SCALAR


@examples(30, 150, programs() | programs(STREAMS))
def test_a_step_takes_the_weights_of_gates_and_matrices_as_they_are(program):
    step = hoist(program).step
    for part in ("gates", "matrices", "states", "output", "streams", "reads_raw_input"):
        assert getattr(step, part) == getattr(program, part)
    for part in ("input_gates", "recurrent_gates", "recurrent_bias_gates"):
        assert getattr(step, part) == getattr(program, part)


def test_a_program_without_such_parts_stays_itself():
    for name in ("elman", "gru", "lstm"):
        hoisted = hoist(CELLS[name].program)
        assert hoisted.parameters is None
        assert hoisted.step is CELLS[name].program


def test_the_first_part_has_one_state_for_each_new_vector_and_no_input():
    hoisted = hoist(parameters_everywhere.program)
    assert hoisted.parameters.states == hoisted.step.vectors[1:] == (("v1", "H"), ("v2", "H"))
    assert hoisted.step.vectors[0] == ("v0", "H"), "an old vector keeps its name where the step still uses it"
    assert hoisted.parameters.output == ("v1", "v2")
    assert set(hoisted.parameters.placements) == {"parameters"}
    assert hoisted.parameters.gates == ()
    assert {i.operation for i in hoisted.parameters.instructions} >= {"exp", "softplus", "matrix"}
    assert hoisted.step.placements.count("parameters") == 3


def test_numbers_stay_in_the_step():
    program = Program(
        gates=("a",),
        states=(("h", "H"),),
        vectors=(("u", "H"),),
        matrices=(),
        output=("h",),
        instructions=(
            Instruction("input", name="a"),
            Instruction("vector", name="u"),
            Instruction("sum", (1,)),
            Instruction("size", name="H"),
            Instruction("divide", (2, 3)),
            Instruction("multiply", (0, 4)),
        ),
        results=(5,),
    )
    assert hoist(program).step is program


def test_a_recurrent_product_of_parameters_stays_since_its_gate_has_one_bias():
    @cell(gates="a", state="h", vectors="start")
    def shared_gate(x, R, s, p):
        return tanh(x.a + R.a(s.h)) * sigmoid(R.a(tanh(p.start)))

    hoisted = hoist(shared_gate.program)
    assert [i.operation for i in hoisted.parameters.instructions] == ["vector", "tanh"]
    assert hoisted.step.recurrent_bias_gates == shared_gate.program.recurrent_bias_gates == ("a",)


def test_a_new_state_that_is_a_computed_vector_becomes_a_vector():
    hoisted = hoist(EXAMPLES["odd_places"].program)
    fixed = hoisted.step.results[hoisted.step.state_names.index("fixed")]
    assert hoisted.step.instructions[fixed] == Instruction("vector", name="v0")


def test_the_longest_chain_is_hoisted():
    instructions = [Instruction("vector", name="u")]
    instructions += [Instruction("tanh", (slot,)) for slot in range(MAX_INSTRUCTIONS - 1)]
    declared = {"gates": (), "states": (("h", "H"),), "vectors": (("u", "H"),), "matrices": (Matrix("m", "H", "H"),)}
    program = Program(**declared, output=("h",), instructions=tuple(instructions), results=(MAX_INSTRUCTIONS - 1,))
    assert len(hoist(program).step.instructions) == 1
