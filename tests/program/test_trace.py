"""Tracing: what each way of writing an equation becomes, and every refusal, with what to write instead."""

import math

import numpy as np
import pytest
import torch

from ostinato import cells
from ostinato.cells import CELLS, cell, maximum, sigmoid, tanh, where
from ostinato.errors import CellError
from ostinato.program import Instruction
from ostinato.program.operations import ELEMENTWISE
from ostinato.program.trace import FUNCTIONS

DECLARED = {"gates": "a b", "state": "h[P] c", "vectors": "v w[P]", "matrices": "m[P,H] n[H,P]"}


def define(equation):
    """Define a cell with all that `DECLARED` names, and an equation of the tested kind in it."""

    @cell(**DECLARED)
    def mine(x, R, s, p, M):
        value = equation(x, R, s, p, M)
        c = tanh(x.a + R.a(s.h)) + sigmoid(x.b + R.b(s.h)) * s.c * p.v + M.n(s.h)
        return M.m(c) * p.w, (c if value is None else c + value)

    return mine.program


def error_of(equation):
    with pytest.raises(CellError) as error:
        define(equation)
    return error.value


REFUSED = [
    ("s.c if s.c > 0 else x.a", "no truth value", "write where(condition, a, b)."),
    ("where((s.c > 0) and (x.a > 0), s.c, x.a)", "no truth value", "write where("),
    ("where(not s.c, s.c, x.a)", "no truth value", "write where("),
    ("where(0 < s.c < 1, s.c, x.a)", "chained comparisons", "write where("),
    ("max(s.c, x.a)", "no truth value", "write where("),
    ("s.c in (x.a,)", "no truth value", "write where("),
    ("s.c**2", "** is not an operation of a cell", "write square(v), sqrt(v)"),
    ("2**s.c", "** is not an operation of a cell", "exp(a * log(v))"),
    ("s.c @ x.a", "@ is not an operation of a cell", "write R.<gate>(v), or declare matrices="),
    ("s.c % 2", "% or // is not an operation", "allowed: + - * /, where, sigmoid"),
    ("2 // s.c", "% or // is not an operation", "allowed: + - * /"),
    ("where((s.c > 0) & (x.a > 0), s.c, x.a)", "&, | and ^ are not operations", "nest where"),
    ("where(~(s.c > 0), s.c, x.a)", "~ is not an operation", "exchange the two branches"),
    ("s.c[0]", "cannot be indexed", "declare a gate or a vector for each part"),
    ("s.c[1:]", "cannot be indexed", "declare a gate or a vector for each part"),
    ("[*s.c][0]", "cannot be indexed or unpacked", "declare a gate or a vector"),
    ("s.c * len(s.c)", "has no length", ""),
    ("float(s.c)", "float() cannot take it", "use the functions of ostinato.cells"),
    ("range(s.c)", "float() cannot take it", "use the functions of ostinato.cells"),
    ("math.tanh(s.c)", "math.* and float() cannot take it", "such as tanh or exp"),
    ("math.fabs(s.c)", "math.* and float() cannot take it", "such as tanh or exp"),
    ("np.tanh(s.c)", "numpy's tanh cannot take", "write tanh(v), imported from ostinato"),
    ("np.abs(s.c)", "numpy's absolute cannot take", "write abs(v)."),
    ("np.arctan(s.c)", "numpy's arctan cannot take", "allowed: + - * /"),
    ("np.where(s.c > 0, s.c, 0)", "numpy's where cannot take", "write where(condition, a, b), imported from"),
    ("np.sum(s.c)", "numpy's sum cannot take", "allowed: + - * /"),
    ("np.asarray(s.c)", "numpy's array cannot take", "allowed: + - * /"),
    ("np.float32(2) * s.c", "numpy's multiply cannot", "write the operator"),
    ("s.c * np.float32(2)", "multiply takes values of this step and numbers", "float(a) for those of a library"),
    ("torch.tanh(s.c)", "torch's tanh cannot take", "write tanh(v), imported from ostinato"),
    ("torch.nn.functional.relu(s.c)", "torch's relu cannot", "write relu(v), imported"),
    ("torch.maximum(s.c, x.a)", "torch's maximum cannot", "write maximum(a, b), imported"),
    ("torch.clamp(s.c, 0.0)", "torch's clamp cannot", "write maximum(a, b), imported"),
    ("torch.erf(s.c)", "torch's erf cannot take", "allowed: + - * /"),
    ("torch.tensor(2.0) * s.c", "torch's mul cannot take", "write the operator"),
    ("s.c.sigmoid()", "has no attribute 'sigmoid'", "write sigmoid(v)."),
    ("s.c.add(1)", "has no attribute 'add'", "allowed: + - * /"),
    ("s.c.T", "has no attribute 'T'", "allowed: + - * /"),
    ("x.z", "x.z is used, but no gate 'z' is declared; declared: a b.", 'gates="… z".'),
    ("R.z(s.h)", "R.z is used, but no gate 'z' is declared", 'gates="… z".'),
    ("s.z", "s.z is used, but no state 'z' is declared; declared: h c.", 'state="… z".'),
    ("p.z", "p.z is used, but no vector 'z' is declared; declared: v w.", 'vectors="… z".'),
    ("M.z(s.c)", "M.z is used, but no matrix 'z' is declared; declared: m n.", 'matrices="'),
    ("s.h + s.c", "'add' needs values of one width, not H and P", "a declared matrix takes a value from one"),
    ("M.m(s.h)", "matrix 'm' takes a vector of width H, not P", ""),
    ("R.a(s.c)", "recurrent matrices take values of one width, not H and P", 'matrices="name[H,P]", used'),
    ("R.a(1.0)", "the product 'a' needs a vector, not a number", ""),
    ("R.a(s.h > 0)", "the product 'a' needs a vector, not a comparison", ""),
    ("(s.c > 0) * s.c", "'multiply' was given a comparison, H wide", "where"),
    ("where(s.c, s.c, x.a)", "'where' was given H wide", "where needs one"),
    ("x.a + R.a", "add takes values of this step and numbers, not function", "R.<gate>(v)"),
    ("R(s.h)", "raised TypeError: '_Products' object is not callable", "use only x"),
    ("s.c + True", "add takes values of this step and numbers, not bool True", "numbers of Python's own"),
    ('s.c + "a"', "add takes values of this step and numbers, not str 'a'", "numbers of Python's own"),
    ("tanh(0.5)", "tanh was given float, no value of a step", "for numbers use math"),
    ("s.c * math.nan", "a constant must be finite, not nan", ""),
    ("s.c * math.inf", "a constant must be finite, not inf", ""),
    ("s.c * 10**400", "raised OverflowError", "use only x, R, s, p, M, numbers"),
    ('{}["k"]', "the function of cell 'mine' raised KeyError: 'k'", "use only x"),
    ("{s.c: 1}", "raised TypeError: unhashable type: 'Value'", "use only x"),
]


