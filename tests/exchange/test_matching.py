"""Programs that are standard operators whatever they are called, and programs that are almost one."""

import random as randomness
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from ostinato.cells import CELLS, cell, maximum, minimum, relu, sigmoid, tanh
from ostinato.exchange.operators import KNOWN, Squashing, cell_of, operator
from ostinato.exchange.to_onnx.matching import match
from ostinato.program import Instruction, Program
from ostinato.program.operations import ELEMENTWISE
from ostinato.program.rewrite import expected_zoneout
from tests.quick import examples

from .test_operators import every_operator

OPERATORS = [*KNOWN, *every_operator()]


# ---- the same, in disguise


@cell(gates="write read keep new", state="memory seen", output="seen")
def renamed_lstm(x, R, s):
    """An LSTM with other names and orders."""
    new = tanh(R.new(s.seen) + x.new)
    keep = sigmoid(x.keep + R.keep(s.seen))
    memory = new * sigmoid(R.write(s.seen) + x.write) + s.memory * keep
    return memory, tanh(memory) * sigmoid(x.read + R.read(s.seen))


def test_names_and_orders_are_free():
    found = match(renamed_lstm.program)
    assert found.operator == operator("LSTM")
    gates = {"i": "write", "o": "read", "f": "keep", "g": "new"}
    expected = {("input", ours): theirs for ours, theirs in gates.items()}
    expected |= {("recurrent", ours): theirs for ours, theirs in gates.items()}
    assert found.names == expected | {("state", "h"): "seen", ("state", "c"): "memory"}


@cell(gates="a b c", state="h")
def shared_gate(x, R, s):
    """A GRU that resets with the gate that updates, and joins the input of one gate with the matrix of another."""
    z = sigmoid(x.a + R.b(s.h))
    return (1 - z) * tanh(x.c + R.c(z * s.h)) + z * s.h


def test_one_gate_may_stand_for_several():
    names = match(shared_gate.program).names
    assert names["input", "z"] == names["input", "r"] == "a"
    assert names["recurrent", "z"] == names["recurrent", "r"] == "b"


@cell(gates="h", state="h")
def clipped(x, R, s):
    """Clipped in the other order, and without an activation."""
    return minimum(maximum(x.h + R.h(s.h), -2.0), 2.0)


def test_no_activation_is_an_affine_one():
    assert match(clipped.program).operator == operator("RNN", [Squashing("affine", 1.0, 0.0)], clip=2.0)


def disguised(program, random):
    """Return the same program with other names, other orders of gates, vectors and states, and arguments exchanged."""
    kinds = {"input": program.gates, "vector": [n for n, _ in program.vectors], "state": program.state_names}
    names = {kind: dict(zip(known, random.sample(NAMES, len(known)), strict=True)) for kind, known in kinds.items()}
    names["recurrent"] = names["input"]
    order = sorted(range(len(program.instructions)), key=lambda slot: (_depth(program, slot), random.random()))
    slots = {slot: index for index, slot in enumerate(order)}
    instructions = []
    for slot in order:
        operation, arguments, name, value = program.instructions[slot]
        arguments = [slots[argument] for argument in arguments]
        if operation in ("add", "multiply", "maximum", "minimum"):
            random.shuffle(arguments)
        instructions.append(Instruction(operation, tuple(arguments), names.get(operation, {}).get(name, name), value))
    states = random.sample(range(len(program.states)), len(program.states))
    return Program(
        gates=tuple(random.sample(list(names["input"].values()), len(program.gates))),
        states=tuple((names["state"][program.state_names[k]], "H") for k in states),
        vectors=tuple((names["vector"][name], "H") for name, _ in random.sample(program.vectors, len(program.vectors))),
        matrices=(),
        output=tuple(names["state"][name] for name in program.output),
        instructions=tuple(instructions),
        results=tuple(slots[program.results[k]] for k in states),
    )


NAMES = [f"{letter}{digit}" for letter in "abcde" for digit in "123"]


def _depth(program, slot):
    return 1 + max((_depth(program, argument) for argument in program.instructions[slot].arguments), default=0)


@examples(30, 500, st.sampled_from(OPERATORS), st.integers(0, 2**32))
def test_an_operator_is_known_in_disguise(found, seed):
    assert match(disguised(cell_of(found).program, randomness.Random(seed))).operator == found


# ---- almost


def variant(function, **declared):
    return cell(**declared)(function).program


def _see_all(x, R, s):
    c = sigmoid(x.f + R.f(s.h)) * s.c + sigmoid(x.i + R.i(s.h)) * tanh(x.g + R.g(s.h))
    return sigmoid(x.o + R.o(s.h)) * tanh(c), c


