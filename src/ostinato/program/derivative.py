"""Reverse mode: from a program to the program that takes gradients one step back.

The backward program is run from the last step to the first. Its states are the gradients that go back in time, with
sums of the vectors' gradients; what it emits at each step is enough to form the gradients of matrices, biases and the
input afterwards, over all rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, reduce
from typing import NamedTuple

from ..errors import ProgramError
from .declarations import SCALAR, Declarations, Instruction, Matrix
from .keeping import BASES, KEPT, Source, available_slots
from .operations import PRODUCTS
from .program import Program
from .pruning import needed, selected
from .rules import RULES, Use, where
from .trace import Tracer, Value


class ProductGradient(NamedTuple):
    """A product of the forward program, and what its matrix's gradient is formed of: gradientᵀ @ operand over all rows.

    kind: "recurrent" or "matrix". name: the gate or matrix. gradient: the emitted state with the product's gradient,
    whose sum over all rows is the gradient of the product's bias, if it has one. operand: what was multiplied.
    """

    kind: str
    name: str
    gradient: str
    operand: Source


@dataclass(frozen=True)
class Derivative:
    """A backward program, and how its parts belong to the forward program.

    In names, i stands for an index in the forward program's declarations, k for one of its slots.

    program: one step back. States: ``d{i}`` the gradient of state i; ``a{i}`` the sum of vector i's gradients, one row
    a sequence, from zero; ``e{k}`` emitted values, never read, which are the output. Vectors: the forward's.
    Matrices: ``R{i}`` and ``M{i}``, the transposed recurrent matrix of gate i and the transposed matrix i.
    Streams: ``b{i}`` state i before the step, ``k{k}`` the value of slot k, ``y{i}`` the gradient of state i in the
    output, ``m{i}`` stream i of the forward program. ``raw`` is the input, as there.
    kept: the slots that the forward pass keeps for every row, without new values of recorded states.
    recorded: the states whose new value it keeps for every row.
    streams: where the values of each stream come from.
    input_gradients: a gate and the emitted state with the gradient of ``x.<gate>``; gates may share one.
    raw_gradient: the emitted state with the gradient of ``x.raw``, if any.
    products: what the gradients of matrices and of biases beside them are formed of.
    carried: each state ``d{i}`` with the forward's state: before the run the gradient of the final state, after it
    that of the initial state. accumulated: for each vector the state with its sum; vectors that are always added
    together share one.

    A gate, product or matrix that no gradient reaches is not listed: its gradient is zero.
    """

    program: Program
    kept: tuple[int, ...]
    recorded: tuple[str, ...]
    streams: Mapping[str, Source]
    input_gradients: tuple[tuple[str, str], ...]
    raw_gradient: str | None
    products: tuple[ProductGradient, ...]
    carried: tuple[tuple[str, str], ...]
    accumulated: tuple[tuple[str, str], ...]


@cache
def derivative(program: Program, constant: frozenset[str] = frozenset()) -> Derivative:
    """Return the derivative of one step.

    constant: names of states that no step changes and whose gradient is not wanted.

    Raises ProgramError when a state in `constant` does change, or when the backward program would be larger than a
    program may be.
    """
    forward = _with_shared_slots(program)
    _check_constant(forward, constant)
    # Once as if everything were kept, to see what is asked for; then from what is kept indeed.
    bases = {slot: Source("kept", slot=slot) for slot, i in enumerate(forward.instructions) if i.operation in KEPT}
    draft = _Backward(forward, constant, bases)
    return _Backward(forward, constant, available_slots(forward, draft.asked, draft.states_before)).finish()


def _with_shared_slots(program: Program) -> Program:
    """Let every use of equal instructions refer to the first of them; the others stay, unused."""
    first: dict[Instruction, int] = {}
    instructions: list[Instruction] = []
    slots: list[int] = []
    for slot, instruction in enumerate(program.instructions):
        instructions.append(instruction._replace(arguments=tuple(slots[a] for a in instruction.arguments)))
        slots.append(first.setdefault(instructions[-1], slot))
    return replace(program, instructions=tuple(instructions), results=tuple(slots[slot] for slot in program.results))


def _check_constant(program: Program, constant: frozenset[str]) -> None:
    results = dict(zip(program.state_names, program.results, strict=True))
    for name in constant:
        if name not in results or program.instructions[results[name]] != Instruction("state", name=name):
            raise ProgramError(
                f"{name!r} was given as constant, but no state of that name is its own new value.",
                f"a constant state is one of {' '.join(program.state_names)} that the step returns as it came.",
            )


class _Backward:
    """Builds the backward step, once: `asked` tells then which forward slots it asked for, `finish` gives the result.

    available: the forward slots whose values come as streams.
    """

    def __init__(self, forward: Program, constant: frozenset[str], available: Mapping[int, Source]) -> None:
        self.forward = forward
        self.available = available
        self.asked: set[int] = set()
        self.carried = {f"d{i}": name for i, name in enumerate(forward.state_names) if name not in constant}
        self.accumulated = {f"a{i}": name for i, (name, _) in enumerate(forward.vectors)}
        self.sources = _sources(forward, available)
        self.tracer = Tracer(self._declarations())
        self.values = self._values()
        self.active = _active(forward, constant)
        self.terms: list[list[Value]] = [[] for _ in forward.instructions]
        self.gradients: dict[tuple[str, str], Value] = {}
        self.emitted: dict[int, int] = {}
        self.input_gradients: dict[str, str] = {}
        self.raw_gradient: str | None = None
        self.products: list[ProductGradient] = []
        self._start()
        for slot in reversed(range(len(forward.instructions))):
            if self.active[slot] and self.terms[slot]:
                self._pass_on(slot)

    @property
    def states_before(self) -> set[str]:
        """The states whose values before each step are a product's operand."""
        return {product.operand.name for product in self.products if product.operand.kind == "before"}

    # ---- what there is to compute with

    def _declarations(self) -> Declarations:
        forward = self.forward
        recurrent = [Matrix(f"R{i}", forward.recurrent_width, "H") for i in range(len(forward.gates))]
        others = [Matrix(f"M{i}", columns, rows) for i, (_, rows, columns) in enumerate(forward.matrices)]
        widths = dict(forward.states)
        states = [(d, widths[name]) for d, name in self.carried.items()]
        states += [(a, dict(forward.vectors)[name]) for a, name in self.accumulated.items()]
        return Declarations(
            gates=(),
            states=tuple(states),
            vectors=forward.vectors,
            matrices=(*recurrent, *others),
            output=tuple(name for name, _ in states[:1]),
            streams=tuple((name, self._stream_width(source)) for name, source in self.sources.items()),
        )

    def _stream_width(self, source: Source) -> str:
        if source.kind == "given":
            return dict(self.forward.streams)[source.name]
        return self.forward.types[source.slot].width if source.slot >= 0 else dict(self.forward.states)[source.name]

    def _source(self, operation: str, name: str) -> Value:
        return self.tracer.record(Instruction(operation, name=name))

    def _values(self) -> dict[int, Value]:
        """Compute every forward value that can be had; what nothing asks for is left out at the end."""
        streams = {source: name for name, source in self.sources.items()}
        values: dict[int, Value] = {}
        for slot, (operation, arguments, name, number) in enumerate(self.forward.instructions):
            if slot in self.available:
                values[slot] = self._source("stream", f"k{slot}")
            elif operation == "state":
                values[slot] = self._source("stream", streams[Source("before", name)])
            elif operation == "stream":
                values[slot] = self._source("stream", streams[Source("given", name)])
            elif operation not in KEPT and all(argument in values for argument in arguments):
                moved = tuple(values[argument].slot for argument in arguments)
                values[slot] = self.tracer.record(Instruction(operation, moved, name, number))
        return values

    def value(self, slot: int) -> Value:
        """Return the value of a forward slot at this step."""
        self.asked.add(slot)
        return self.values[slot]

    # ---- gradients, from the last slot to the first

    def _start(self) -> None:
        """Give each result the gradient of its state: what comes from the step after, and from the output."""
        names = self.forward.state_names
        for d, name in self.carried.items():
            gradient = self._source("state", d)
            if name in self.forward.output:
                gradient = gradient + self._source("stream", f"y{names.index(name)}")
            self.terms[self.forward.results[names.index(name)]].append(gradient)

    def _pass_on(self, slot: int) -> None:
        """Give the arguments of an instruction their share of its gradient."""
        operation, arguments, name, _ = self.forward.instructions[slot]
        d = self._total(self.terms[slot])
        if operation in PRODUCTS:
            self._pass_through_matrix(slot, self._spread(d, slot))
        elif operation == "input":
            self.input_gradients[name] = self._emit(slot, self._spread(d, slot))
        elif operation == "raw":
            self.raw_gradient = self._emit(slot, self._spread(d, slot))
        elif not arguments:
            self.gradients[operation, name] = d
        else:
            # Every rule is linear in d, so that a sign can wait until a sum takes it for nothing.
            opposite = self._opposite(d)
            use = Use(d if opposite is None else opposite, arguments, slot, self.value)
            for index, argument in enumerate(arguments):
                if self.active[argument]:
                    term = self._fitted(RULES[operation, index](use), argument, slot)
                    self.terms[argument].append(term if opposite is None else self._negated(term))

    def _pass_through_matrix(self, slot: int, d: Value) -> None:
        operation, (argument,), name, _ = self.forward.instructions[slot]
        gradient, operand = self._emit(slot, d), self._operand(argument)
        self.products.append(ProductGradient(operation, name, gradient, operand))
        if self.active[argument]:
            matrices = [matrix.name for matrix in self.forward.matrices]
            letter, names = ("R", list(self.forward.gates)) if operation == "recurrent" else ("M", matrices)
            transposed = Instruction("matrix", (d.slot,), f"{letter}{names.index(name)}")
            self.terms[argument].append(self.tracer.record(transposed))

    def _operand(self, slot: int) -> Source:
        """Say where the rows of a forward slot come from, emitting them where they are recomputed."""
        operation, _, name, _ = self.forward.instructions[slot]
        if operation == "state":
            return Source("before", name)
        if operation == "stream":
            return Source("given", name)
        if operation == "raw":
            return Source("raw")
        value = self.value(slot)
        return self.available[slot] if slot in self.available else Source("emitted", self._emit(slot, value))

    def _emit(self, slot: int, value: Value) -> str:
        """Return the name of the emitted state with a value; equal values share one."""
        return f"e{self.emitted.setdefault(value.slot, slot)}"

    # ---- sums and widths

    def _total(self, terms: list[Value]) -> Value:
        """Add up gradients: products last, each to what is before it, and negated ones by subtraction."""
        return reduce(self._added, sorted(terms, key=self._place_in_sum))

    def _place_in_sum(self, term: Value) -> tuple[int, int]:
        operation = self.tracer.instructions[term.slot].operation
        # Products in the order of the forward program, of which the last has come first.
        return (2, -term.slot) if operation == "matrix" else (int(operation == "negate"), 0)

    def _added(self, total: Value, term: Value) -> Value:
        opposite = self._opposite(term)
        return total + term if opposite is None else total - opposite

    def _opposite(self, value: Value) -> Value | None:
        """Return the value that another is the negation of, if it is one."""
        operation, arguments, _, _ = self.tracer.instructions[value.slot]
        return Value(self.tracer, *arguments) if operation == "negate" else None

    def _negated(self, value: Value) -> Value:
        opposite = self._opposite(value)
        return -value if opposite is None else opposite

    def _fitted(self, term: Value, argument: int, slot: int) -> Value:
        """Add up over a row what a number of that row receives from an instruction that is wider than it."""
        width = self.forward.types[slot].width
        if self.forward.types[argument].width != SCALAR or width == SCALAR:
            return term
        if self._is_number(term):
            return term * self._source("size", width)
        opposite = self._opposite(term)
        if opposite is not None:
            return -self._fitted(opposite, argument, slot)
        return self.tracer.record(Instruction("sum", (term.slot,)))

    def _spread(self, d: Value, slot: int) -> Value:
        """Return a gradient as wide as its slot: until here, one number may stand for all units of a row."""
        if not self._is_number(d):
            return d
        return _for_each_unit(self._of_width(self.forward.types[slot].width, slot), d)

    def _of_width(self, width: str, slot: int) -> Value:
        """Return any value of a width; the slot has that width, but may have to be kept for it."""
        declared = self.tracer.declarations
        for operation, names in (("state", declared.states), ("vector", declared.vectors)):
            for name, known in names:
                if known == width:
                    return self._source(operation, name)
        return self.value(slot)

    def _is_number(self, value: Value) -> bool:
        return self.tracer.types[value.slot].width == SCALAR

    # ---- the whole

    def finish(self) -> Derivative:
        """Return the backward program with what it leaves out left out."""
        results = {d: self._carried(d, name) for d, name in self.carried.items()}
        accumulated = self._shared_sums()
        results |= {a: self._accumulated(a, self.accumulated[a]) for a, _ in accumulated}
        emitted = {f"e{slot}": value for value, slot in sorted(self.emitted.items(), key=lambda item: item[1])}
        program = self._program({name: value.slot for name, value in results.items()} | emitted, tuple(emitted))
        streams = {name: self.sources[name] for name, _ in program.streams}
        read = {*streams.values(), *(product.operand for product in self.products)}
        recorded = {source.name for source in read if source.kind in ("before", "new")}
        return Derivative(
            program=program,
            kept=tuple(sorted(source.slot for source in read if source.kind == "kept")),
            recorded=tuple(name for name in self.forward.state_names if name in recorded),
            streams=streams,
            input_gradients=tuple(
                (g, self.input_gradients[g]) for g in self.forward.gates if g in self.input_gradients
            ),
            raw_gradient=self.raw_gradient,
            products=tuple(reversed(self.products)),
            carried=tuple(self.carried.items()),
            accumulated=accumulated,
        )

    def _carried(self, d: str, name: str) -> Value:
        """Return the gradient of a state before the step."""
        like, gradient = self._source("state", d), self.gradients.get(("state", name))
        if gradient is None:
            return _for_each_unit(like, 0.0)
        return _for_each_unit(like, gradient) if self._is_number(gradient) else gradient

    def _shared_sums(self) -> tuple[tuple[str, str], ...]:
        """Return for each vector the state of its sum: that of the first vector whose gradient is the same."""
        first: dict[int, str] = {}
        shared = []
        for a, name in self.accumulated.items():
            gradient = self.gradients.get(("vector", name))
            shared.append((a if gradient is None else first.setdefault(gradient.slot, a), name))
        return tuple(shared)

    def _accumulated(self, a: str, name: str) -> Value:
        """Return the sum of a vector's gradients so far."""
        before, gradient = self._source("state", a), self.gradients.get(("vector", name))
        return before if gradient is None else self._added(before, gradient)

    def _program(self, results: Mapping[str, int], emitted: tuple[str, ...]) -> Program:
        declared, types = self.tracer.declarations, self.tracer.types
        instructions, numbers = selected(self.tracer.instructions, needed(self.tracer.instructions, results.values()))
        used = {(instruction.operation, instruction.name) for instruction in instructions}
        return Program(
            gates=(),
            states=tuple((name, types[slot].width) for name, slot in results.items()),
            vectors=declared.vectors,
            matrices=tuple(matrix for matrix in declared.matrices if ("matrix", matrix.name) in used),
            output=emitted or tuple(results)[:1],
            instructions=instructions,
            results=tuple(numbers[slot] for slot in results.values()),
            streams=tuple(stream for stream in declared.streams if ("stream", stream[0]) in used),
        )


def _sources(forward: Program, available: Mapping[int, Source]) -> dict[str, Source]:
    """Return every stream that a backward program may read, by name."""
    sources = {f"b{i}": Source("before", name) for i, name in enumerate(forward.state_names)}
    sources |= {f"k{slot}": source for slot, source in sorted(available.items())}
    sources |= {f"y{i}": Source("output", name) for i, name in enumerate(forward.state_names)}
    return sources | {f"m{i}": Source("given", name) for i, (name, _) in enumerate(forward.streams)}


def _active(program: Program, constant: frozenset[str]) -> list[bool]:
    """Tell for each slot whether a gradient is wanted that goes through it."""
    active: list[bool] = []
    for (operation, arguments, name, _), (_, is_mask) in zip(program.instructions, program.types, strict=True):
        wanted = operation in (*BASES, "raw", "vector") or (operation == "state" and name not in constant)
        active.append(not is_mask and (wanted or any(active[slot] for slot in arguments)))
    return active


def _for_each_unit(like: Value, number: Value | float) -> Value:
    """Return a number for each unit of `like`, whatever the values there, not-a-number among them."""
    return where(like == like, number, number)
