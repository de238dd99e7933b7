"""The parts of a model as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from numpy.typing import NDArray

from ...architecture import (
    ActivationArchitecture,
    LastArchitecture,
    LinearArchitecture,
    ModelArchitecture,
    NormArchitecture,
    ParallelArchitecture,
    Part,
    RecurrentArchitecture,
    SoftmaxArchitecture,
    below,
)
from ...cells.activations import ACTIVATIONS, activation
from .graph import Graph
from .matching import of_one_value
from .ragged import Ragged
from .recurrent import Layer
from .scan import add_function

Array = NDArray[Any]
FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "leaky_relu": ("LeakyRelu", ("alpha",)),
    "thresholded_relu": ("ThresholdedRelu", ("alpha",)),
    "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
    "elu": ("Elu", ("alpha",)),
    "softsign": ("Softsign", ()),
    "selu": ("Selu", ()),
}
"""The activations that are one node and no operation of a program, and what ONNX calls their numbers."""


def state_inputs(architecture: ModelArchitecture) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield name and shape of every state that goes in, in the order of the runtime's: ``state.<layer>.<name>``."""
    layers = [stack for stack in _stacks(architecture.parts) for _ in range(stack.num_layers)]
    for layer, stack in enumerate(layers):
        for name, width in stack.program.states:
            directions = (2,) if stack.bidirectional else ()
            yield f"state.{layer}.{name}", (*directions, "batch", stack.widths[width])


def _stacks(parts: Sequence[Part]) -> Iterator[RecurrentArchitecture]:
    for part in parts:
        if isinstance(part, RecurrentArchitecture):
            yield part
        elif isinstance(part, ParallelArchitecture):
            for branch in part.branches:
                yield from _stacks(branch)


class Parts:
    """Appends parts to a graph, one after the other.

    weights: those of the whole model. layers: what each recurrent layer became. start: what is to be known of the
    states' start, by their names, where that is not zero: the numbers as JSON.

    Between parts, what stands beyond a sequence's length may be anything.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, Array]) -> None:
        self.graph, self.weights = graph, weights
        self.layers: list[str] = []
        self.start: dict[str, str] = {}

    def embedded(self, symbols: str) -> str:
        """Append the embedding; return x [T, B, E] of symbols [T, B]."""
        return self.graph.add("Gather", self._weight("embedding.weight"), symbols)

    def add_chain(self, parts: Sequence[Part], x: str, prefix: str, ragged: Ragged) -> str:
        """Append a chain whose weights' names begin with a prefix; return y [T, B, O], or [B, O] if it `reduces`."""
        for index, part in enumerate(parts):
            x = self._add(part, x, f"{prefix}{index}.", ragged)
        return x

    def _add(self, part: Part, x: str, prefix: str, ragged: Ragged) -> str:
        match part:
            case RecurrentArchitecture():
                return self._stack(part, x, prefix, ragged)
            case LinearArchitecture():
                return self._linear(part, x, prefix)
            case NormArchitecture():
                scale, shift = self._weight(f"{prefix}scale"), self._weight(f"{prefix}shift")
                return self.graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=part.epsilon)
            case ActivationArchitecture():
                return self._activation(part, x)
            case SoftmaxArchitecture():
                return self.graph.add("LogSoftmax" if part.log else "Softmax", x, axis=-1)
            case LastArchitecture():
                return self._last(part, x, ragged)
            case ParallelArchitecture():
                return self._parallel(part, x, prefix, ragged)

    def _weight(self, name: str) -> str:
        return self.graph.weight(name, self.weights[name])

    # ---- parts without memory

    def _linear(self, part: LinearArchitecture, x: str, prefix: str) -> str:
        name = f"{prefix}weight"
        y = self.graph.add("MatMul", x, self.graph.weight(name, self.weights[name].T))
        return self.graph.add("Add", y, self._weight(f"{prefix}bias")) if part.bias else y

    def _activation(self, part: ActivationArchitecture, x: str) -> str:
        known = ACTIVATIONS[part.function]
        given = {"alpha": part.alpha, "beta": part.beta}
        numbers: dict[str, Any] = {k: getattr(known, k) if value is None else value for k, value in given.items()}
        if part.function in FUNCTIONS:
            operation, names = FUNCTIONS[part.function]
            return self.graph.add(operation, x, **{name: numbers[name] for name in names})
        if part.function == "clip":
            return self.graph.add("Clip", x, *(self.graph.number(number) for number in numbers.values()))
        return add_function(self.graph, of_one_value(activation(part.function, part.alpha, part.beta)), x)

    def _last(self, part: LastArchitecture, x: str, ragged: Ragged) -> str:
        """Append a choice of one step of each sequence, [B, D] of [T, B, D]; zeros for a sequence without a step."""
        graph, one = self.graph, self.graph.integers(1)
        before = graph.add("Sub", ragged.lengths, one)
        if part.reverse:
            before = graph.add("Mul", before, graph.integers(0))
        # One index a sequence: [1, B, 1] would be widened over features; GatherND takes whole rows of [B, T, D].
        index = graph.add("Unsqueeze", graph.add("Max", before, graph.integers(0)), one)
        rows = graph.add("GatherND", graph.add("Transpose", x, perm=[1, 0, 2]), index, batch_dims=1)
        return ragged.only_some(rows, graph.number(0.0))

    def _parallel(self, part: ParallelArchitecture, x: str, prefix: str, ragged: Ragged) -> str:
        outputs = [
            self.add_chain(branch, x, f"{prefix}branches.{index}.", ragged)
            for index, branch in enumerate(part.branches)
        ]
        if part.merge == "concat":
            return self.graph.join(outputs)
        operation = "Mul" if part.merge == "mul" else "Add"
        total = reduce(lambda a, b: self.graph.add(operation, a, b), outputs)
        return self.graph.add("Div", total, self.graph.number(len(outputs))) if part.merge == "ave" else total

    def _stack(self, part: RecurrentArchitecture, x: str, prefix: str, ragged: Ragged) -> str:
        weights, size = below(prefix[:-1], self.weights), part.input_size
        for index in range(part.num_layers):
            layer = Layer(self.graph, part, weights, index, len(self.layers), prefix, ragged)
            y = layer.add(x)
            self.start |= layer.start()
            self.layers.append(layer.kind)
            is_residual = part.residual and size == part.output_size
            x, size = self.graph.add("Add", y, x) if is_residual else y, part.output_size
        return x
