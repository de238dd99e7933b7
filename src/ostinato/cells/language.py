"""The cell language: `cell` turns six lines of equations into a `Cell`, and these are its operations.

    @cell(gates="z n", state="h")
    def mine(x, R, s):
        z = sigmoid(x.z + R.z(s.h))
        return z * s.h + (1 - z) * tanh(x.n + R.n(s.h))

* ``x.<gate>``: the input's projection for a gate, ``W_gate @ x_t + b_gate``, H wide; ``x.raw`` the input itself.
* ``R.<gate>(v)``: the product of a gate's recurrent matrix with any value of this step.
* ``s.<name>``: a state before this step. ``p.<name>``: a learned vector. ``M.<name>(v)``: a declared matrix's product.

The function is only traced: it runs once, on symbols. What runs is the program it stands for.
"""

from __future__ import annotations

import inspect
import math
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import CellError, ProgramError, closest
from ..program import Instruction, Matrix, Program
from ..program.declarations import Declarations
from ..program.trace import Value, apply, trace
from .initialisers import Initialiser, bias, from_data

Operand = Value | float


def sigmoid(v: Value) -> Value:
    """1 / (1 + exp(-v))."""
    return apply("sigmoid", v)


def tanh(v: Value) -> Value:
    """The hyperbolic tangent."""
    return apply("tanh", v)


def relu(v: Value) -> Value:
    """max(v, 0); its derivative at 0 is 0."""
    return apply("relu", v)


def exp(v: Value) -> Value:
    """The exponential."""
    return apply("exp", v)


def log(v: Value) -> Value:
    """The natural logarithm."""
    return apply("log", v)


def softplus(v: Value) -> Value:
    """log(1 + exp(v)), without overflow."""
    return apply("softplus", v)


def sqrt(v: Value) -> Value:
    """The square root."""
    return apply("sqrt", v)


def square(v: Value) -> Value:
    """The square, v * v."""
    return apply("square", v)


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of two; where they are equal each takes half of the gradient."""
    return apply("maximum", a, b)


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of two; where they are equal each takes half of the gradient."""
    return apply("minimum", a, b)


def sin(v: Value) -> Value:
    """The sine, v in radians."""
    return apply("sin", v)


def cos(v: Value) -> Value:
    """The cosine, v in radians."""
    return apply("cos", v)


def where(condition: Value, a: Operand, b: Operand) -> Value:
    """`a` where the comparison holds, else `b`."""
    return apply("where", condition, a, b)


def layer_norm(v: Value, scale: Operand, shift: Operand, epsilon: float = 1e-5) -> Value:
    """Layer normalisation (Ba et al. 2016) of one step's units, each row on its own.

    (v - mean) / sqrt(variance + epsilon) ⊙ scale + shift

    mean and variance (that of a population, from the centred values) are taken over the row's units. scale, shift:
    learned vectors ``p.<name>`` as wide as v, or numbers.
    """
    if not isinstance(v, Value):
        raise CellError(f"layer_norm takes a value of this step, not {type(v).__name__} {v!r:.60}.", "write x.<gate>.")
    if not isinstance(epsilon, (int, float)) or not 0 < epsilon < math.inf:
        raise CellError(
            f"layer_norm needs a positive number as epsilon, not {epsilon!r:.60}.", "leave it out for 1e-5."
        )
    centred = v - _mean(v)
    return centred * (1 / sqrt(_mean(square(centred)) + epsilon)) * scale + shift


def _mean(v: Value) -> Value:
    """Return the mean of each row's units, one number a row."""
    width = v.tracer.types[v.slot].width
    return apply("sum", v) / v.tracer.record(Instruction("size", name=width))


