"""What `cell` takes and refuses: declarations, starts, and the function's parameters."""

import pytest

from ostinato.cells import CELLS, Cell, bias, cell, identity, tanh, uniform
from ostinato.errors import CellError, ProgramError
from ostinato.program.rewrite import zoneout


def elman_step(x, R, s):
    return tanh(x.a + R.a(s.h))


def test_declarations_stand_in_the_cell_as_written():
    @cell(gates="a", state="h[P] c", vectors="u v[P]", matrices="m[P,H]", output="c h", init={"v": uniform(0.0, 1.0)})
    def mine(x, R, s, p, M):
        """One line.

        Another.
        """
        return M.m(tanh(x.a + R.a(s.h))) * p.v, tanh(p.u * s.c)

    assert isinstance(mine, Cell)
    assert mine.name == "mine"
    assert mine.doc == "One line.\n\nAnother."
    assert mine.gates == ("a",)
    assert mine.program.states == (("h", "P"), ("c", "H"))
    assert mine.program.vectors == (("u", "H"), ("v", "P"))
    assert mine.vectors == ("u", "v")
    assert mine.matrices == (("m", "P", "H"),)
    assert mine.program.output == ("c", "h")
    assert mine.program.width_letters == ("H", "P")
    assert mine.init == (("v", (uniform(0.0, 1.0),)),)


def test_the_first_state_is_the_output_unless_told():
    assert cell(gates="a", state="h")(elman_step).program.output == ("h",)


def test_the_function_is_run_once():
    runs = []

    @cell(gates="a", state="h")
    def mine(x, R, s):
        runs.append(1)
        return elman_step(x, R, s)

    str(mine), mine.to_data(), mine.program.placements
    assert runs == [1]


@pytest.mark.parametrize(
    ("declared", "message", "hint"),
    [
        ({"state": 3}, "state= must be a string of names, not 3.", 'write state="a b".'),
        ({"gates": ["a"]}, "gates= must be a string of names, not ['a'].", 'write gates="a b".'),
        ({"state": "h["}, "'h[' in state= is not a name.", 'separate names with spaces, as in "h[P] c".'),
        ({"state": ""}, "a program needs at least one state.", None),
        ({"state": "h h"}, "a state is named twice in 'h h'.", None),
        ({"gates": "a a"}, "a gate is named twice in 'a a'.", None),
        ({"state": "h[p]"}, "'p' is no width.", "a width is a capital letter, such as H or P."),
        ({"state": "h[B]"}, "B is no width: it stands for batch, time or input.", "use P, for instance."),
        ({"state": "h[P,H]"}, "'h' in state= has one width, not 2.", "write h[P]."),
        ({"gates": "a[P]"}, "gates= takes names without widths, not a[P].", None),
        ({"matrices": "m"}, "matrix 'm' needs rows and columns.", "write m[P,H]."),
        ({"matrices": "m[P]"}, "matrix 'm' needs rows and columns.", "write m[P,H]."),
        ({"vectors": "_v"}, "'_v' is no name for a vector.", "use letters, digits and underscores"),
        ({"state": "in"}, "'in' is no name for a state.", "no keyword of Python's."),
        ({"gates": "raw"}, "a gate cannot be named 'raw': x.raw is the input itself.", "use another name."),
        ({"output": "y"}, "the output 'y' does not name states of the program.", None),
        ({"output": ""}, "the output '' does not name states of the program.", None),
        ({"output": "h[P]"}, "output= takes names without widths, not h[P].", None),
        ({"gates": " ".join(f"g{k}" for k in range(300))}, "a program has at most 200 names of a kind, not 300.", None),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(declared, message, hint):
    with pytest.raises(CellError) as error:
        cell(**({"gates": "a", "state": "h"} | declared))(elman_step)
    assert error.value.message == message
    assert (hint or "") in (error.value.hint or "")


def test_a_state_must_be_declared():
    with pytest.raises(TypeError, match="state"):
        cell(gates="a")


@pytest.mark.parametrize(
    ("init", "message", "hint"),
    [
        ({"b": bias(1.0)}, "init= names 'b', which is no gate, vector or matrix.", "known here: a, v, m."),
        ({"vv": bias(1.0)}, "init= names 'vv', which is no gate, vector or matrix.", "did you mean 'v'?"),
        ({"a": 1.0}, "init= gives gate 'a' 1.0, which cannot start a gate.", "use bias, uniform,"),
        (
            {"v": bias(1.0)},
            "init= gives vector 'v' bias(value=1.0), which cannot start a vector.",
            "use bias, uniform,",
        ),
        ({"v": identity()}, "init= gives vector 'v' identity(gain=1.0), which cannot start a vector.", "use bias,"),
        (
            {"m": bias(1.0)},
            "init= gives matrix 'm' bias(value=1.0), which cannot start a matrix.",
            "use bias, uniform,",
        ),
        ({"a": (bias(1.0), bias(2.0))}, "init= gives gate 'a' two starts for the same thing.", None),
        ({"a": (identity(), uniform(0.0, 1.0))}, "init= gives gate 'a' two starts for the same thing.", None),
    ],
)
def test_a_start_that_cannot_be_is_refused(init, message, hint):
    with pytest.raises(CellError) as error:

        @cell(gates="a", state="h", vectors="v", matrices="m[H,H]", init=init)
        def mine(x, R, s, p, M):
            return M.m(tanh(x.a + R.a(s.h))) * p.v

    assert error.value.message == message
    assert (error.value.hint or "").startswith(hint or "")


def test_a_start_for_a_recurrent_matrix_that_is_not_there_is_refused():
    with pytest.raises(CellError) as error:
        cell(gates="a b", state="h", init={"b": identity()})(lambda x, R, s: tanh(x.a + R.a(s.h)) * x.b)
    assert error.value.message.endswith("which starts a recurrent matrix, but R.b is not used.")
    assert error.value.hint == "give it bias(…), or nothing."


def test_a_start_for_a_name_of_two_things_is_refused():
    with pytest.raises(CellError) as error:
        cell(gates="a", vectors="a", state="h", init={"a": uniform(0.0, 1.0)})(
            lambda x, R, s, p: tanh(x.a + R.a(s.h)) * p.a
        )
    assert error.value.message == "init= names 'a', which is both a gate and a vector."
    assert error.value.hint == "rename one of the two."


@pytest.mark.parametrize("function", [lambda x, R, s, q: s.h, lambda x, state: state.h])
def test_an_unknown_parameter_of_the_function_is_refused(function):
    with pytest.raises(CellError) as error:
        cell(gates="a", state="h")(function)
    unknown = "q" if "q" in function.__code__.co_varnames else "state"
    assert error.value.message == f"a cell's function takes any of x, R, s, p, M, not {unknown!r}."
    assert error.value.hint == "x: input, R: recurrent products, s: states, p: vectors, M: declared matrices."


def test_a_cell_cannot_declare_streams():
    with pytest.raises(TypeError, match="streams"):
        cell(gates="a", state="h", streams="e")
    data = CELLS["elman"].to_data() | {"program": zoneout(CELLS["elman"].program, ["h"]).to_data()}
    with pytest.raises(ProgramError, match="a cell's program has no streams"):
        Cell.from_data(data)
