"""Tracing: a cell's function runs once, on symbols, and what it does to them becomes a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..errors import CellError, ProgramError
from .declarations import Declarations, Instruction, Type
from .operations import ELEMENTWISE
from .program import Program

FUNCTIONS = tuple(name for name, operation in ELEMENTWISE.items() if operation.text.startswith(name))
"""The operations that are written as a function; the others are operators."""
ALLOWED = f"+ - * /, {', '.join(FUNCTIONS)}, layer_norm, comparisons"


class Tracer:
    """Records the instructions of one function. Equal instructions share a slot."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.instructions: list[Instruction] = []
        self.types: list[Type] = []
        self._slots: dict[Instruction, int] = {}

    def record(self, instruction: Instruction) -> Value:
        """Append an instruction, unless an equal one is there, and return its value."""
        slot = self._slots.get(instruction)
        if slot is None:
            try:
                self.types.append(self.declarations.type_of(instruction, self.types))
            except ProgramError as error:
                raise CellError(error.message, error.hint) from None
            slot = len(self.instructions)
            self.instructions.append(instruction)
            self._slots[instruction] = slot
        return Value(self, slot)

    def lift(self, value: Any, where: str) -> Value:
        """Return `value` as a value of this trace; numbers become constants."""
        if isinstance(value, Value):
            if value.tracer is not self:
                raise CellError(
                    f"{where} uses a value of another cell's trace.",
                    "use only what this function was given: x, R, s, p, M.",
                )
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.record(Instruction("constant", value=float(value)))
        raise CellError(
            f"{where} takes values of this step and numbers, not {type(value).__name__} {value!r:.60}.",
            "write x.<gate>, R.<gate>(v) or s.<state>, and numbers of Python's own: float(a) for those of a library.",
        )


