"""What a model is made of, apart from its weights: shared by training, the model file and the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .program.rewrite import expected_zoneout

if TYPE_CHECKING:
    from .cells import Cell
    from .program import Program


@dataclass(frozen=True)
class RecurrentArchitecture:
    """A stack of L layers of one cell with H units over D features: what `ostinato.nn.Recurrent` is built from.

    further_widths: sizes for the cell's width letters beside H. zoneout: the probability that a unit keeps its old
    value, by state; what runs then is the expectation. The other fields mean what they mean to `ostinato.nn.Recurrent`.
    """

    cell: Cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    bidirectional: bool = False
    residual: bool = False
    heads: int = 1
    learned_initial_state: bool = False
    further_widths: Mapping[str, int] = field(default_factory=dict)
    zoneout: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def program(self) -> Program:
        """The program that runs outside of training."""
        kept = {name: p for name, p in self.zoneout.items() if p}
        return expected_zoneout(self.cell.program, kept) if kept else self.cell.program

    @property
    def widths(self) -> dict[str, int]:
        """A size for each of the cell's width letters."""
        return {"H": self.hidden_size} | dict(self.further_widths)

    @property
    def num_directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """O, the width of the stack's output."""
        return self.cell.program.output_width(self.widths) * self.num_directions

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by its name: ``layers.<layer>.<direction>.<name>``."""
        shapes: dict[str, tuple[int, ...]] = {}
        program, widths = self.cell.program, self.widths
        for layer in range(self.num_layers):
            size = self.input_size if layer == 0 else self.output_size
            own = program.weight_shapes(size, widths, self.bias, self.heads)
            starts = {f"initial_{name}": (widths[width],) for name, width in program.states}
            own |= starts if self.learned_initial_state else {}
            for direction in range(self.num_directions):
                shapes |= {_prefix(layer, direction) + name: shape for name, shape in own.items()}
        return shapes

    def layer_weights(self, weights: Mapping[str, Any], layer: int, direction: int = 0) -> dict[str, Any]:
        """Return the weights of one layer and direction, by the names of `Program.weight_shapes`."""
        prefix = _prefix(layer, direction)
        own = {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
        return {name: array for name, array in own.items() if not name.startswith("initial_")}

    def initial_state_names(self, layer: int, direction: int = 0) -> list[str]:
        """Return the names of the weights that hold a layer's learned initial state, one a state."""
        return [_prefix(layer, direction) + f"initial_{name}" for name in self.cell.program.state_names]


@dataclass(frozen=True)
class SymbolArchitecture:
    """A model of symbol sequences: embedding [V, E], a stack of L layers of one cell with H units, a head [V, O]."""

    cell: Cell
    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int

    @property
    def stack(self) -> RecurrentArchitecture:
        """The recurrent part; H is the size of all of the cell's width letters."""
        further = dict.fromkeys(self.cell.program.width_letters[1:], self.hidden_size)
        return RecurrentArchitecture(
            self.cell, self.embedding_size, self.hidden_size, self.num_layers, further_widths=further
        )

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by the name that the torch network and the model file give it."""
        stack = self.stack
        return {
            "embedding.weight": (self.vocabulary_size, self.embedding_size),
            **{f"recurrent.{name}": shape for name, shape in stack.weight_shapes().items()},
            "head.weight": (self.vocabulary_size, stack.output_size),
            "head.bias": (self.vocabulary_size,),
        }


def below(prefix: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights whose names begin with a prefix and a dot, without them."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in weights.items() if name.startswith(start)}


def _prefix(layer: int, direction: int) -> str:
    return f"layers.{layer}.{direction}."
