"""Programs as values: data and back, printed, and refused when damaged."""

import copy
import functools
import json
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import strategies as st

from ostinato.cells import CELLS, cell, sigmoid, tanh
from ostinato.errors import ProgramError, ShapeError
from ostinato.program import Instruction, Matrix, Program
from ostinato.program.program import MAX_INSTRUCTIONS

from ..example_cells import EXAMPLES
from ..quick import examples
from .programs import STREAMS, programs

DEEP = functools.reduce(lambda inner, _: [inner], range(100_000), [])


def leaves(data):
    return [leaf for item in data for leaf in leaves(item)] if isinstance(data, list) else [data]


# ---- data and back


@examples(30, 150, programs() | programs(STREAMS))
def test_data_and_back_gives_an_equal_program(program):
    data = program.to_data()
    again = Program.from_data(json.loads(json.dumps(data)))
    assert again == program
    assert hash(again) == hash(program)
    assert again.types == program.types
    assert again.to_data() == data
    assert {type(leaf) for leaf in leaves(data)} <= {str, int, float}
    assert len(data) == (8 if program.streams else 7)


@examples(30, 150, programs())
def test_copies_are_equal(program):
    assert len(program.placements) == len(program.users), "what is computed once is copied as well"
    assert copy.deepcopy(program) == copy.copy(program) == pickle.loads(pickle.dumps(program)) == program


@examples(30, 150, programs() | programs(STREAMS))
def test_the_printed_form_has_one_line_for_each_declaration_instruction_and_state(program):
    lines = str(program).splitlines()
    declared = 6 if program.streams else 5
    assert len(lines) == declared + len(program.instructions) + 2
    for slot, line in enumerate(lines[declared:-2]):
        assert line.split()[:2] == [f"v{slot}", "="]
        assert line.endswith(f"[{program.types[slot].width}]")
    assert [line.split() for line in lines[-2:]] == [
        [name, "←", f"v{slot}"] for name, slot in zip(program.state_names, program.results, strict=True)
    ]


def test_sizes_sums_and_streams_are_printed():
    data = with_instructions(["size", "H"], ["sum", 1], ["divide", 3, 2], ["stream", "e"], ["add", 4, 5])
    lines = str(Program.from_data([*data, [["e", "H"]]])).splitlines()
    assert lines[3] == "streams  e[H]"
    assert [line.split() for line in lines[6:11]] == [
        ["v2", "=", "size(H)", "[1]"],
        ["v3", "=", "sum(v1)", "[1]"],
        ["v4", "=", "v3", "/", "v2", "[1]"],
        ["v5", "=", "stream.e", "[H]"],
        ["v6", "=", "v4", "+", "v5", "[H]"],
    ]


def test_equal_programs_print_equally_and_different_ones_differ():
    every = [c.program for c in (CELLS | EXAMPLES).values()]
    assert len(set(every)) == len({str(program) for program in every}) == len(every)


@pytest.mark.parametrize("part", ["instructions", "gates", "types", "results"])
def test_a_program_cannot_be_changed(part):
    with pytest.raises(FrozenInstanceError):
        setattr(CELLS["lstm"].program, part, ())


# ---- damaged data


def with_part(index, value):
    """Return the data of an Elman network with one part replaced."""
    data = CELLS["elman"].program.to_data()
    data[index] = value
    return data


def with_instructions(*instructions, results=None):
    data = with_part(5, [["input", "h"], ["state", "h"], *instructions])
    data[6] = [len(data[5]) - 1] if results is None else results
    return data


