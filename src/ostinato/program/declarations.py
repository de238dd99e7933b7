"""What a program declares: its gates, states, vectors, matrices and output, and what may be done with them."""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ..errors import ProgramError
from .operations import ELEMENTWISE, PRODUCTS, REDUCTIONS, SOURCES

SCALAR = "1"
"""The width of a number, be it a constant or one number a row; it fits any other width."""
MAX_NAMES = 200
"""More names of a kind, be it gates or vectors, than a step needs; bounds the work that a hostile file can ask for."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_WIDTH = re.compile(r"[A-Z][A-Za-z0-9_]{0,15}")


class Instruction(NamedTuple):
    """One instruction: an operation, the slots it uses, and the name or the number it is about."""

    operation: str
    arguments: tuple[int, ...] = ()
    name: str = ""
    value: float = 0.0


class Matrix(NamedTuple):
    """A declared matrix of shape [rows, columns], both letters."""

    name: str
    rows: str
    columns: str


class Type(NamedTuple):
    """What a slot holds: a vector of some width a row (or a number, width ``"1"``), or a mask of one."""

    width: str
    is_mask: bool = False

    def __str__(self) -> str:
        return "a comparison" if self.is_mask else "a number" if self.width == SCALAR else f"{self.width} wide"


@dataclass(frozen=True)
class Declarations:
    """The names that a step may use.

    gates: names, in the order in which their weights are stacked; each is H wide.
    states: name and width of each state. vectors: the same of each learned vector.
    matrices: the declared matrices. output: the states that a step puts out, joined in this order.
    streams: name and width of each stream, which may be one number a row. Only rewrites of a program and derivatives
    have any, no cell.

    Raises ProgramError when the names do not fit together.
    """

    gates: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    vectors: tuple[tuple[str, str], ...]
    matrices: tuple[Matrix, ...]
    output: tuple[str, ...]
    streams: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        for kind, names in (
            ("gate", self.gates),
            ("state", [name for name, _ in self.states]),
            ("vector", [name for name, _ in self.vectors]),
            ("matrix", [matrix.name for matrix in self.matrices]),
            ("state of the output", self.output),
            ("stream", [name for name, _ in self.streams]),
        ):
            if len(names) > MAX_NAMES:
                raise ProgramError(f"a program has at most {MAX_NAMES} names of a kind, not {len(names):,}.")
            for name in names:
                if not _NAME.fullmatch(name) or keyword.iskeyword(name):
                    raise ProgramError(
                        f"{name!r} is no name for a {kind}.",
                        "use letters, digits and underscores, and no keyword of Python's.",
                    )
            if len(set(names)) < len(names):
                raise ProgramError(f"a {kind} is named twice in {' '.join(names)!r}.")
        if "raw" in self.gates:
            raise ProgramError("a gate cannot be named 'raw': x.raw is the input itself.", "use another name.")
        if not self.states:
            raise ProgramError("a program needs at least one state.")
        if not self.output or not set(self.output) <= {name for name, _ in self.states}:
            raise ProgramError(f"the output {' '.join(self.output)!r} does not name states of the program.")
        for width in (*self.width_letters, *(width for _, width in self.states + self.vectors)):
            if not _WIDTH.fullmatch(width):
                raise ProgramError(f"{width!r} is no width.", "a width is a capital letter, such as H or P.")
            if width in ("B", "T", "D"):
                raise ProgramError(f"{width} is no width: it stands for batch, time or input.", "use P, for instance.")

    @property
    def declared_widths(self) -> list[str]:
        """The widths of the states, vectors, streams and matrices."""
        declared = [width for _, width in self.states + self.vectors + self.streams if width != SCALAR]
        return declared + [letter for matrix in self.matrices for letter in (matrix.rows, matrix.columns)]

    @cached_property
    def width_letters(self) -> tuple[str, ...]:
        """Every width of the program, H first."""
        return tuple(dict.fromkeys(["H", *self.declared_widths]))

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """The names of the states, in order."""
        return tuple(name for name, _ in self.states)

    def type_of(self, instruction: Instruction, types: Sequence[Type]) -> Type:
        """Return the type of an instruction's slot, given the types of the slots before it.

        Raises ProgramError for an unknown operation or name, a slot that is not defined yet, or
        widths that do not fit.
        """
        operation, arguments, name, value = instruction
        for slot in arguments:
            if not 0 <= slot < len(types):
                raise ProgramError(f"instruction {len(types)} uses slot {slot}, which is not defined before it.")
        given = [types[slot] for slot in arguments]
        if operation in SOURCES:
            return self._type_of_source(operation, given, name, value)
        if operation in PRODUCTS:
            return self._type_of_product(operation, given, name)
        if operation in REDUCTIONS:
            return self._type_of_reduction(operation, given)
        return self._type_of_elementwise(operation, given)

    def _type_of_source(self, operation: str, given: list[Type], name: str, value: float) -> Type:
        _check_count(operation, given, 0)
        if operation == "input":
            _check_known("gate", name, self.gates)
        elif operation == "state":
            return Type(_lookup("state", name, dict(self.states)))
        elif operation == "vector":
            return Type(_lookup("vector", name, dict(self.vectors)))
        elif operation == "stream":
            return Type(_lookup("stream", name, dict(self.streams)))
        elif operation == "size":
            _check_known("width", name, self.width_letters)
            return Type(SCALAR)
        elif operation == "constant":
            if not math.isfinite(value):
                raise ProgramError(f"a constant must be finite, not {value}.")
            return Type(SCALAR)
        return Type("H")

    def _type_of_product(self, operation: str, given: list[Type], name: str) -> Type:
        _check_count(operation, given, 1)
        (argument,) = given
        if argument.is_mask or argument.width == SCALAR:
            raise ProgramError(f"the product {name!r} needs a vector, not {argument}.")
        if operation == "recurrent":
            _check_known("gate", name, self.gates)
            return Type("H")
        matrix = _lookup("matrix", name, {matrix.name: matrix for matrix in self.matrices})
        if argument.width != matrix.columns:
            raise ProgramError(f"matrix {name!r} takes a vector of width {matrix.columns}, not {argument.width}.")
        return Type(matrix.rows)

    def _type_of_reduction(self, operation: str, given: list[Type]) -> Type:
        _check_count(operation, given, 1)
        (argument,) = given
        if argument.is_mask or argument.width == SCALAR:
            raise ProgramError(f"{operation!r} needs a vector, not {argument}.")
        return Type(SCALAR)

    def _type_of_elementwise(self, operation: str, given: list[Type]) -> Type:
        known = _lookup("operation", operation, ELEMENTWISE)
        _check_count(operation, given, known.arity)
        if [value.is_mask for value in given] != [known.takes_mask and i == 0 for i in range(len(given))]:
            raise ProgramError(
                f"{operation!r} was given {', '.join(map(str, given))}.",
                "a comparison is only of use as the first argument of where, and where needs one.",
            )
        widths = {value.width for value in given} - {SCALAR}
        if len(widths) > 1:
            raise ProgramError(
                f"{operation!r} needs values of one width, not {' and '.join(sorted(widths))}.",
                "a declared matrix takes a value from one width to another.",
            )
        return Type(widths.pop() if widths else SCALAR, known.yields_mask)


def _check_count(operation: str, given: list[Type], count: int) -> None:
    if len(given) != count:
        raise ProgramError(f"{operation!r} takes {count} values, not {len(given)}.")


def _check_known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ProgramError(f"{kind} {name!r} is not declared; declared: {' '.join(known) or 'none'}.")


def _lookup(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    _check_known(kind, name, list(known))
    return known[name]
