"""A program as nodes of ONNX: what depends on the state in the body of a Scan, everything else around it, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...program import Program
from ...program.declarations import SCALAR
from ...program.operations import ELEMENTWISE
from ...program.pruning import needed
from .graph import Graph

Array = NDArray[Any]
OPERATIONS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negate": "Neg",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "equal": "Equal",
    "where": "Where",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "exp": "Exp",
    "log": "Log",
    "softplus": "Softplus",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "sin": "Sin",
    "cos": "Cos",
    "maximum": "Max",
    "minimum": "Min",
}
"""ONNX's operator for each elementwise operation but those of `add_elementwise`."""


def add_elementwise(graph: Graph, operation: str, arguments: Sequence[str]) -> str:
    """Append an elementwise operation of a program; return its result."""
    if operation == "square":
        return graph.add("Mul", *arguments, *arguments)
    if operation == "not_equal":
        return graph.add("Not", graph.add("Equal", *arguments))
    return graph.add(OPERATIONS[operation], *arguments)


def add_function(graph: Graph, program: Program, x: str) -> str:
    """Append a program of elementwise operations over one value, its only input; return its result."""
    values: list[str] = []
    for operation, arguments, _, number in program.instructions:
        if operation == "input":
            values.append(x)
        elif operation == "constant":
            values.append(graph.number(number))
        else:
            values.append(add_elementwise(graph, operation, [values[slot] for slot in arguments]))
    return values[program.results[0]]


