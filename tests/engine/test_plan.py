"""The order of work that programs are lowered to."""

import pytest

from ostinato.cells import CELLS, cell, layer_norm, sigmoid, tanh
from ostinato.engine.compiled import compiled
from ostinato.engine.plan import ARRAYS, ITEMS, OPCODES, STARTS, Recording, lower
from ostinato.program import Instruction, Program, derivative
from ostinato.program.hoist import hoist

from .problems import NOISY, PROGRAMS

SECTION, PRODUCTS, SUM, BARRIER = range(4)
NAMES = ("section", "products", "sum", "barrier")


def step_of(program):
    return hoist(program).step


def plan_of(name, recording=None):
    return lower(step_of(CELLS[name].program), recording)


def kinds(plan):
    """Return the kinds of a plan's items, barriers left out."""
    return [ITEMS[item[0]] for item in plan.items if item[0] != BARRIER]


def array(plan, number):
    """Return an array of a plan as words."""
    kind, width, index = plan.arrays[number]
    return ARRAYS[kind], plan.letters[width] if width >= 0 else "", index


def sums(plan):
    return [item for item in plan.items if item[0] == SUM]


def products(plan):
    """Return (argument, [(matrix, result, start)]) of each group of products."""
    groups = []
    for item in plan.items:
        if item[0] == PRODUCTS:
            argument, count, *jobs = item[1:]
            assert len(jobs) == 4 * count
            found = []
            for i in range(0, len(jobs), 4):
                matrix, result, start, begin = jobs[i : i + 4]
                begins = array(plan, begin) if STARTS[start] == "array" else begin
                found.append((matrix, array(plan, result), STARTS[start], begins))
            groups.append((array(plan, argument), found))
    return groups


def operations(plan):
    """Return the operations of each section, in order."""
    found = []
    for item in plan.items:
        if item[0] == SECTION:
            operands, rest = item[3], item[4:]
            code = rest[2 * operands + 1 :]
            found.append([OPCODES[code[i]] for i in range(0, len(code), 5)])
    return found


def work(plan):
    """Return what is computed in each section, copies left out, and the products: what decides bits."""
    sections = [[name for name in section if name != "copy"] for section in operations(plan)]
    started = [[(matrix, start) for matrix, _, start, _ in jobs] for _, jobs in products(plan)]
    return [section for section in sections if section], started


def test_the_names_are_those_of_the_core():
    assert ITEMS == NAMES


def test_an_lstm_is_one_group_of_four_products_that_start_from_projections_and_one_section():
    plan = plan_of("lstm")
    assert kinds(plan) == ["products", "section"]
    gates = [("projection", "H", gate) for gate in range(4)]
    assert products(plan) == [(("old", "H", 0), [(gate, gates[gate], "array", gates[gate]) for gate in range(4)])]
    (section,) = operations(plan)
    assert section.count("multiply_add") == 1
    assert "add" not in section
    assert "copy" not in section
    assert sorted(section) == sorted(["sigmoid"] * 3 + ["tanh"] * 2 + ["multiply"] * 2 + ["multiply_add"])


def test_a_gru_whose_reset_stands_after_the_product_is_one_group_too_with_a_bias_of_its_own():
    plan = plan_of("gru")
    assert kinds(plan) == ["products", "section"]
    ((_, jobs),) = products(plan)
    assert sorted(start for _, _, start, _ in jobs) == ["array", "array", "bias"]


def test_a_gru_whose_reset_stands_before_the_product_is_two_groups():
    plan = plan_of("gru_v1")
    assert kinds(plan) == ["products", "section", "products", "section"]
    assert [len(jobs) for _, jobs in products(plan)] == [2, 1]
    assert [argument[0] for argument, _ in products(plan)] == ["old", "local"]


@pytest.mark.parametrize("name", ["min_gru", "min_lstm", "lru", "rg_lru"])
def test_a_linear_recurrence_is_elementwise_and_meets_nobody(name):
    plan = plan_of(name)
    assert {item[0] for item in plan.items} == {SECTION}


def test_sums_over_a_row_have_stages_of_their_own():
    plan = plan_of("layer_norm_gru")
    assert "sum" in kinds(plan)
    for item in plan.items:
        if item[0] == SUM:
            assert array(plan, item[3]) == ("local", "", 0)