DAMAGED = {
    "nothing": (None, "expected a list, not None"),
    "object": ({}, "expected a list, not {}"),
    "text": ("program", "expected a list, not 'program'"),
    "empty": ([], "not a program's data"),
    "no streams, but a part for them": ([*CELLS["elman"].program.to_data(), []], "not a program's data"),
    "one part too many": ([*CELLS["elman"].program.to_data(), [["e", "H"]], []], "not a program's data"),
    "streams as text": ([*CELLS["elman"].program.to_data(), "e"], "expected a list, not 'e'"),
    "streams as a number": ([*CELLS["elman"].program.to_data(), 3], "expected a list, not 3"),
    "streams as nothing": ([*CELLS["elman"].program.to_data(), None], "expected a list, not None"),
    "stream without width": ([*CELLS["elman"].program.to_data(), [["e"]]], "not a program's data"),
    "stream twice": ([*CELLS["elman"].program.to_data(), [["e", "H"], ["e", "H"]]], "a stream is named twice"),
    "stream of no width": ([*CELLS["elman"].program.to_data(), [["e", "T"]]], "T is no width: it stands for batch"),
    "unknown stream": (with_instructions(["stream", "z"]), "stream 'z' is not declared; declared: none"),
    "unknown size": (with_instructions(["size", "P"]), "width 'P' is not declared; declared: H"),
    "size without width": (with_instructions(["size"]), "width '' is not declared"),
    "size of a slot": (with_instructions(["size", "H", 0]), "'size' takes 0 values, not 1"),
    "size as a state": (with_instructions(["size", "H"]), "must be H wide, but what came is a number"),
    "sum as a state": (with_instructions(["sum", 0]), "must be H wide, but what came is a number"),
    "sum of a number": (with_instructions(["size", "H"], ["sum", 2]), "'sum' needs a vector, not a number"),
    "sum of a sum": (with_instructions(["sum", 0], ["sum", 2]), "'sum' needs a vector, not a number"),
    "sum of a comparison": (with_instructions(["less", 0, 1], ["sum", 2]), "'sum' needs a vector, not a comparison"),
    "sum of two": (with_instructions(["sum", 0, 1]), "'sum' takes 1 values, not 2"),
    "sum by name": (with_instructions(["sum", "h"]), "expected the number of a slot, not 'h'"),
    "product of a sum": (with_instructions(["sum", 1], ["recurrent", "h", 2]), "needs a vector, not a number"),
    "size of what nothing has": (
        [[], [["q", "P"]], [], [], ["q"], [["state", "q"], ["size", "H"], ["multiply", 0, 1]], [2]],
        "size(H) is used, but nothing in this program is H wide",
    ),
    "forward reference": (
        with_instructions(["tanh", 3], ["tanh", 2]),
        "instruction 2 uses slot 3, which is not defined",
    ),
    "itself": (with_instructions(["tanh", 2]), "instruction 2 uses slot 2, which is not defined before it"),
    "negative slot": (with_instructions(["tanh", -1]), "instruction 2 uses slot -1"),
    "slot beyond": (with_instructions(["tanh", 99]), "instruction 2 uses slot 99"),
    "huge slot": (with_instructions(["tanh", 10**400]), "instruction 2 uses slot 1000"),
    "bool slot": (with_instructions(["tanh", True]), "expected the number of a slot, not True"),
    "float slot": (with_instructions(["tanh", 0.0]), "expected the number of a slot, not 0.0"),
    "text slot": (with_instructions(["tanh", "0"]), "expected the number of a slot, not '0'"),
    "deep slot": (with_instructions(["tanh", DEEP]), "expected the number of a slot, not [[[[[["),
    "unknown operation": (
        with_instructions(["import", 0]),
        "operation 'import' is not declared; declared: add subtract",
    ),
    "operation by number": (with_instructions([7, 0]), "expected a name, not 7"),
    "operation by list": (with_instructions([["tanh"], 0]), "expected a name, not ['tanh']"),
    "empty instruction": (with_instructions([]), "not a program's data"),
    "instruction as text": (with_instructions("tanh"), "expected a list, not 'tanh'"),
    "too few arguments": (with_instructions(["add", 0]), "'add' takes 2 values, not 1"),
    "too many arguments": (with_instructions(["tanh", 0, 1]), "'tanh' takes 1 values, not 2"),
    "argument of a source": (with_instructions(["state", "h", 0]), "'state' takes 0 values, not 1"),
    "name of raw": (with_instructions(["raw", "h"]), "expected the number of a slot, not 'h'"),
    "no name": (with_instructions(["recurrent"]), "'recurrent' takes 1 values, not 0"),
    "unknown gate": (with_instructions(["input", "z"]), "gate 'z' is not declared; declared: h"),
    "unknown state": (with_instructions(["state", "z"]), "state 'z' is not declared; declared: h"),
    "unknown vector": (with_instructions(["vector", "z"]), "vector 'z' is not declared; declared: none"),
    "unknown matrix": (with_instructions(["matrix", "z", 0]), "matrix 'z' is not declared; declared: none"),
    "unknown product": (with_instructions(["recurrent", "z", 0]), "gate 'z' is not declared; declared: h"),
    "nan": (with_instructions(["constant", float("nan")]), "a constant must be finite, not nan"),
    "infinity": (with_instructions(["constant", float("-inf")]), "a constant must be finite, not -inf"),
    "huge constant": (with_instructions(["constant", 10**400]), "int too large to convert to float"),
    "bool constant": (with_instructions(["constant", True]), "a constant must be a number, not True"),
    "deep constant": (with_instructions(["constant", DEEP]), "a constant must be a number, not [[[[[["),
    "two constants": (with_instructions(["constant", 1.0, 2.0]), "not a program's data"),
    "comparison as a number": (with_instructions(["less", 0, 1], ["tanh", 2]), "'tanh' was given a comparison"),
    "comparison as a state": (
        with_instructions(["less", 0, 1]),
        "the new state 'h' must be H wide, but what came is a comp",
    ),
    "number as a state": (
        with_instructions(["constant", 1.0]),
        "the new state 'h' must be H wide, but what came is a number",
    ),
    "where of numbers": (with_instructions(["where", 0, 1, 1]), "'where' was given H wide, H wide, H wide"),
    "product of a number": (with_instructions(["constant", 1], ["recurrent", "h", 2]), "needs a vector, not a number"),
    "no result": (with_instructions(results=[]), "1 states need as many results, not 0"),
    "two results": (with_instructions(results=[0, 1]), "1 states need as many results, not 2"),
    "result beyond": (with_instructions(results=[2]), "the new state 'h' is slot 2, which no instruction defines"),
    "negative result": (with_instructions(results=[-1]), "the new state 'h' is slot -1"),
    "float result": (with_instructions(results=[1.0]), "expected the number of a slot, not 1.0"),
    "gates as text": (with_part(0, "h"), "expected a list, not 'h'"),
    "gate by number": (with_part(0, [1]), "expected a name, not 1"),
    "deep gate": (with_part(0, [DEEP]), "expected a name, not [[[[[["),
    "gate with a space": (with_part(0, ["h h"]), "'h h' is no name for a gate"),
    "gate with a line end": (with_part(0, ["h\n"]), "is no name for a gate"),
    "gate twice": (with_part(0, ["h", "h"]), "a gate is named twice"),
    "gate of the input's name": (with_part(0, ["h", "raw"]), "a gate cannot be named 'raw'"),
    "too many gates": (with_part(0, [f"g{k}" for k in range(100_000)]), "at most 200 names of a kind, not 100,000"),
    "long name": (with_part(0, ["h" * 65]), "is no name for a gate"),
    "state by keyword": (with_part(1, [["def", "H"]]), "'def' is no name for a state"),
    "state without width": (with_part(1, [["h"]]), "not a program's data"),
    "state of another width": (with_part(1, [["h", "P"]]), "the new state 'h' must be P wide, but what came is H wide"),
    "width in small letters": (with_part(1, [["h", "h"]]), "'h' is no width"),
    "width of a number": (with_part(1, [["h", "1"]]), "'1' is no width"),
    "no states": (with_part(1, []), "a program needs at least one state"),
    "vector without width": (with_part(2, [["v"]]), "not a program's data"),
    "matrix without columns": (with_part(3, [["m", "H"]]), "not a program's data"),
    "no output": (with_part(4, []), "the output '' does not name states"),
    "unknown output": (with_part(4, ["y"]), "the output 'y' does not name states"),
    "output twice": (with_part(4, ["h", "h"]), "a state of the output is named twice"),
    "deep": (DEEP, "not a program's data"),
    "deep part": (with_part(1, DEEP), "expected a name, not [[[[[["),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_data_is_refused_with_what_is_wrong(case):
    data, message = DAMAGED[case]
    with pytest.raises(ProgramError) as error:
        Program.from_data(data)
    assert message in error.value.message


@pytest.mark.parametrize(
    ("instructions", "message"),
    [
        ([("add", (0, 1))], "'add' needs values of one width, not H and P"),
        ([("matrix", (1,), "m")], "matrix 'm' takes a vector of width H, not P"),
        (
            [("recurrent", (0,), "a"), ("recurrent", (1,), "a")],
            "recurrent matrices take values of one width, not H and P",
        ),
    ],
)
def test_widths_that_do_not_fit_are_refused(instructions, message):
    with pytest.raises(ProgramError) as error:
        Program(
            gates=("a",),
            states=(("h", "H"), ("q", "P")),
            vectors=(),
            matrices=(Matrix("m", "P", "H"),),
            output=("h",),
            instructions=tuple(Instruction(*i) for i in [("state", (), "h"), ("state", (), "q"), *instructions]),
            results=(0, 1),
        )
    assert message in error.value.message


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["tanh", "h", "H"]),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=30,
)


