"""A recurrent layer as nodes of ONNX: a standard operator where its cell is one, else a Scan of its program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...architecture import RecurrentArchitecture
from ..operators import STATES, activations_to_onnx, weights_to_onnx
from .graph import Graph
from .matching import Match, match
from .ragged import Ragged
from .scan import Scanned

Array = NDArray[Any]


@dataclass(frozen=True)
class Layer:
    """One layer of a stack.

    weights: those of the stack, by the names of its `weight_shapes`; they stand in the file under `prefix`. index: the
    layer's number in the stack, number: in the model. It reads ``state.<number>.<name>`` [B, H], or [2, B, H] if
    bidirectional, and writes ``new_state.<number>.<name>``.
    """

    graph: Graph
    part: RecurrentArchitecture
    weights: Mapping[str, Array]
    index: int
    number: int
    prefix: str
    ragged: Ragged

    @cached_property
    def states(self) -> list[str]:
        """The names of the inputs for the states."""
        return [f"state.{self.number}.{name}" for name in self.part.program.state_names]

    @cached_property
    def _match(self) -> Match | None:
        return match(self.part.program) if self.part.heads == 1 else None

    @property
    def kind(self) -> str:
        """What the layer becomes."""
        return f"Scan of {self.part.cell.name}" if self._match is None else self._match.operator.kind

    def start(self) -> dict[str, str]:
        """Return the numbers of each state's learned start, as JSON, by the name of its input; nothing without."""
        directions = [self.part.initial_state_names(self.index, k) for k in range(self.part.num_directions)]
        start = {}
        for state, *names in zip(self.states, *directions, strict=True):
            learned = [self.weights[name].tolist() for name in names if name in self.weights]
            if learned:
                start[state] = json.dumps(learned if self.part.bidirectional else learned[0])
        return start

    def add(self, x: str) -> str:
        """Append the layer; return y [T, B, O] of x [T, B, D]. Beyond each length it may be anything."""
        return self._add_scans(x) if self._match is None else self._add_operator(x, self._match)

    def _own(self, direction: int) -> dict[str, Array]:
        return self.part.layer_weights(self.weights, self.index, direction)

    # ---- a standard operator, both directions as one

    def _add_operator(self, x: str, found: Match) -> str:
        graph, is_both = self.graph, self.part.bidirectional
        W, R, B, P = self._operator_weights(found)
        # The operator's states stand in its own order, and have an axis of directions.
        names = self.part.program.state_names
        states = [self.states[names.index(found.names["state", name])] for name in STATES[found.operator.kind]]
        before = [state if is_both else graph.add("Unsqueeze", state, graph.integers(0)) for state in states]
        inputs = [x, W, R, B, self.ragged.short, *before, *([P] if P else [])]
        results = [graph.unused("y"), *(graph.unused("state") for _ in states)]
        y, *after = graph.add_many(found.operator.kind, inputs, results, **self._attributes(found))
        for state, new in zip(states, after, strict=True):
            new = new if is_both else graph.add("Squeeze", new, graph.integers(0))
            # For a sequence without steps ONNX Runtime returns zeros.
            self.ragged.only_some(new, state, name=f"new_{state}")
        if not is_both:
            return graph.add("Squeeze", y, graph.integers(1))
        return graph.add("Reshape", graph.add("Transpose", y, perm=[0, 2, 1, 3]), graph.integers(0, 0, -1))

    def _operator_weights(self, found: Match) -> list[str]:
        """Return W, R, B and P, one direction after the other; an empty name for what there is not."""
        program, directions = self.part.program, range(self.part.num_directions)
        each = [weights_to_onnx(found.operator, program, found.names, self._own(k)) for k in directions]
        return [
            "" if arrays[0] is None else self.graph.weight(f"{self.prefix}layers.{self.index}.{name}", np.stack(arrays))
            for name, arrays in zip("WRBP", zip(*each, strict=True), strict=True)
        ]

    def _attributes(self, found: Match) -> dict[str, Any]:
        operator, part = found.operator, self.part
        attributes: dict[str, Any] = {"hidden_size": part.hidden_size}
        attributes["direction"] = "bidirectional" if part.bidirectional else "reverse" if part.reverse else "forward"
        attributes |= activations_to_onnx(operator.activations * part.num_directions)
        attributes |= {} if operator.clip is None else {"clip": operator.clip}
        if operator.kind == "LSTM":
            attributes["input_forget"] = int(operator.input_forget)
        elif operator.kind == "GRU":
            attributes["linear_before_reset"] = int(operator.linear_before_reset)
        return attributes

    # ---- a Scan, one a direction

    def _add_scans(self, x: str) -> str:
        if not self.part.bidirectional:
            y, after = self._scanned(0).run(x, self.states, self.ragged.mask, self.part.reverse)
            for state, new in zip(self.states, after, strict=True):
                self.graph.add("Identity", new, name=f"new_{state}")
            return y
        outputs, finals = [], []
        for direction in (0, 1):
            before = [self._of_direction(state, direction) for state in self.states]
            y, after = self._scanned(direction).run(x, before, self.ragged.mask, reverse=direction == 1)
            outputs.append(y)
            finals.append(after)
        for state, *both in zip(self.states, *finals, strict=True):
            pair = [self.graph.add("Unsqueeze", new, self.graph.integers(0)) for new in both]
            self.graph.add("Concat", *pair, axis=0, name=f"new_{state}")
        return self.graph.join(outputs)

    def _scanned(self, direction: int) -> Scanned:
        prefix = f"{self.prefix}layers.{self.index}.{direction}."
        return Scanned(self.graph, self.part.program, self._own(direction), self.part.widths, prefix)

    def _of_direction(self, state: str, direction: int) -> str:
        """Append one direction's state [B, H] of [2, B, H]."""
        return self.graph.add("Gather", state, self.graph.integer(direction), axis=0)
