"""Which of ONNX's recurrent operators a program is: found in its structure, whatever its parts are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple

from ...cells import maximum, minimum, relu, sigmoid, tanh
from ...cells.activations import ACTIVATIONS, Function, activation
from ...program import Instruction, Program
from ...program.declarations import Declarations
from ...program.trace import Tracer
from ..operators import FUNCTIONS, STATES, Operator, Squashing, operator, traced

Names = Mapping[tuple[str, str], str]
Bound = dict[Any, Any]
"""What a pattern's parts stand for in a program: names by operation and name, activations by their marker, numbers."""

FORMS = (
    operator("RNN"),
    operator("GRU"),
    operator("GRU", linear_before_reset=True),
    *(operator("LSTM", peepholes=peep, input_forget=forget) for peep in (False, True) for forget in (False, True)),
)
"""The operators that differ in more than their activations and clipping."""
MARKERS = {"sigmoid": 0, "tanh": 1, "relu": 2}
"""In a form's pattern each of these stands for one of the operator's activations, whichever that is."""
CLIP = "abs"
"""In a form's pattern this stands for clipping, or for nothing."""
NUMBERS = {12345.5: "alpha", 54321.5: "beta"}
"""In an activation's pattern these stand for its numbers."""
IDENTITY = Squashing("affine", 1.0, 0.0)
"""How ONNX says that there is no activation."""
COMMUTATIVE = ("multiply", "maximum", "minimum")
MOST_ADDENDS = 4
"""One more than any pattern has. Without an end, a program that adds a value to itself again and again would have no
end of addends."""


class Match(NamedTuple):
    """The operator that a program is, and which of the program's names stands for which of the operator's.

    names: by ``("input", gate)``, ``("recurrent", gate)``, ``("vector", name)`` and ``("state", name)``.
    """

    operator: Operator
    names: Names


def match(program: Program) -> Match | None:
    """Return the operator whose equations a program's are, or None.

    They may differ in the names and the order of gates, vectors and states, and in the order of what is added or
    multiplied. Any activation of the operators is known, and none as well.
    """
    if program.streams or any(width != "H" for _, width in program.states):
        return None
    for form in FORMS:
        for bound in _Form(form, program).found():
            return Match(_operator(form, bound), {key: name for key, name in bound.items() if isinstance(key, tuple)})
    return None


def _operator(form: Operator, bound: Bound) -> Operator:
    activations = tuple(bound[marker] for marker in range(len(form.activations)))
    fields = {name: getattr(form, name) for name in ("peepholes", "input_forget", "linear_before_reset")}
    return Operator(form.kind, activations, bound["clip"], **fields)


class _Pattern:
    """A program as a pattern for another: tells in which ways a slot of that one is an instance of a slot of this."""

    def __init__(self, pattern: Program, program: Program) -> None:
        self.pattern, self.program = pattern, program

    def matches(self, part: int, slot: int, bound: Bound) -> Iterator[Bound]:
        """Yield what a slot of the pattern, and all below it, stands for, added to what is bound already."""
        operation, arguments, _, _ = self.pattern.instructions[part]
        if operation == "add":
            yield from self._in_any_order(_addends(self.pattern, part), _addends(self.program, slot), bound)
        elif operation in COMMUTATIVE and self.program.instructions[slot].operation == operation:
            yield from self._in_any_order(list(arguments), list(self.program.instructions[slot].arguments), bound)
        elif self.program.instructions[slot].operation == operation:
            with_leaf = self._leaf(part, slot, bound)
            if with_leaf is not None:
                yield from self._in_order(arguments, self.program.instructions[slot].arguments, with_leaf)

    def _leaf(self, part: int, slot: int, bound: Bound) -> Bound | None:
        """Compare names and numbers of two instructions of one operation; return all that is bound, or None."""
        operation, _, name, value = self.pattern.instructions[part]
        _, _, came, number = self.program.instructions[slot]
        if operation == "constant":
            return bound if value == number else None
        return _with(bound, (operation, name), came) if name else bound

    def _in_order(self, parts: Any, slots: Any, bound: Bound) -> Iterator[Bound]:
        if not parts:
            yield bound
            return
        for more in self.matches(parts[0], slots[0], bound):
            yield from self._in_order(parts[1:], slots[1:], more)

    def _in_any_order(self, parts: list[int], slots: list[int], bound: Bound) -> Iterator[Bound]:
        if len(parts) != len(slots):
            return
        if not parts:
            yield bound
        for index, slot in enumerate(slots):
            for more in self.matches(parts[0], slot, bound):
                yield from self._in_any_order(parts[1:], slots[:index] + slots[index + 1 :], more)


