"""A program: what one step of a recurrence computes, as an immutable list of instructions.

Static single assignment: instruction k defines slot k, and may use only slots before it. A
program names its gates, states, vectors and matrices but holds no weights and no sizes: widths are
letters (H, P, …) until a layer gives them numbers.

It can be printed, compared, checked, run (`ostinato.engine`) and turned into plain data and back,
so that a model file can carry it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import msgspec

from ..errors import ProgramError, ShapeError
from .declarations import Declarations, Instruction, Matrix, Type
from .operations import ELEMENTWISE, PRODUCTS, REDUCTIONS, SOURCES

MAX_INSTRUCTIONS = 2_000
"""More than any step needs; bounds the work that a hostile file can ask for."""

Placement = Literal["parameters", "input", "state"]


@dataclass(frozen=True)
class Program(Declarations):
    """One step of a recurrence: its declarations and the instructions over them.

    instructions: the step. results: the slot of each state after the step, in the states' order.
    types: what each slot holds; derived. text: the program in writing, of which equal programs have the same; derived.

    Two programs are equal when all their parts are. Raises ProgramError when the parts do not fit
    together.
    """

    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]
    types: tuple[Type, ...] = field(init=False, compare=False, repr=False)
    text: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.instructions) > MAX_INSTRUCTIONS:
            raise ProgramError(
                f"a program holds at most {MAX_INSTRUCTIONS:,} instructions, not {len(self.instructions):,}."
            )
        types: list[Type] = []
        for instruction in self.instructions:
            types.append(self.type_of(instruction, types))
        object.__setattr__(self, "types", tuple(types))
        self._check_recurrent_width()
        self._check_sizes()
        self._check_results()
        object.__setattr__(self, "text", msgspec.json.encode(self.to_data()).decode())

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Program) else NotImplemented

    def __hash__(self) -> int:
        # A string knows its hash; that of many instructions would be computed at every look-up.
        return hash(self.text)

    def _check_recurrent_width(self) -> None:
        widths = {self.types[i.arguments[0]].width for i in self.instructions if i.operation == "recurrent"}
        if len(widths) > 1:
            raise ProgramError(
                f"the recurrent matrices take values of one width, not {' and '.join(sorted(widths))}.",
                'declare a matrix for the others: matrices="name[H,P]", used as M.name(v).',
            )

    def _check_sizes(self) -> None:
        """Check that something is as wide as each size that is used: H alone may be a width that nothing has."""
        known = {width for width, _ in self.types} | set(self.declared_widths)
        for operation, _, name, _ in self.instructions:
            if operation == "size" and name not in known:
                raise ProgramError(f"size({name}) is used, but nothing in this program is {name} wide.")

    def _check_results(self) -> None:
        if len(self.results) != len(self.states):
            raise ProgramError(f"{len(self.states)} states need as many results, not {len(self.results)}.")
        for (name, width), slot in zip(self.states, self.results, strict=True):
            if not 0 <= slot < len(self.types):
                raise ProgramError(f"the new state {name!r} is slot {slot}, which no instruction defines.")
            if self.types[slot] != Type(width):
                raise ProgramError(f"the new state {name!r} must be {width} wide, but what came is {self.types[slot]}.")

    # ---- what the instructions say of the weights

    @cached_property
    def input_gates(self) -> tuple[str, ...]:
        """The gates with an input matrix: those whose ``x.<gate>`` is used, in declared order."""
        return self._gates_of("input")

    @cached_property
    def recurrent_gates(self) -> tuple[str, ...]:
        """The gates with a recurrent matrix: those whose ``R.<gate>`` is used, in declared order."""
        return self._gates_of("recurrent")

    @cached_property
    def recurrent_bias_gates(self) -> tuple[str, ...]:
        """The gates whose recurrent product has a bias of its own.

        A product that is only ever added to its own gate's ``x.<gate>`` needs none: the input's bias
        does the same. Any other product has one, as the reset gate's n in torch's GRU.
        """
        return tuple(gate for gate in self.recurrent_gates if not self._only_added_to_input(gate))

    @cached_property
    def reads_raw_input(self) -> bool:
        """Whether ``x.raw`` is used, so that the input must be H wide."""
        return any(instruction.operation == "raw" for instruction in self.instructions)

    @cached_property
    def recurrent_width(self) -> str:
        """The letter of the width that the recurrent matrices take."""
        for instruction in self.instructions:
            if instruction.operation == "recurrent":
                return self.types[instruction.arguments[0]].width
        return "H"

    def output_width(self, widths: Mapping[str, int]) -> int:
        """Return the width of a step's output, given a number for each letter."""
        declared = dict(self.states)
        return sum(widths[declared[name]] for name in self.output)

    def weight_shapes(
        self, input_size: int, widths: Mapping[str, int], bias: bool = True, heads: int = 1
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight that a run of this program needs, by name.

        ``W`` [G·H, D] and ``W_bias`` [G·H] over `input_gates`, ``R`` [G·H, width/heads] over
        `recurrent_gates`, ``R_bias`` [G·H] over `recurrent_bias_gates`, ``p_<vector>``, ``M_<matrix>``.

        With heads, a gate's recurrent matrix is block-diagonal: rows k·H/heads … (k + 1)·H/heads - 1 multiply only
        the same part, the k-th, of the argument's units.

        Raises ShapeError when ``x.raw`` is used and the input is not H wide, or when a width does not divide by heads.
        """
        hidden = widths["H"]
        if self.reads_raw_input and input_size != hidden:
            raise ShapeError(
                f"this cell uses x.raw, the input itself, so D must equal H={hidden}; got D={input_size}.",
                "use x.<gate> for an input of another width.",
            )
        for letter in dict.fromkeys(("H", self.recurrent_width)):
            if self.recurrent_gates and widths[letter] % heads:
                raise ShapeError(
                    f"{heads} heads need a width {letter} that divides by {heads}, not {widths[letter]}.",
                    "choose another number of heads, or another size.",
                )
        shapes: dict[str, tuple[int, ...]] = {}
        if self.input_gates:
            shapes["W"] = (len(self.input_gates) * hidden, input_size)
            shapes["W_bias"] = (len(self.input_gates) * hidden,)
        if self.recurrent_gates:
            shapes["R"] = (len(self.recurrent_gates) * hidden, widths[self.recurrent_width] // heads)
        if self.recurrent_bias_gates:
            shapes["R_bias"] = (len(self.recurrent_bias_gates) * hidden,)
        shapes |= {f"p_{name}": (widths[width],) for name, width in self.vectors}
        shapes |= {f"M_{name}": (widths[rows], widths[columns]) for name, rows, columns in self.matrices}
        return {name: shape for name, shape in shapes.items() if bias or name not in ("W_bias", "R_bias")}

    def measured_widths(
        self, weights: Mapping[str, Any], state: Sequence[Any], streams: Mapping[str, Any], x: Any
    ) -> dict[str, int]:
        """Return the size of each width letter, read off the arrays of a run: the inverse of `weight_shapes`.

        weights: by the names of `weight_shapes`. state: [..., width] each. streams: by name, [..., width] each.
        x: [..., D]. H is left out where nothing is that wide.
        """
        widths = {width: part.shape[-1] for (_, width), part in zip(self.states, state, strict=True)}
        widths |= {width: streams[name].shape[-1] for name, width in self.streams}
        widths |= {width: weights[f"p_{name}"].shape[0] for name, width in self.vectors}
        for name, rows, columns in self.matrices:
            widths[rows], widths[columns] = weights[f"M_{name}"].shape
        if self.input_gates:
            widths["H"] = weights["W"].shape[0] // len(self.input_gates)
        elif self.recurrent_gates:
            widths["H"] = weights["R"].shape[0] // len(self.recurrent_gates)
        elif self.reads_raw_input:
            widths["H"] = x.shape[-1]
        return widths

    def _gates_of(self, operation: str) -> tuple[str, ...]:
        used = {instruction.name for instruction in self.instructions if instruction.operation == operation}
        return tuple(gate for gate in self.gates if gate in used)

    def _only_added_to_input(self, gate: str) -> bool:
        tops = {
            self._top_of_sum(slot)
            for slot, instruction in enumerate(self.instructions)
            if instruction.operation == "recurrent" and instruction.name == gate
        }
        return all(("input", gate) in self._addends(top) for top in tops)

    def _top_of_sum(self, slot: int) -> int:
        """Follow a slot upwards through additions, as long as it is used once."""
        while slot not in self.results and len(users := self.users[slot]) == 1:
            (user,) = users
            if self.instructions[user].operation != "add":
                break
            slot = user
        return slot

    def _addends(self, slot: int) -> set[tuple[str, str]]:
        """Return operation and name of every term of the sum that a slot holds."""
        terms, seen, open_slots = set(), set(), [slot]
        while open_slots:
            slot = open_slots.pop()
            operation, arguments, name, _ = self.instructions[slot]
            if operation != "add":
                terms.add((operation, name))
            elif slot not in seen:
                open_slots.extend(arguments)
            seen.add(slot)
        return terms

    # ---- what the instructions say of the order of work

    @cached_property
    def users(self) -> tuple[tuple[int, ...], ...]:
        """For each slot, the instructions that use it; one that uses it twice stands twice."""
        users: list[list[int]] = [[] for _ in self.instructions]
        for index, instruction in enumerate(self.instructions):
            for slot in instruction.arguments:
                users[slot].append(index)
        return tuple(map(tuple, users))

    @cached_property
    def placements(self) -> tuple[Placement, ...]:
        """What each slot depends on: parameters alone (computed once a call), the input (for all steps
        at once), or the state (step by step).
        """
        placements: list[Placement] = []
        for operation, arguments, _, _ in self.instructions:
            below = {placements[slot] for slot in arguments}
            if operation == "state" or "state" in below:
                placements.append("state")
            elif operation in ("input", "raw", "stream") or "input" in below:
                placements.append("input")
            else:
                placements.append("parameters")
        return tuple(placements)

    # ---- printed and plain forms

    def __str__(self) -> str:
        declared = [
            ("gates", " ".join(self.gates)),
            ("states", " ".join(f"{name}[{width}]" for name, width in self.states)),
            ("vectors", " ".join(f"{name}[{width}]" for name, width in self.vectors)),
            ("matrices", " ".join(f"{name}[{rows},{columns}]" for name, rows, columns in self.matrices)),
            ("output", " ".join(self.output)),
            ("streams", " ".join(f"{name}[{width}]" for name, width in self.streams)),
        ]
        lines = [f"{title:9}{text}" for title, text in declared if text]
        lines += [
            f"  {f'v{slot}':>4} = {_print(instruction):24} [{self.types[slot].width}]"
            for slot, instruction in enumerate(self.instructions)
        ]
        lines += [f"  {name:>4} ← v{slot}" for name, slot in zip(self.state_names, self.results, strict=True)]
        return "\n".join(lines)

    def to_data(self) -> list[Any]:
        """Return the program as plain data: lists, numbers and strings only."""
        return [
            list(self.gates),
            [list(state) for state in self.states],
            [list(vector) for vector in self.vectors],
            [list(matrix) for matrix in self.matrices],
            list(self.output),
            [_to_data(instruction) for instruction in self.instructions],
            list(self.results),
            *([[list(stream) for stream in self.streams]] if self.streams else []),
        ]

    @classmethod
    def from_text(cls, text: str) -> Program:
        """Build a program from its text, checking everything. Raises ProgramError, whatever the text."""
        try:
            data = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise ProgramError(f"this is not a program's text: {error}.") from None
        return cls.from_data(data)

    @classmethod
    def from_data(cls, data: Any) -> Program:
        """Build a program from what `to_data` returned, checking everything.

        Raises ProgramError, whatever the data.
        """
        try:
            gates, states, vectors, matrices, output, instructions, results, *streams = _list(data)
            if streams and (len(streams) > 1 or streams[0] == []):
                raise ProgramError("this is not a program's data: it has more parts than a program.")
            return cls(
                gates=_strings(gates),
                states=tuple(_pair(state) for state in _list(states)),
                vectors=tuple(_pair(vector) for vector in _list(vectors)),
                matrices=tuple(Matrix(*_strings(matrix)) for matrix in _list(matrices)),
                output=_strings(output),
                instructions=tuple(_from_data(item) for item in _list(instructions)),
                results=_slots(results),
                streams=tuple(_pair(stream) for stream in _list(streams[0])) if streams else (),
            )
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, ProgramError):
                raise
            raise ProgramError(f"this is not a program's data: {error}.") from None


def _print(instruction: Instruction) -> str:
    operation, arguments, name, value = instruction
    slots = [f"v{slot}" for slot in arguments]
    if operation in ELEMENTWISE:
        return ELEMENTWISE[operation].text.format(*slots)
    if operation == "size" or operation in REDUCTIONS:
        return f"{operation}({name or slots[0]})"
    prefix = {
        "input": "x",
        "raw": "x",
        "state": "s",
        "vector": "p",
        "stream": "stream",
        "recurrent": "R",
        "matrix": "M",
    }
    if operation == "constant":
        return repr(value)
    return f"{prefix[operation]}.{name or 'raw'}" + (f"({slots[0]})" if slots else "")


def _to_data(instruction: Instruction) -> list[Any]:
    operation, arguments, name, value = instruction
    if operation == "constant":
        return [operation, float(value)]
    return [operation, *([name] if name else []), *arguments]


def _from_data(item: Any) -> Instruction:
    operation, *rest = _list(item)
    if operation == "constant":
        (value,) = rest
        if type(value) not in (int, float):
            raise ProgramError(f"a constant must be a number, not {reprlib.repr(value)}.")
        return Instruction(operation, value=float(value))
    named = operation in (*SOURCES, *PRODUCTS) and operation != "raw"
    name, slots = (rest[0], rest[1:]) if named and rest else ("", rest)
    _strings([operation, name])
    return Instruction(operation, _slots(slots), name)


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ProgramError(f"expected a list, not {reprlib.repr(data)}.")
    return data


def _strings(data: Any) -> tuple[str, ...]:
    for item in _list(data):
        if not isinstance(item, str):
            raise ProgramError(f"expected a name, not {reprlib.repr(item)}.")
    return tuple(data)


def _pair(data: Any) -> tuple[str, str]:
    name, width = _strings(data)
    return name, width


def _slots(data: Any) -> tuple[int, ...]:
    for item in _list(data):
        if type(item) is not int:
            raise ProgramError(f"expected the number of a slot, not {reprlib.repr(item)}.")
    return tuple(data)