@pytest.mark.parametrize(("equation", "message", "hint"), REFUSED, ids=[equation for equation, _, _ in REFUSED])
def test_what_the_language_does_not_have_is_refused_with_what_to_write(equation, message, hint):
    names = vars(cells) | {"math": math, "np": np, "torch": torch}
    error = error_of(lambda x, R, s, p, M: eval(equation, names | {"x": x, "R": R, "s": s, "p": p, "M": M}))
    assert message in error.message
    assert hint in (error.hint or "")
    assert bool(hint) == bool(error.hint)


def test_another_cells_value_is_refused():
    taken = []
    define(lambda x, R, s, p, M: taken.append(s.c))
    error = error_of(lambda x, R, s, p, M: s.c + taken[0])
    assert error.message == "add uses a value of another cell's trace."
    assert error.hint == "use only what this function was given: x, R, s, p, M."


@pytest.mark.parametrize(
    ("returned", "message", "hint"),
    [
        (lambda h, c: None, "the function must return 2 new states (h c), but returned nothing.", "return h, c"),
        (
            lambda h, c: h,
            "the function must return 2 new states (h c), but returned 1 values.",
            "end it with: return h, c",
        ),
        (lambda h, c: (h, c, c), "the function must return 2 new states (h c), but returned 3 values.", "return h, c"),
        (lambda h, c: (c, h), "the new state 'h' must be P wide, but what was returned is H wide.", ""),
        (lambda h, c: (h, 0.0), "the new state 'c' must be H wide, but what was returned is a number.", ""),
        (lambda h, c: (h, c > 0), "the new state 'c' must be H wide, but what was returned is a comparison.", ""),
        (lambda h, c: (h, "c"), "the new state 'c' takes values of this step and numbers, not str 'c'.", "write x."),
    ],
)
def test_the_new_states_must_be_returned(returned, message, hint):
    with pytest.raises(CellError) as error:
        cell(gates="a", state="h[P] c", matrices="m[P,H]")(
            lambda x, R, s, M: returned(M.m(tanh(x.a + R.a(s.h))), x.a * s.c)
        )
    assert error.value.message == message
    assert hint in (error.value.hint or "")


@pytest.mark.parametrize(
    ("declared", "message", "hint"),
    [
        ({"gates": "a b"}, "gate 'b' is declared, but no new state", "use x.b or R.b(v), or take 'b' out of gates=."),
        ({"state": "h c"}, "state 'c' is declared, but no new state", "read it as s.c, or take 'c' out of state=."),
        ({"vectors": "v"}, "vector 'v' is declared, but no new state", "use p.v, or take it out of vectors=."),
        (
            {"matrices": "m[H,H]"},
            "matrix 'm' is declared, but no new state",
            "use M.m(v), or take it out of matrices=.",
        ),
    ],
)
def test_what_is_declared_must_be_used(declared, message, hint):
    with pytest.raises(CellError) as error:

        @cell(**({"gates": "a", "state": "h"} | declared))
        def mine(x, R, s):
            h = tanh(x.a + R.a(s.h))
            return (h, h) if "state" in declared else h

    assert error.value.message.startswith(message)
    assert error.value.hint == hint