ALMOST = {
    "an LSTM that puts out both states": replace(CELLS["lstm"].program, output=("h", "c")),
    "an LSTM that puts out c": replace(CELLS["lstm"].program, output=("c",)),
    "a gate that sees c": variant(
        lambda x, R, s: (
            sigmoid(x.o + R.o(s.c)) * tanh(sigmoid(x.i + R.i(s.h)) * s.c + x.g),
            sigmoid(x.i + R.i(s.h)) * s.c + x.g,
        ),
        gates="i o g",
        state="h c",
    ),
    "two activations where one is expected": variant(
        lambda x, R, s: (
            (1 - sigmoid(x.z + R.z(s.h))) * tanh(x.n + R.n(relu(x.r + R.r(s.h)) * s.h)) + sigmoid(x.z + R.z(s.h)) * s.h
        ),
        gates="z r n",
        state="h",
    ),
    "clipped to different sides": variant(
        lambda x, R, s: tanh(maximum(minimum(x.h + R.h(s.h), 2.0), -1.0)), gates="h", state="h"
    ),
    "clipped, but not everywhere": variant(
        lambda x, R, s: (
            (1 - sigmoid(x.z + R.z(s.h))) * tanh(maximum(minimum(x.n + R.n(s.h * s.h), 2.0), -2.0))
            + sigmoid(x.z + R.z(s.h)) * s.h
        ),
        gates="z n",
        state="h",
    ),
    "a GRU whose gate lets in": variant(
        lambda x, R, s: (
            sigmoid(x.z + R.z(s.h)) * tanh(x.n + R.n(sigmoid(x.r + R.r(s.h)) * s.h))
            + (1 - sigmoid(x.z + R.z(s.h))) * s.h
        ),
        gates="z r n",
        state="h",
    ),
    "two times one minus": variant(
        lambda x, R, s: (
            (2 - sigmoid(x.z + R.z(s.h))) * tanh(x.n + R.n(sigmoid(x.r + R.r(s.h)) * s.h))
            + sigmoid(x.z + R.z(s.h)) * s.h
        ),
        gates="z r n",
        state="h",
    ),
    "a second recurrent product": variant(
        lambda x, R, s: tanh(x.h + R.h(s.h) + R.more(s.h)), gates="h more", state="h"
    ),
    "no input": variant(lambda x, R, s: tanh(R.h(s.h)), gates="h", state="h"),
    "no recurrent product": variant(lambda x, s: tanh(x.h + s.h), gates="h", state="h"),
    "the input itself": variant(lambda x, R, s: tanh(x.raw + R.h(s.h)), gates="h", state="h"),
    "a third state": variant(lambda x, R, s: (*_see_all(x, R, s), s.n + 1), gates="i f g o", state="h c n"),
    "zoneout": expected_zoneout(CELLS["lstm"].program, {"h": 0.1}),
    **{name: CELLS[name].program for name in CELLS if CELLS[name] not in KNOWN.values()},
}


@pytest.mark.parametrize("name", ALMOST)
def test_what_is_almost_an_operator_is_none(name):
    assert match(ALMOST[name]) is None


def test_the_same_with_nothing_added_is_one():
    """The variants above are refused for what is different in them."""
    assert match(variant(_see_all, gates="i f g o", state="h c")).operator == operator("LSTM")


def test_a_value_added_to_itself_again_and_again_takes_no_time():
    def doubled(x, R, s):
        v = x.h + R.h(s.h)
        for _ in range(1000):
            v = v + v
        return tanh(v * 1e-30)

    assert match(variant(doubled, gates="h", state="h")) is None


# ---- never wrong


def changed(program, random):
    """Return a program with one instruction changed: an operation, argument, name or number; None if it is none."""
    slot = random.randrange(len(program.instructions))
    operation, arguments, name, value = program.instructions[slot]
    choices = [Instruction(operation, arguments, name, value * 2 + 0.5)] if operation == "constant" else []
    known = {"input": program.gates, "recurrent": program.gates, "state": program.state_names}
    known["vector"] = tuple(name for name, _ in program.vectors)
    choices += [Instruction(operation, arguments, other) for other in known.get(operation, ()) if other != name]
    choices += [
        Instruction(other.name, arguments)
        for other in ELEMENTWISE.values()
        if operation in ELEMENTWISE and other.arity == len(arguments) and other.name not in (operation, "log")
    ]
    if arguments:
        place = random.randrange(len(arguments))
        others = [k for k in range(slot) if k != arguments[place]]
        moved = [(*arguments[:place], other, *arguments[place + 1 :]) for other in others]
        choices += [Instruction(operation, each, name, value) for each in moved]
    instructions = list(program.instructions)
    instructions[slot] = random.choice(choices) if choices else instructions[slot]
    try:
        return replace(program, instructions=tuple(instructions))
    except ValueError:
        return None