def survives(data):
    """Data is refused as a program, or is one that can be asked everything."""
    try:
        program = Program.from_data(data)
    except ProgramError:
        pass
    else:
        assert Program.from_data(program.to_data()) == program
        assert str(program)
        assert len(program.placements) == len(program.users) == len(program.instructions)
        widths = dict.fromkeys(program.width_letters, 3)
        assert all(size > 0 for shape in program.weight_shapes(3, widths).values() for size in shape)


@examples(30, 150, GARBAGE)
def test_garbage_is_refused(data):
    survives(data)


@examples(30, 150, st.lists(GARBAGE, min_size=7, max_size=7))
def test_seven_parts_of_garbage_are_refused(data):
    survives(data)


@examples(100, 500, programs() | programs(STREAMS), st.data())
def test_a_program_with_one_part_exchanged_is_refused_or_sound(program, data):
    """Walk to some place of the data, and replace, remove or repeat what is there."""
    mutated = program.to_data()
    place = mutated
    while True:
        index = data.draw(st.integers(0, len(place) - 1))
        if not isinstance(place[index], list) or not place[index] or data.draw(st.booleans()):
            break
        place = place[index]
    change = data.draw(st.sampled_from(["replace", "remove", "repeat", "slot", "name"]))
    if change == "remove":
        del place[index]
    elif change == "repeat":
        place.insert(index, copy.deepcopy(place[index]))
    else:
        by_kind = {"replace": GARBAGE, "slot": st.integers(-2, 60), "name": st.sampled_from(leaves(program.to_data()))}
        place[index] = data.draw(by_kind[change])
    survives(mutated)