class Value:
    """A value of one step, known only by how it is computed."""

    __slots__ = ("slot", "tracer")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 1000

    def __init__(self, tracer: Tracer, slot: int) -> None:
        self.tracer = tracer
        self.slot = slot

    def __add__(self, other: Any) -> Value:
        return apply("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return apply("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return apply("subtract", self, other)

    def __rsub__(self, other: Any) -> Value:
        return apply("subtract", other, self)

    def __mul__(self, other: Any) -> Value:
        return apply("multiply", self, other)

    def __rmul__(self, other: Any) -> Value:
        return apply("multiply", other, self)

    def __truediv__(self, other: Any) -> Value:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return apply("divide", other, self)

    def __neg__(self) -> Value:
        return apply("negate", self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return apply("abs", self)

    def __lt__(self, other: Any) -> Value:
        return apply("less", self, other)

    def __le__(self, other: Any) -> Value:
        return apply("less_equal", self, other)

    def __gt__(self, other: Any) -> Value:
        return apply("greater", self, other)

    def __ge__(self, other: Any) -> Value:
        return apply("greater_equal", self, other)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return apply("equal", self, other)

    def __ne__(self, other: Any) -> Value:  # type: ignore[override]
        return apply("not_equal", self, other)

    # ---- what Python would let one write, and what to write instead

    def __bool__(self) -> NoReturn:
        raise CellError(
            "a value of a step has no truth value while the cell is traced: if, and, or, not, while "
            "and chained comparisons cannot depend on it.",
            "write where(condition, a, b).",
        )

    def __pow__(self, other: Any) -> NoReturn:
        raise CellError("** is not an operation of a cell.", "write square(v), sqrt(v), or exp(a * log(v)) for v > 0.")

    __rpow__ = __pow__

    def __matmul__(self, other: Any) -> NoReturn:
        raise CellError(
            "@ is not an operation of a cell.", "write R.<gate>(v), or declare matrices=… and write M.<name>(v)."
        )

    __rmatmul__ = __matmul__

    def __mod__(self, other: Any) -> NoReturn:
        raise _unknown("% or //")

    __rmod__ = __floordiv__ = __rfloordiv__ = __mod__

    def __and__(self, other: Any) -> NoReturn:
        raise CellError("&, | and ^ are not operations of a cell.", "nest where: where(a, where(b, u, v), v).")

    __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __and__

    def __invert__(self) -> NoReturn:
        raise CellError("~ is not an operation of a cell.", "exchange the two branches of where.")

    def __getitem__(self, *_: Any) -> NoReturn:
        raise CellError(
            "a value of a step cannot be indexed or unpacked: operations act on all its units alike.",
            "declare a gate or a vector for each part.",
        )

    __iter__ = __getitem__

    def __len__(self) -> NoReturn:
        raise CellError("a value of a step has no length while the cell is traced.")

    def __float__(self) -> NoReturn:
        raise CellError(
            "a value of a step is no number while the cell is traced, so math.* and float() cannot take it.",
            "use the functions of ostinato.cells, such as tanh or exp.",
        )

    __int__ = __index__ = __complex__ = __float__

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise _foreign("numpy", "array")

    def __array_function__(self, function: Any, *_: Any, **__: Any) -> NoReturn:
        raise _foreign("numpy", function.__name__)

    def __array_ufunc__(self, function: Any, *_: Any, **__: Any) -> NoReturn:
        raise _foreign("numpy", function.__name__)

    @classmethod
    def __torch_function__(cls, function: Any, *_: Any, **__: Any) -> NoReturn:
        raise _foreign("torch", getattr(function, "__name__", "a function"))

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        hint = f"write {_SPELT[name]}." if name in _SPELT else f"allowed: {ALLOWED}."
        raise CellError(f"a value of a step has no attribute {name!r}.", hint)

    def __repr__(self) -> str:
        return f"<value {self.slot} of a step>"


def apply(operation: str, *arguments: Any) -> Value:
    """Record an elementwise operation on values and numbers; at least one must be a value."""
    tracer = next((argument.tracer for argument in arguments if isinstance(argument, Value)), None)
    if tracer is None:
        raise CellError(
            f"{operation} was given {', '.join(type(a).__name__ for a in arguments)}, no value of a step.",
            "inside a cell, use it on x.<gate>, s.<state> and what is computed from them; for numbers use math.",
        )
    slots = tuple(tracer.lift(argument, operation).slot for argument in arguments)
    return tracer.record(Instruction(operation, slots))


class _Namespace:
    """``x``, ``s`` or ``p``: attributes are sources of one kind."""

    def __init__(self, letter: str, kind: str, operation: str, names: tuple[str, ...], tracer: Tracer) -> None:
        self._letter, self._kind, self._operation, self._names, self._tracer = letter, kind, operation, names, tracer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._names:
            raise CellError(
                f"{self._letter}.{name} is used, but no {self._kind} {name!r} is declared; "
                f"declared: {' '.join(self._names) or 'none'}.",
                f'declare it in the decorator: {_KEYWORDS[self._kind]}="… {name}".',
            )
        return self._get(name)

    def _get(self, name: str) -> Any:
        return self._tracer.record(Instruction(self._operation, name=name))


class _Inputs(_Namespace):
    """``x``: also has ``x.raw``, the input itself."""

    def __getattr__(self, name: str) -> Any:
        return self._tracer.record(Instruction("raw")) if name == "raw" else super().__getattr__(name)


class _Products(_Namespace):
    """``R`` or ``M``: attributes are functions that multiply by a matrix."""

    def _get(self, name: str) -> Callable[[Any], Value]:
        def product(value: Any) -> Value:
            where = f"{self._letter}.{name}"
            return self._tracer.record(Instruction(self._operation, (self._tracer.lift(value, where).slot,), name))

        return product


_KEYWORDS = {"gate": "gates", "state": "state", "vector": "vectors", "matrix": "matrices"}


def namespaces(tracer: Tracer) -> dict[str, Any]:
    """Return what a cell's function may be given, by the name of its parameter."""
    declared = tracer.declarations
    vectors = tuple(name for name, _ in declared.vectors)
    matrices = tuple(matrix.name for matrix in declared.matrices)
    return {
        "x": _Inputs("x", "gate", "input", declared.gates, tracer),
        "R": _Products("R", "gate", "recurrent", declared.gates, tracer),
        "s": _Namespace("s", "state", "state", declared.state_names, tracer),
        "p": _Namespace("p", "vector", "vector", vectors, tracer),
        "M": _Products("M", "matrix", "matrix", matrices, tracer),
    }


def trace(function: Callable[..., Any], declarations: Declarations, parameters: tuple[str, ...]) -> Program:
    """Run `function` once on symbols and return the program it stands for.

    Raises CellError for anything the cell language does not allow.
    """
    tracer = Tracer(declarations)
    given = namespaces(tracer)
    returned = function(**{name: given[name] for name in parameters})
    results = _results(tracer, returned)
    program = _pruned(tracer, results)
    _check_all_used(program)
    return program


def _results(tracer: Tracer, returned: Any) -> list[int]:
    names = tracer.declarations.state_names
    values = returned if isinstance(returned, (tuple, list)) else (returned,)
    if returned is None or len(values) != len(names):
        came = "nothing" if returned is None else f"{len(values)} values"
        raise CellError(
            f"the function must return {len(names)} new states ({' '.join(names)}), but returned {came}.",
            f"end it with: return {', '.join(names)}",
        )
    slots = []
    for (name, width), value in zip(tracer.declarations.states, values, strict=True):
        slot = tracer.lift(value, f"the new state {name!r}").slot
        if tracer.types[slot] != Type(width):
            raise CellError(
                f"the new state {name!r} must be {width} wide, but what was returned is {tracer.types[slot]}."
            )
        slots.append(slot)
    return slots


def _pruned(tracer: Tracer, results: list[int]) -> Program:
    """Return the program without the instructions that no result needs."""
    needed = set(results)
    for slot in reversed(range(len(tracer.instructions))):
        if slot in needed:
            needed.update(tracer.instructions[slot].arguments)
    renumbered = {slot: index for index, slot in enumerate(sorted(needed))}
    instructions = tuple(
        instruction._replace(arguments=tuple(renumbered[slot] for slot in instruction.arguments))
        for slot, instruction in enumerate(tracer.instructions)
        if slot in needed
    )
    declared = tracer.declarations
    try:
        return Program(
            declared.gates,
            declared.states,
            declared.vectors,
            declared.matrices,
            declared.output,
            instructions,
            tuple(renumbered[slot] for slot in results),
        )
    except ProgramError as error:
        raise CellError(error.message, error.hint) from None


def _check_all_used(program: Program) -> None:
    used = {(instruction.operation, instruction.name) for instruction in program.instructions}
    unused_gates = [g for g in program.gates if ("input", g) not in used and ("recurrent", g) not in used]
    read = [name for name in program.state_names if ("state", name) in used]
    _refuse_unused("gate", unused_gates, "use x.{0} or R.{0}(v), or take {0!r} out of gates=.")
    _refuse_unused(
        "state",
        [name for name in program.state_names if name not in read and name not in program.output],
        "read it as s.{0}, or take {0!r} out of state=.",
    )
    if not read:
        raise CellError(
            "no state is read, so nothing is carried from step to step.",
            f"use s.{program.state_names[0]} on the way to a new state.",
        )
    _refuse_unused(
        "vector",
        [name for name, _ in program.vectors if ("vector", name) not in used],
        "use p.{0}, or take it out of vectors=.",
    )
    _refuse_unused(
        "matrix",
        [m.name for m in program.matrices if ("matrix", m.name) not in used],
        "use M.{0}(v), or take it out of matrices=.",
    )


def _refuse_unused(kind: str, names: list[str], hint: str) -> None:
    if names:
        raise CellError(f"{kind} {names[0]!r} is declared, but no new state depends on it.", hint.format(names[0]))


def _unknown(what: str) -> CellError:
    return CellError(f"{what} is not an operation of a cell.", f"allowed: {ALLOWED}.")


def _foreign(library: str, name: str) -> CellError:
    known = _SYNONYMS.get(name, name)
    hint = f"allowed: {ALLOWED}."
    if known in _SPELT:
        hint = f"write {_SPELT[known]}" + ("." if known == "abs" else ", imported from ostinato.cells.")
    elif known in ELEMENTWISE:
        hint = "write the operator between a value and a number of Python's own, such as float(a) * v."
    return CellError(f"{library}'s {name} cannot take a value of a step.", hint)


_SPELT = {
    "layer_norm": "layer_norm(v, scale, shift)",
    **{name: f"{name}({('v', 'a, b', 'condition, a, b')[ELEMENTWISE[name].arity - 1]})" for name in FUNCTIONS},
}
"""How each function of the language is written, with its arguments."""

_SYNONYMS = {
    "absolute": "abs",
    "fabs": "abs",
    "clamp": "maximum",
    "special_expit": "sigmoid",
    "logaddexp": "softplus",
    "mul": "multiply",
    "sub": "subtract",
    "div": "divide",
    "true_divide": "divide",
}
