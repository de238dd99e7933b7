"""One interpreter of programs, written over an array library; `numpy.py` and `torch.py` supply the library.

What depends on parameters alone is computed once, what depends on the input for all rows at once,
and only the rest step by step. Products that share their argument run as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..program import Program
from ..program.operations import ELEMENTWISE, REDUCTIONS, SOURCES
from ..program.program import Placement

Array = Any
"""An array of the library at hand: numpy.ndarray or torch.Tensor."""
Contract = Callable[[Array, Array], Array]
"""A product of rows with the elements of a matrix."""


@dataclass(frozen=True)
class Library:
    """What the interpreter needs of an array library, beside ``@``, ``+`` and slicing.

    operations: a function for each elementwise operation. reductions: for each row reduction, over the last axis,
    which stays with size 1. einsum: Einstein's summation, as in ``einsum("ij,j->i", a, b)``.
    rows: join arrays along the first axis. columns: join along the last.
    split_rows, split_columns: cut into pieces of the given sizes along the first or last axis.
    constant: a number as an array without axes, like another array. zeros: of a shape, like another.
    take: gather rows by index. put: the inverse, into zeros of the given number of rows.
    times: ``contract(v, matrix)`` for rows v and a matrix, which may be stored in a form of its own.
    """

    operations: Mapping[str, Callable[..., Array]]
    reductions: Mapping[str, Callable[[Array], Array]]
    einsum: Callable[..., Array]
    rows: Callable[[Sequence[Array]], Array]
    columns: Callable[[Sequence[Array]], Array]
    split_rows: Callable[[Array, Sequence[int]], Sequence[Array]]
    split_columns: Callable[[Array, Sequence[int]], Sequence[Array]]
    constant: Callable[[float, Array], Array]
    zeros: Callable[[tuple[int, ...], Array], Array]
    take: Callable[[Array, Any], Array]
    put: Callable[[Array, Any, int], Array]
    times: Callable[[Contract, Array, Any], Array] = lambda contract, v, matrix: contract(v, matrix)


@dataclass(frozen=True)
class Action:
    """Compute the slots `targets` from the slots `arguments`: one value, or one for each target."""

    targets: tuple[int, ...]
    function: Callable[..., Any]
    arguments: tuple[int, ...]


class Interpreter:
    """A program bound to weights, ready to run over one array library.

    weights: an array for each name of `Program.weight_shapes`; biases may be left out. like: an array
    whose type, and device, numbers take. What depends on parameters alone is computed in the first run, which
    tells the widths.
    """

    def __init__(self, program: Program, weights: Mapping[str, Array], library: Library, like: Array) -> None:
        self.program = program
        self.weights = weights
        self.library = library
        self.like = like
        self._parameters: list[Array] = [None] * len(program.instructions)
        self._actions: dict[Placement, list[Action]] = {"parameters": [], "input": [], "state": []}
        self._sources: dict[str, list[tuple[int, str]]] = {name: [] for name in SOURCES}
        for slot in range(len(program.instructions)):
            self._bind(slot)
        self._has_parameters = False
        self._read_by_step = self._input_slots_read_by_step()

    # ---- binding, once

    def _bind(self, slot: int) -> None:
        operation, arguments, name, value = self.program.instructions[slot]
        placement = self.program.placements[slot]
        if operation in ELEMENTWISE:
            self._actions[placement].append(Action((slot,), self.library.operations[operation], arguments))
        elif operation in REDUCTIONS:
            self._actions[placement].append(Action((slot,), self.library.reductions[operation], arguments))
        elif operation == "recurrent":
            self._bind_group(slot, arguments[0], placement)
        elif operation == "matrix":
            matrix = self.weights[f"M_{name}"]
            self._actions[placement].append(Action((slot,), lambda v: self.library.times(_dense, v, matrix), arguments))
        elif operation == "vector":
            self._parameters[slot] = self.weights[f"p_{name}"]
        elif operation == "constant":
            self._parameters[slot] = self.library.constant(value, self.like)
        else:
            self._sources[operation].append((slot, name))

    def _bind_group(self, slot: int, argument: int, placement: Placement) -> None:
        """Bind every recurrent product of `argument` at the first of them."""
        instructions = self.program.instructions
        group = [u for u in self.program.users[argument] if instructions[u].operation == "recurrent"]
        if slot != group[0]:
            return
        gates = [instructions[member].name for member in group]
        matrix, bias = self._stack(gates)
        sizes = [len(matrix) // len(group)] * len(group)
        split = self.library.split_columns

        def products(v: Array) -> Sequence[Array]:
            result = self._product(matrix, v, len(group))
            return split(result if bias is None else result + bias, sizes)

        def product(v: Array) -> Array:
            return products(v)[0]

        function = products if len(group) > 1 else product
        self._actions[placement].append(Action(tuple(group), function, (argument,)))

    def _product(self, matrix: Array, v: Array, gates: int) -> Array:
        """Return v [..., width] times the stacked matrices [G·H, width/heads] of some gates: [..., G·H]."""
        heads = v.shape[-1] // matrix.shape[-1]
        if heads == 1:
            return self.library.times(_dense, v, matrix)

        def by_blocks(v: Array, matrix: Array) -> Array:
            blocks = matrix.reshape(gates, heads, -1, matrix.shape[-1])
            parts = v.reshape(*v.shape[:-1], heads, -1)
            return self.library.einsum("...kj,gkij->...gki", parts, blocks).reshape(*v.shape[:-1], len(matrix))

        return self.library.times(by_blocks, v, matrix)

    def _stack(self, gates: list[str]) -> tuple[Array, Array | None]:
        """Return the recurrent matrices and biases of some gates, one under the other."""
        program, weights, rows = self.program, self.weights, self.library.rows
        matrices = self._blocks("R", program.recurrent_gates)
        everything = tuple(gates) == program.recurrent_gates
        matrix = weights["R"] if everything else rows([matrices[gate] for gate in gates])
        if "R_bias" not in weights or not set(gates) & set(program.recurrent_bias_gates):
            return matrix, None
        biases = self._blocks("R_bias", program.recurrent_bias_gates)
        none = self.library.zeros((len(matrix) // len(gates),), matrix)
        return matrix, rows([biases.get(gate, none) for gate in gates])

    def _blocks(self, name: str, gates: tuple[str, ...]) -> dict[str, Array]:
        stacked = self.weights[name]
        sizes = [len(stacked) // len(gates)] * len(gates)
        return dict(zip(gates, self.library.split_rows(stacked, sizes), strict=True))

    def _input_slots_read_by_step(self) -> list[int]:
        placements = self.program.placements
        read = {a for action in self._actions["state"] for a in action.arguments} | set(self.program.results)
        return [slot for slot in sorted(read) if placements[slot] == "input"]

    # ---- running

    def sequence(
        self,
        rows: Array,
        counts: Sequence[int],
        state: Sequence[Array],
        streams: Mapping[str, Array] | None = None,
    ) -> tuple[Array, list[Array]]:
        """Run over packed rows [N, D], `counts[t]` of them at step t, from a state [B, width] each.

        streams: packed rows [N, width] of each of the program's streams, by name.

        Returns the output's rows [N, O] and the state after each sequence's last step. At least one
        step is needed.
        """
        streams = streams or {}
        if not self._has_parameters:
            self._compute_parameters(self.program.measured_widths(self.weights, state, streams, rows))
        values = list(self._parameters)
        self._read_input(rows, values)
        for slot, name in self._sources["stream"]:
            values[slot] = streams[name]
        self._evaluate("input", values)
        per_step = [(slot, self.library.split_rows(values[slot], counts)) for slot in self._read_by_step]
        outputs: list[Array] = []
        state, ended = list(state), []
        for step, count in enumerate(counts):
            if count < len(state[0]):
                ended.append([part[count:] for part in state])
                state = [part[:count] for part in state]
            for slot, pieces in per_step:
                values[slot] = pieces[step]
            state = self._step(values, state)
            outputs.append(self._output(state))
        ended.append(state)
        return self.library.rows(outputs), [self.library.rows(parts) for parts in zip(*reversed(ended), strict=True)]

    def _compute_parameters(self, widths: Mapping[str, int]) -> None:
        for slot, letter in self._sources["size"]:
            self._parameters[slot] = self.library.constant(widths[letter], self.like)
        self._evaluate("parameters", self._parameters)
        self._has_parameters = True

    def _read_input(self, rows: Array, values: list[Array]) -> None:
        gates = self.program.input_gates
        for slot, _ in self._sources["raw"]:
            values[slot] = rows
        if gates:
            projected = self.library.times(_dense, rows, self.weights["W"])
            if "W_bias" in self.weights:
                projected = projected + self.weights["W_bias"]
            sizes = [projected.shape[-1] // len(gates)] * len(gates)
            pieces = dict(zip(gates, self.library.split_columns(projected, sizes), strict=True))
            for slot, gate in self._sources["input"]:
                values[slot] = pieces[gate]

    def _step(self, values: list[Array], state: list[Array]) -> list[Array]:
        named = dict(zip(self.program.state_names, state, strict=True))
        for slot, name in self._sources["state"]:
            values[slot] = named[name]
        self._evaluate("state", values)
        return [
            self._spread(values[slot], before) if self.program.placements[slot] == "parameters" else values[slot]
            for slot, before in zip(self.program.results, state, strict=True)
        ]

    def _spread(self, vector: Array, before: Array) -> Array:
        """Give every row the same new state, where that depends on parameters alone."""
        return vector + self.library.zeros(tuple(before.shape), before)

    def _output(self, state: list[Array]) -> Array:
        names = self.program.state_names
        parts = [state[names.index(name)] for name in self.program.output]
        return parts[0] if len(parts) == 1 else self.library.columns(parts)

    def _evaluate(self, placement: Placement, values: list[Array]) -> None:
        for action in self._actions[placement]:
            result = action.function(*[values[slot] for slot in action.arguments])
            if len(action.targets) == 1:
                values[action.targets[0]] = result
            else:
                for slot, value in zip(action.targets, result, strict=True):
                    values[slot] = value


def _dense(v: Array, matrix: Array) -> Array:
    return v @ matrix.T