# ---- size


@pytest.mark.parametrize("extra", [0, 1])
def test_a_program_holds_two_thousand_instructions_and_no_more(extra):
    data = with_instructions(*[["tanh", 1]] * (MAX_INSTRUCTIONS - 2 + extra))
    if extra:
        with pytest.raises(ProgramError, match="at most 2,000 instructions, not 2,001"):
            Program.from_data(data)
    else:
        survives(data)
        assert len(Program.from_data(data).instructions) == MAX_INSTRUCTIONS


def doubled(start):
    """Return a slot added to itself nearly two thousand times over, then added to a recurrent product."""
    sums = [["add", start, start], *(["add", slot, slot] for slot in range(2, 1_990))]
    return with_instructions(*sums, ["recurrent", "h", 1], ["add", 1_990, 1_991])


def chain(length, link):
    """Return ["recurrent", "h", 1] at slot 2, then `length` instructions, each made from the slot before it."""
    return with_instructions(["recurrent", "h", 1], *(link(slot) for slot in range(2, 2 + length)))


PRODUCTS = [["recurrent", "h", 1]] * 990
CHAINS = {
    "sum with the input": (chain(1_990, lambda slot: ["add", slot, 0]), ()),
    "sum without the input": (chain(1_990, lambda slot: ["add", slot, 1]), ("h",)),
    "product doubled": (chain(1_990, lambda slot: ["add", slot, slot]), ("h",)),
    "product squared": (chain(1_990, lambda slot: ["multiply", slot, slot]), ("h",)),
    "input doubled": (doubled(0), ()),
    "state doubled": (doubled(1), ("h",)),
    "tangle": (chain(1_990, lambda slot: ["add", slot, slot // 2]), ("h",)),
    "sum of many products": (with_instructions(*PRODUCTS, *(["add", k, k + 989] for k in range(2, 992))), ("h",)),
}


@pytest.mark.parametrize("case", CHAINS)
def test_long_chains_are_understood(case):
    data, gates = CHAINS[case]
    survives(data)
    assert Program.from_data(data).recurrent_bias_gates == gates


# ---- what a program says of its weights and of the order of work


@pytest.mark.parametrize(
    ("name", "gates"),
    [
        ("elman", ()),
        ("lstm", ()),
        ("gru", ("n",)),
        ("gru_v1", ()),
        ("peephole", ()),
        ("projected_lstm", ()),
        ("rotation", ()),
        ("leaky", ("z",)),
    ],
)
def test_a_recurrent_product_has_a_bias_where_it_is_not_only_added_to_the_input(name, gates):
    assert (CELLS | EXAMPLES)[name].program.recurrent_bias_gates == gates


@pytest.mark.parametrize(
    ("equation", "gates"),
    [
        (lambda x, R, s: x.a + R.a(s.h) + x.b + R.b(s.h), ()),
        (lambda x, R, s: 1 + s.h + (R.a(s.h) + (x.b + (x.a + 2))) + R.b(s.h), ()),
        (lambda x, R, s: tanh(x.a + R.b(s.h)) + tanh(x.b + R.a(s.h)), ("a", "b")),
        (lambda x, R, s: tanh(x.a + R.a(s.h)) + R.b(s.h), ("b",)),
        (lambda x, R, s: tanh(x.a - R.a(s.h)) + x.b + R.b(s.h), ("a",)),
        (lambda x, R, s: tanh(x.a + R.a(s.h)) + R.a(s.h) * x.b, ("a",)),
        (lambda x, R, s: tanh(x.a + R.a(s.h)) + tanh(x.a + R.a(x.b)), ()),
        (lambda x, R, s: tanh(x.a + R.a(s.h)) + x.b * R.a(x.b), ("a",)),
        (lambda x, R, s: (x.a + R.a(s.h)) * (x.a + R.a(s.h)) + x.b, ()),
        (lambda x, R, s: x.a + x.b + (R.a(s.h) + R.a(s.h)), ("a",)),
    ],
)
def test_recurrent_biases_by_example(equation, gates):
    program = cell(gates="a b", state="h")(lambda x, R, s: sigmoid(equation(x, R, s)) * s.h).program
    assert program.recurrent_bias_gates == gates


def test_weights_are_named_and_shaped_as_the_program_uses_them():
    shapes = CELLS["projected_lstm"].program.weight_shapes(3, {"H": 5, "P": 2})
    assert shapes == {"W": (20, 3), "W_bias": (20,), "R": (20, 2), "M_project": (2, 5)}
    assert CELLS["gru"].program.weight_shapes(3, {"H": 5}) == {
        "W": (15, 3),
        "W_bias": (15,),
        "R": (15, 5),
        "R_bias": (5,),
    }
    assert EXAMPLES["rotation"].program.weight_shapes(3, {"H": 5}, bias=False) == {
        "W": (5, 3),
        "p_angle": (5,),
        "p_decay": (5,),
    }


def test_heads_make_the_recurrent_matrices_narrow():
    whole = CELLS["projected_lstm"].program.weight_shapes(3, {"H": 6, "P": 4})
    assert CELLS["projected_lstm"].program.weight_shapes(3, {"H": 6, "P": 4}, heads=2) == whole | {"R": (24, 2)}
    assert EXAMPLES["rotation"].program.weight_shapes(3, {"H": 5}, heads=2)["W"] == (5, 3), "nothing to divide"


@pytest.mark.parametrize(
    ("widths", "said"), [({"H": 6, "P": 4}, "H that divides by 4, not 6"), ({"H": 8, "P": 6}, "P")]
)
def test_heads_that_do_not_divide_a_width_are_refused(widths, said):
    with pytest.raises(ShapeError, match="4 heads need a width " + said):
        CELLS["projected_lstm"].program.weight_shapes(3, widths, heads=4)


@examples(30, 150, programs() | programs(STREAMS))
def test_widths_are_read_off_the_arrays(program):
    widths = {"H": 5, "P": 2}
    weights = {name: np.empty(shape) for name, shape in program.weight_shapes(5, widths).items()}
    state = [np.empty((1, widths[width])) for _, width in program.states]
    streams = {name: np.empty((4, 1, widths[width])) for name, width in program.streams}
    assert program.measured_widths(weights, state, streams, np.empty((4, 1, 5))) == widths


def test_raw_input_must_be_as_wide_as_the_units():
    with pytest.raises(ShapeError) as error:
        EXAMPLES["leaky"].program.weight_shapes(3, {"H": 5})
    assert error.value.message == "this cell uses x.raw, the input itself, so D must equal H=5; got D=3."
    assert error.value.hint == "use x.<gate> for an input of another width."


def test_instructions_are_placed_by_what_they_depend_on():
    program = EXAMPLES["rotation"].program
    by_text = dict(zip(str(program).splitlines()[4:-2], program.placements, strict=True))
    placed = {line.split("=")[1].split("[")[0].strip(): placement for line, placement in by_text.items()}
    assert placed["p.decay"] == placed["softplus(v0)"] == placed["exp(v2)"] == placed["cos(v4)"] == "parameters"
    assert placed["x.u"] == "input"
    assert placed["s.re"] == placed["v5 * v6"] == "state"


def test_new_states_may_depend_on_the_input_or_on_parameters_alone():
    program = EXAMPLES["odd_places"].program
    assert [program.placements[slot] for slot in program.results] == ["state", "input", "parameters"]


@examples(30, 150, programs() | programs(STREAMS))
def test_placement_is_the_last_of_what_is_used(program):
    order = ["parameters", "input", "state"]
    own = {"state": "state", "input": "input", "raw": "input", "stream": "input"}
    for instruction, placement in zip(program.instructions, program.placements, strict=True):
        below = [program.placements[slot] for slot in instruction.arguments]
        assert placement == max([own.get(instruction.operation, "parameters"), *below], key=order.index)


@examples(30, 150, programs())
def test_users_are_the_reverse_of_arguments(program):
    pairs = [(slot, user) for user, i in enumerate(program.instructions) for slot in i.arguments]
    assert sorted(pairs) == sorted((slot, user) for slot, users in enumerate(program.users) for user in users)