def test_what_is_multiplied_to_be_added_up_is_not_written_down():
    @cell(gates="a", state="h", vectors="scale shift")
    def normal(x, s, p):
        return s.h + layer_norm(x.a, p.scale, p.shift)

    plan = lower(step_of(normal.program))
    mean, variance = [[array(plan, number) if number >= 0 else None for number in item[1:3]] for item in sums(plan)]
    assert mean == [("projection", "H", 0), None]
    assert variance[0] == variance[1] == ("local", "H", 0)
    assert "square" not in [name for section in operations(plan) for name in section]


# ---- where new states lie


def moved(program):
    """Return the names of the states whose new value does not take the place of the old one."""
    return [program.state_names[index] for kind, _, index in lower(step_of(program)).arrays if ARRAYS[kind] == "new"]


def test_a_state_that_only_its_own_new_value_reads_stays_where_it_is():
    assert moved(CELLS["min_lstm"].program) == []
    assert moved(CELLS["lstm"].program) == ["h"]  # which products read


def test_a_state_that_is_read_after_its_new_value_is_there_keeps_a_place_of_its_own():
    @cell(gates="a", state="h q")
    def later(x, s):
        q = 0.5 * s.q + x.a
        return tanh(q) * s.q + s.h, q

    assert moved(later.program) == ["q"]


def test_states_that_change_places_keep_places_of_their_own():
    @cell(gates="a", state="h q")
    def swapped(x, s):
        return s.q, s.h + x.a

    assert moved(swapped.program) == ["h", "q"]


def test_a_state_that_two_instructions_read_is_one_state():
    old = Instruction("state", name="h")
    states = (("h", "H"), ("q", "H"))
    code = (old, old, Instruction("tanh", (0,)), Instruction("multiply", (2, 1)))
    program = Program((), states, (), (), ("h",), code, (2, 3))
    assert "h" in moved(program)


def test_what_is_recorded_is_written_there_at_once_unless_a_product_reads_it():
    program = step_of(CELLS["layer_norm_gru"].program)
    slots = {slot: (number,) for number, slot in enumerate(derivative(program).kept)}
    plan = lower(program, Recording(slots=slots))
    assert "copy" not in [name for section in operations(plan) for name in section]
    assert sorted(index for kind, _, index in plan.arrays if ARRAYS[kind] == "panel") == list(range(12))


def test_a_projection_is_a_product_that_goes_to_the_new_state():
    plan = plan_of("projected_lstm")
    last = products(plan)[-1]
    assert last[0] == ("local", "H", 0)
    assert [start for _, _, start, _ in last[1]] == ["zero"]


def test_the_three_ways_to_fuse_a_multiplication():
    @cell(gates="a", state="h q r")
    def fused(x, s):
        return x.a + s.q * s.r, s.h * s.r - x.a, x.a - s.h * s.q

    assert operations(lower(step_of(fused.program))) == [["multiply_add", "multiply_subtract", "subtract_multiply"]]


def test_a_multiplication_that_something_else_reads_is_not_fused():
    @cell(gates="a", state="h q")
    def shared(x, s):
        product = s.h * s.q
        return x.a + product, tanh(product)

    assert sorted(operations(lower(step_of(shared.program)))[0]) == ["add", "multiply", "tanh"]


def test_a_product_that_something_else_reads_starts_from_nothing():
    @cell(gates="a", state="h")
    def shared(x, R, s):
        product = R.a(s.h)
        return tanh(x.a + product) * sigmoid(product)

    plan = lower(step_of(shared.program))
    ((_, ((_, result, start, _),)),) = products(plan)
    assert result[0] == "local"
    assert start in ("zero", "bias")
    assert "add" in operations(plan)[0]


def test_nothing_that_no_result_needs_is_computed():
    @cell(gates="a", state="h")
    def wasteful(x, R, s):
        _ = tanh(R.a(x.a * s.h))
        return x.a + s.h + R.a(s.h)

    plan = lower(step_of(wasteful.program))
    assert [len(jobs) for _, jobs in products(plan)] == [1]
    assert all("tanh" not in section for section in operations(plan))


@pytest.mark.parametrize("name", PROGRAMS | NOISY)
def test_what_is_recorded_does_not_change_what_is_computed(name):
    step = step_of((PROGRAMS | NOISY)[name])
    made = compiled(step)
    slots = {made.slot_of(source): (number,) for number, source in enumerate(made.kept)}
    plain, recording = lower(step), lower(step, Recording(slots=slots))
    assert work(recording) == work(plain)
    assert recording.constants == plain.constants
    written = {array(recording, number) for number in range(len(recording.arrays))}
    assert {index for kind, _, index in written if kind == "panel"} == {n for (n,) in slots.values()}