@dataclass(frozen=True)
class Cell:
    """A recurrence: its name, its equations in words (`doc`), its program, and how its weights start.

    Immutable; two cells are equal when all of that is. Made by `cell`, or read from a model file.
    """

    name: str
    doc: str
    program: Program
    init: tuple[tuple[str, tuple[Initialiser, ...]], ...] = ()

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates, in the order in which their weights are stacked."""
        return self.program.gates

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states."""
        return self.program.state_names

    @property
    def vectors(self) -> tuple[str, ...]:
        """The names of the learned vectors."""
        return tuple(name for name, _ in self.program.vectors)

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The declared matrices."""
        return self.program.matrices

    @property
    def State(self) -> type[tuple[Any, ...]]:  # noqa: N802 - it is a class
        """The named tuple that carries this cell's state: one array [B, width] a state."""
        return state_type(self.program.state_names)

    def __str__(self) -> str:
        return f"cell {self.name}\n\n{self.doc}\n\n{self.program}"

    def to_data(self) -> dict[str, Any]:
        """Return the cell as plain data, for a model file."""
        init = [[target, [initialiser.to_data() for initialiser in given]] for target, given in self.init]
        return {"name": self.name, "doc": self.doc, "program": self.program.to_data(), "init": init}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Cell:
        """Build a cell from what `to_data` returned. Raises ProgramError or CellError for anything else."""
        try:
            name, doc, program = data["name"], data["doc"], Program.from_data(data["program"])
            init = {target: tuple(from_data(item) for item in given) for target, given in data["init"]}
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ProgramError):
                raise
            raise ProgramError(f"this is not a cell's data: {error}.") from None
        if program.streams:
            raise ProgramError("a cell's program has no streams: those come from rewrites of it.")
        if not all(isinstance(text, str) for text in (name, doc, *init)):
            raise ProgramError("a cell's name, its doc and the names in init must be strings.")
        return cls(name, doc, program, _checked_init(program, init))


