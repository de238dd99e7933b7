"""What follows from the lengths of sequences, as nodes of ONNX."""

from __future__ import annotations

from functools import cached_property

from .graph import Graph


class Ragged:
    """What follows from x [T, B, …] and the lengths [B] of its sequences; appended where it is asked for."""

    def __init__(self, graph: Graph, x: str, lengths: str) -> None:
        self.graph, self.x, self.lengths = graph, x, lengths

    @cached_property
    def short(self) -> str:
        """The lengths as the standard operators want them."""
        return self.graph.add("Cast", self.lengths, to=_type("INT32"))

    @cached_property
    def mask(self) -> str:
        """[T, B, 1]: whether a sequence has a step."""
        graph, zero, one = self.graph, self.graph.integers(0), self.graph.integers(1)
        steps = graph.add("Squeeze", graph.add("Slice", graph.add("Shape", self.x), zero, one), zero)
        numbers = graph.add("Unsqueeze", graph.add("Range", graph.integer(0), steps, graph.integer(1)), one)
        is_step = graph.add("Less", numbers, graph.add("Unsqueeze", self.lengths, zero))
        return graph.add("Unsqueeze", is_step, graph.integers(2), name="is_step")

    @cached_property
    def has_steps(self) -> str:
        """[B, 1]: whether a sequence has any."""
        is_some = self.graph.add("Greater", self.lengths, self.graph.integers(0))
        return self.graph.add("Unsqueeze", is_some, self.graph.integers(1), name="has_steps")

    def only_steps(self, y: str, name: str | None = None) -> str:
        """Append zeros in place of what y [T, B, O] is beyond each length."""
        return self.graph.add("Where", self.mask, y, self.graph.number(0.0), name=name)

    def only_some(self, new: str, old: str, name: str | None = None) -> str:
        """Append what is new [.., B, O] for sequences that have steps, and old for the others."""
        return self.graph.add("Where", self.has_steps, new, old, name=name)


def _type(name: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(name))