class Scanned:
    """One layer and direction of any cell, as a Scan.

    weights: by the names of `Program.weight_shapes`; they stand in the file under `prefix`, matrices transposed.
    widths: a size for each of the program's letters.
    """

    def __init__(
        self, graph: Graph, program: Program, weights: Mapping[str, Array], widths: Mapping[str, int], prefix: str
    ) -> None:
        self.graph, self.program, self.weights, self.prefix = graph, program, weights, prefix
        self.widths = {**widths, SCALAR: 1}
        self._slots = sorted(needed(program.instructions, program.results))
        self._values: dict[int, str] = {}
        """The name of each slot's value, in the graph or in the loop's body."""

    def run(self, x: str, state: Sequence[str], mask: str, reverse: bool) -> tuple[str, list[str]]:
        """Append all nodes. x [T, B, D]; state [B, width] each; mask [T, B, 1]: which steps a sequence has.

        Returns y [T, B, O], zero where the mask is not, and the state after each sequence's last step.
        """
        self._add_input(x)
        self._add_all(self.graph, ("parameters", "input"))
        read = self._read_by_step()
        over_time = [mask, *(self._values[slot] for slot in read)]
        body = self._body(read)
        results = [self.graph.unused(f"new_{name}") for name in self.program.state_names]
        *after, y = self.graph.add_many(
            "Scan",
            [*state, *over_time],
            [*results, self.graph.unused("y")],
            body=body.finished(self.graph.unused(f"step_of_{self.prefix}")),
            num_scan_inputs=len(over_time),
            scan_input_directions=[int(reverse)] * len(over_time),
            scan_output_directions=[int(reverse)],
        )
        return y, after

    def _body(self, read: Sequence[int]) -> Graph:
        """Return one step: it reads states, mask and slots, and puts out states, held where the mask is not, and y."""
        body, program = self.graph.body(), self.program
        before = [body.read(body.unused(name), ("batch", self.widths[width])) for name, width in program.states]
        mask = body.read(body.unused("mask"), ("batch", 1), "BOOL")
        for slot in read:
            width, is_mask = program.types[slot]
            kind = "BOOL" if is_mask else "FLOAT"
            self._values[slot] = body.read(body.unused("step"), ("batch", self.widths[width]), kind)
        states = dict(zip(program.state_names, before, strict=True))
        for slot, instruction in enumerate(program.instructions):
            if instruction.operation == "state":
                self._values[slot] = states[instruction.name]
        self._add_all(body, ("state",))
        held = {}
        for (name, width), slot, old in zip(program.states, program.results, before, strict=True):
            # A new state may be narrower in axes than a batch, where it depends on parameters alone: Where widens it.
            held[name] = body.add("Where", mask, self._values[slot], old)
            body.write(held[name], ("batch", self.widths[width]))
        joined = body.join([held[name] for name in program.output])
        y = body.add("Where", mask, joined, body.number(0.0))
        body.write(y, ("batch", program.output_width(self.widths)))
        return body

    def _read_by_step(self) -> list[int]:
        """Return the slots that the body reads step by step: of all that is computed before it from x."""
        by_step = [self.program.instructions[slot] for slot in self._slots if self._place(slot) == "state"]
        used = {argument for instruction in by_step for argument in instruction.arguments}
        return [slot for slot in sorted(used | set(self.program.results)) if self._place(slot) == "input"]

    def _place(self, slot: int) -> str:
        return self.program.placements[slot]

    # ---- instructions

    def _add_input(self, x: str) -> None:
        gates, graph = self.program.input_gates, self.graph
        pieces: dict[str, str] = {}
        if gates:
            product = graph.add("MatMul", x, graph.weight(f"{self.prefix}W", self.weights["W"].T))
            if "W_bias" in self.weights:
                product = graph.add("Add", product, graph.weight(f"{self.prefix}W_bias", self.weights["W_bias"]))
            pieces = dict(zip(gates, graph.split(product, len(gates), self.widths["H"]), strict=True))
        for slot, instruction in enumerate(self.program.instructions):
            if instruction.operation == "raw":
                self._values[slot] = x
            elif instruction.operation == "input":
                self._values[slot] = pieces[instruction.name]

    def _add_all(self, graph: Graph, places: tuple[str, ...]) -> None:
        for slot in self._slots:
            if self._place(slot) in places and slot not in self._values:
                self._add(graph, slot)

    def _add(self, graph: Graph, slot: int) -> None:
        operation, slots, name, value = self.program.instructions[slot]
        if operation == "recurrent":
            self._add_products(graph, slots[0])
            return
        arguments = [self._values[argument] for argument in slots]
        if operation in ELEMENTWISE:
            result = add_elementwise(graph, operation, arguments)
        elif operation == "sum":
            result = graph.add("ReduceSum", *arguments, graph.integers(-1), keepdims=1)
        elif operation == "matrix":
            result = graph.add(
                "MatMul", *arguments, graph.weight(f"{self.prefix}M_{name}", self.weights[f"M_{name}"].T)
            )
        elif operation == "vector":
            result = graph.weight(f"{self.prefix}p_{name}", self.weights[f"p_{name}"])
        else:
            result = graph.number(value if operation == "constant" else self.widths[name])
        self._values[slot] = result

    def _add_products(self, graph: Graph, argument: int) -> None:
        """Append every recurrent product of a slot, as one."""
        instructions = self.program.instructions
        users = [user for user in self.program.users[argument] if user in self._slots]
        slots = [user for user in users if instructions[user].operation == "recurrent"]
        gates = [instructions[slot].name for slot in slots]
        product = self._product(graph, self._values[argument], len(self._shape_of(argument)), gates)
        if "R_bias" in self.weights and set(gates) & set(self.program.recurrent_bias_gates):
            bias = self._stacked("R_bias", self.program.recurrent_bias_gates, gates)
            product = graph.add("Add", product, graph.weight(f"{self.prefix}R_bias.{'.'.join(gates)}", bias))
        self._values |= zip(slots, graph.split(product, len(gates), self.widths["H"]), strict=True)

    def _product(self, graph: Graph, v: str, axes: int, gates: Sequence[str]) -> str:
        """Append v [..., width] times the stacked matrices [G·H, width/heads] of some gates."""
        matrix = self._stacked("R", self.program.recurrent_gates, gates)
        name = f"{self.prefix}R.{'.'.join(gates)}"
        heads = self.widths[self.program.recurrent_width] // matrix.shape[1]
        if heads == 1:
            return graph.add("MatMul", v, graph.weight(name, matrix.T))
        blocks = graph.weight(name, matrix.reshape(len(gates), heads, -1, matrix.shape[1]))
        outer = [0] * (axes - 1)
        parts = graph.add("Reshape", v, graph.integers(*outer, heads, -1))
        letters = "tb"[-len(outer) :] if outer else ""
        products = graph.add("Einsum", parts, blocks, equation=f"{letters}kj,gkij->{letters}gki")
        return graph.add("Reshape", products, graph.integers(*outer, -1))

    def _shape_of(self, slot: int) -> tuple[str, ...]:
        """Return the letters of a slot's axes."""
        return {"parameters": ("H",), "input": ("T", "B", "H"), "state": ("B", "H")}[self._place(slot)]

    def _stacked(self, name: str, known: Sequence[str], gates: Sequence[str]) -> Array:
        """Return the weights of some gates, one under the other; zeros for those that have none."""
        blocks = dict(zip(known, np.split(self.weights[name], len(known)), strict=True))
        nothing = np.zeros_like(next(iter(blocks.values())))
        return np.concatenate([blocks.get(gate, nothing) for gate in gates])