@cache
def state_type(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    """Return the named tuple class for states of the given names; the same class for the same names."""
    return namedtuple("State", names)


def cell(
    *,
    state: str,
    gates: str = "",
    vectors: str = "",
    matrices: str = "",
    output: str | None = None,
    init: Mapping[str, Initialiser | tuple[Initialiser, ...]] | None = None,
) -> Callable[[Callable[..., Any]], Cell]:
    """Turn a function into a `Cell`.

    gates: names, space-separated, in the order in which their weights are stacked.
    state: names of the states; one is H wide unless it says otherwise, as in ``"h[P] c"``.
    vectors: learned vectors, H wide unless they say otherwise. matrices: as in ``"project[P,H]"``.
    output: the states that a step puts out, joined; by default the first.
    init: how a gate, vector or matrix starts: ``{"f": bias(1.0), "decay": uniform(0.9, 0.999)}``;
    a gate may have a bias and a start of its recurrent matrix: ``{"n": (bias(-1.0), identity())}``.

    The function takes any of ``x, R, s, p, M`` and returns the new states in declared order. It
    runs once, here, on symbols.

    Raises CellError, with what to write instead, when the function is not one the language allows.
    """

    def decorate(function: Callable[..., Any]) -> Cell:
        states = _widths("state", state)
        declarations = _declare(
            gates=_names("gates", gates),
            states=states,
            vectors=_widths("vectors", vectors),
            matrices=_matrices(matrices),
            output=_names("output", output) if output is not None else tuple(name for name, _ in states[:1]),
        )
        program = _trace(function, declarations)
        given = {k: v if isinstance(v, tuple) else (v,) for k, v in (init or {}).items()}
        doc = inspect.cleandoc(function.__doc__ or "")
        return Cell(function.__name__, doc, program, _checked_init(program, given))

    return decorate


def _declare(**declared: Any) -> Declarations:
    try:
        return Declarations(**declared)
    except ProgramError as error:
        raise CellError(error.message, error.hint) from None


def _trace(function: Callable[..., Any], declarations: Declarations) -> Program:
    parameters = tuple(inspect.signature(function).parameters)
    unknown = [name for name in parameters if name not in ("x", "R", "s", "p", "M")]
    if unknown:
        raise CellError(
            f"a cell's function takes any of x, R, s, p, M, not {unknown[0]!r}.",
            "x: input, R: recurrent products, s: states, p: vectors, M: declared matrices.",
        )
    try:
        return trace(function, declarations, parameters)
    except CellError:
        raise
    except Exception as error:
        raise CellError(
            f"the function of cell {function.__name__!r} raised {type(error).__name__}: {error}.",
            "use only x, R, s, p, M, numbers, and the functions of ostinato.cells.",
        ) from error


_DECLARED = re.compile(r"(\w+)(?:\[(\w+(?:\s*,\s*\w+)*)\])?")


def _parse(keyword: str, text: str) -> list[tuple[str, list[str]]]:
    """Split ``"h[P] c"`` or ``"project[P,H]"`` into names and their widths."""
    if not isinstance(text, str):
        raise CellError(f"{keyword}= must be a string of names, not {text!r:.60}.", f'write {keyword}="a b".')
    parsed = []
    for item in re.sub(r"\s*,\s*", ",", text).split():
        match = _DECLARED.fullmatch(item)
        if not match:
            raise CellError(f"{item!r} in {keyword}= is not a name.", 'separate names with spaces, as in "h[P] c".')
        parsed.append((match[1], match[2].split(",") if match[2] else []))
    return parsed


def _names(keyword: str, text: str) -> tuple[str, ...]:
    for name, widths in _parse(keyword, text):
        if widths:
            raise CellError(f"{keyword}= takes names without widths, not {name}[{','.join(widths)}].")
    return tuple(name for name, _ in _parse(keyword, text))


def _widths(keyword: str, text: str) -> tuple[tuple[str, str], ...]:
    for name, widths in _parse(keyword, text):
        if len(widths) > 1:
            raise CellError(f"{name!r} in {keyword}= has one width, not {len(widths)}.", f"write {name}[{widths[0]}].")
    return tuple((name, widths[0] if widths else "H") for name, widths in _parse(keyword, text))


def _matrices(text: str) -> tuple[Matrix, ...]:
    for name, widths in _parse("matrices", text):
        if len(widths) != 2:
            raise CellError(f"matrix {name!r} needs rows and columns.", f"write {name}[P,H].")
    return tuple(Matrix(name, *widths) for name, widths in _parse("matrices", text))


def _checked_init(
    program: Program, init: Mapping[str, tuple[Initialiser, ...]]
) -> tuple[tuple[str, tuple[Initialiser, ...]], ...]:
    declared = [(gate, "gate") for gate in program.gates]
    declared += [(name, "vector") for name, _ in program.vectors]
    declared += [(matrix.name, "matrix") for matrix in program.matrices]
    for target, given in init.items():
        kinds = [kind for name, kind in declared if name == target]
        if not kinds:
            known = [name for name, _ in declared]
            raise CellError(f"init= names {target!r}, which is no gate, vector or matrix.", closest(target, known))
        if len(kinds) > 1:
            raise CellError(
                f"init= names {target!r}, which is both a {kinds[0]} and a {kinds[1]}.", "rename one of the two."
            )
        _check_initialisers(target, kinds[0], given)
        if kinds[0] == "gate" and target not in program.recurrent_gates:
            _check_only_bias(target, given)
    return tuple(init.items())


def _check_only_bias(gate: str, given: Iterable[Initialiser]) -> None:
    for item in given:
        if not isinstance(item, bias):
            raise CellError(
                f"init= gives gate {gate!r} {item!r}, which starts a recurrent matrix, but R.{gate} is not used.",
                "give it bias(…), or nothing.",
            )


def _check_initialisers(target: str, kind: str, given: Iterable[Any]) -> None:
    slots = []
    for item in given:
        if not isinstance(item, Initialiser) or kind not in item.targets:
            raise CellError(
                f"init= gives {kind} {target!r} {item!r}, which cannot start a {kind}.",
                "use bias, uniform, normal, constant, orthogonal or identity of ostinato.cells.",
            )
        slots.append("bias" if isinstance(item, bias) else "weights")
    if len(set(slots)) < len(slots):
        raise CellError(f"init= gives {kind} {target!r} two starts for the same thing.")