def test_a_gate_used_on_the_way_to_nothing_counts_as_unused():
    with pytest.raises(CellError, match="gate 'b' is declared"):

        @cell(gates="a b", state="h")
        def mine(x, R, s):
            sigmoid(x.b)
            return tanh(x.a + R.a(s.h))


def test_some_state_must_be_read():
    with pytest.raises(CellError) as error:
        cell(gates="a", state="h")(lambda x: tanh(x.a))
    assert error.value.message == "no state is read, so nothing is carried from step to step."
    assert error.value.hint == "use s.h on the way to a new state."


def test_a_state_that_is_put_out_need_not_be_read():
    assert cell(gates="a", state="y h", output="y")(lambda x, R, s: (tanh(x.a + R.a(s.h)), s.h + x.a))


def test_too_long_a_function_is_refused():
    def endless(x, R, s):
        h = x.a + R.a(s.h)
        for k in range(2_000):
            h = h * k + 1
        return h

    with pytest.raises(CellError, match="a program holds at most 2,000 instructions, not "):
        cell(gates="a", state="h")(endless)


# ---- what is recorded


def instructions_of(equation):
    """Return the instructions of one equation over x.a, s.h, and what it became."""
    program = cell(gates="a", state="h")(lambda x, s: equation(x.a, s.h) * 1).program
    return program, [i for i in program.instructions if i.operation not in ("input", "state")]


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        (lambda a, h: a + h, "add"),
        (lambda a, h: a - h, "subtract"),
        (lambda a, h: a / h, "divide"),
        (lambda a, h: a * h, "multiply"),
    ],
)
def test_operators_keep_the_order_of_their_arguments(equation, expected):
    _, instructions = instructions_of(equation)
    assert instructions[0] == Instruction(expected, (0, 1))
    _, instructions = instructions_of(lambda a, h: equation(2.0, h) + a)
    assert instructions[:2] == [Instruction("constant", value=2.0), Instruction(expected, (2, 1))]
    _, instructions = instructions_of(lambda a, h: equation(h, 2.0) + a)
    assert instructions[:2] == [Instruction("constant", value=2.0), Instruction(expected, (1, 2))]


@pytest.mark.parametrize(
    ("compare", "operation"),
    [
        (lambda a, b: a < b, "less"),
        (lambda a, b: a <= b, "less_equal"),
        (lambda a, b: a > b, "greater"),
        (lambda a, b: a >= b, "greater_equal"),
        (lambda a, b: a == b, "equal"),
        (lambda a, b: a != b, "not_equal"),
    ],
)
def test_comparisons_are_recorded_for_where(compare, operation):
    _, instructions = instructions_of(lambda a, h: where(compare(a, h), a, h))
    assert instructions[:2] == [Instruction(operation, (0, 1)), Instruction("where", (2, 0, 1))]


def test_signs_and_sums_are_recorded():
    assert instructions_of(lambda a, h: -(+a) + h)[1][0] == Instruction("negate", (0,))
    assert instructions_of(lambda a, h: abs(a) + h)[1][0] == Instruction("abs", (0,))
    assert [i.operation for i in instructions_of(lambda a, h: sum((a, h)))[1]][:3] == ["constant", "add", "add"]


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "abs"])
def test_each_function_of_the_language_records_itself(name):
    def equation(a, h):
        values = [a + h] * ELEMENTWISE[name].arity
        return getattr(cells, name)(*([a > h, *values[1:]] if name == "where" else values))

    assert name in [i.operation for i in instructions_of(equation)[1]]


def test_equal_instructions_share_a_slot_and_unneeded_ones_are_left_out():
    def equation(a, h):
        tanh(a - h)
        return sigmoid(a + h) * sigmoid(a + h) + maximum(a, 2) * maximum(a, 2.0)

    _, instructions = instructions_of(equation)
    operations = [instruction.operation for instruction in instructions]
    assert sorted(operations) == sorted(
        ["constant", "constant", "add", "sigmoid", "multiply", "maximum", "multiply", "add", "multiply"]
    )


def test_the_lstm_is_traced_to_its_equations():
    lines = str(CELLS["lstm"].program).splitlines()
    assert lines[:3] == ["gates    i f g o", "states   h[H] c[H]", "output   h"]
    assert [line.split("=", 1)[1].split("[")[0].strip() for line in lines[3:-2]] == [
        "x.i", "s.h", "R.i(v1)", "v0 + v2", "sigmoid(v3)",
        "x.f", "R.f(v1)", "v5 + v6", "sigmoid(v7)",
        "x.g", "R.g(v1)", "v9 + v10", "tanh(v11)",
        "x.o", "R.o(v1)", "v13 + v14", "sigmoid(v15)",
        "s.c", "v8 * v17", "v4 * v12", "v18 + v19", "tanh(v20)", "v16 * v21",
    ]  # fmt: skip
    assert [line.split() for line in lines[-2:]] == [["h", "←", "v22"], ["c", "←", "v20"]]