class _Form(_Pattern):
    """An operator's form as a pattern: its activations are markers."""

    def __init__(self, form: Operator, program: Program) -> None:
        super().__init__(_traced_form(form), program)
        self.form = form

    def found(self) -> Iterator[Bound]:
        """Yield the ways in which the whole program is of this form."""
        program, states = self.program, STATES[self.form.kind]
        if len(program.states) != len(states):
            return
        for order in permutations(program.state_names):
            if program.output == order[:1]:
                bound = {("state", name): came for name, came in zip(states, order, strict=True)}
                results = [program.results[program.state_names.index(name)] for name in order]
                yield from self._in_order(self.pattern.results, results, bound)

    def matches(self, part: int, slot: int, bound: Bound) -> Iterator[Bound]:
        operation, arguments, _, _ = self.pattern.instructions[part]
        if operation in MARKERS:
            for squashing, argument in _activations(self.program, slot):
                more = _with(bound, MARKERS[operation], squashing)
                if more is not None:
                    yield from self.matches(arguments[0], argument, more)
        elif operation == CLIP:
            for clip, argument in _clippings(self.program, slot):
                more = _with(bound, "clip", clip)
                if more is not None:
                    yield from self.matches(arguments[0], argument, more)
        else:
            yield from super().matches(part, slot, bound)


class _Activation(_Pattern):
    """An activation as a pattern: its argument is ``x.v``, and its numbers are those of `NUMBERS`."""

    def matches(self, part: int, slot: int, bound: Bound) -> Iterator[Bound]:
        operation, _, _, value = self.pattern.instructions[part]
        came, _, _, number = self.program.instructions[slot]
        more: Bound | None = None
        if operation == "input":
            more = _with(bound, "argument", slot)
        elif operation == "constant" and value in NUMBERS:
            more = _with(bound, NUMBERS[value], number) if came == "constant" else None
        else:
            yield from super().matches(part, slot, bound)
        if more is not None:
            yield more


def _activations(program: Program, slot: int) -> Iterator[tuple[Squashing, int]]:
    """Yield the activations that a slot may be, each with the slot that it is of; none at all comes last."""
    for name, pattern in _traced_activations().items():
        for bound in _Activation(pattern, program).matches(pattern.results[0], slot, {}):
            yield Squashing(name, bound.get("alpha"), bound.get("beta")), bound["argument"]
    yield IDENTITY, slot


def _clippings(program: Program, slot: int) -> Iterator[tuple[float | None, int]]:
    """Yield the largest magnitude that a slot is clipped to, if it is, with what is clipped; then None."""
    for pattern in _traced_clippings():
        for bound in _Activation(pattern, program).matches(pattern.results[0], slot, {}):
            if bound["alpha"] == -bound["beta"] > 0:
                yield bound["alpha"], bound["argument"]
    yield None, slot


def _with(bound: Bound, key: Any, value: Any) -> Bound | None:
    """Return what is bound with one thing more, or None where that is bound to another value."""
    if key in bound:
        return bound if bound[key] == value else None
    return bound | {key: value}


def _addends(program: Program, slot: int) -> list[int]:
    """Return the slots that a sum adds up; of one with more than any pattern has, some of them still sums."""
    addends: list[int] = []
    sums = [slot]
    while sums:
        operation, arguments, _, _ = program.instructions[slot := sums.pop()]
        if operation == "add" and len(sums) + len(addends) < MOST_ADDENDS:
            sums.extend(arguments)
        else:
            addends.append(slot)
    return addends


# ---- patterns, each traced once


@cache
def _traced_form(form: Operator) -> Program:
    markers = [sigmoid, tanh, relu][: len(form.activations)]
    return traced(form, markers, abs).program


@cache
def _traced_activations() -> dict[str, Program]:
    return {name: of_one_value(activation(name, *_markers(name))) for name in FUNCTIONS.values()}


def _markers(name: str) -> list[float | None]:
    """Return α and β of an activation's pattern; None for a number that it does not have."""
    return [None if getattr(ACTIVATIONS[name], letter) is None else marker for marker, letter in NUMBERS.items()]


@cache
def _traced_clippings() -> tuple[Program, ...]:
    most, least = NUMBERS
    return (
        of_one_value(lambda v: maximum(minimum(v, most), least)),
        of_one_value(lambda v: minimum(maximum(v, least), most)),
    )


def of_one_value(function: Function) -> Program:
    """Return a function of ``x.v`` as a program."""
    tracer = Tracer(Declarations(("v",), (("y", "H"),), (), (), ("y",)))
    result = function(tracer.record(Instruction("input", name="v"))).slot
    declared = tracer.declarations
    return Program(declared.gates, declared.states, (), (), declared.output, tuple(tracer.instructions), (result,))
