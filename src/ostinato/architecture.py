"""What a model is made of, apart from its weights: shared by training, the model file and the runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .cells import Cell


@dataclass(frozen=True)
class SymbolArchitecture:
    """A model of symbol sequences: embedding [V, E], a stack of L layers of one cell with H units, a head [V, O]."""

    cell: Cell
    vocabulary_size: int
    embedding_size: int
    hidden_size: int
    num_layers: int

    @property
    def widths(self) -> dict[str, int]:
        """A size for each of the cell's width letters: H for all of them."""
        return dict.fromkeys(self.cell.program.width_letters, self.hidden_size)

    @property
    def output_size(self) -> int:
        """O, the width of the stack's output."""
        return self.cell.program.output_width(self.widths)

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by the name that the torch network and the model file give it."""
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (self.vocabulary_size, self.embedding_size)}
        for index in range(self.num_layers):
            size = self.embedding_size if index == 0 else self.output_size
            layer = self.cell.program.weight_shapes(size, self.widths)
            shapes |= {_layer_prefix(index) + name: shape for name, shape in layer.items()}
        shapes["head.weight"] = (self.vocabulary_size, self.output_size)
        shapes["head.bias"] = (self.vocabulary_size,)
        return shapes

    def layer_weights(self, weights: dict[str, Any], index: int) -> dict[str, Any]:
        """Return the weights of one layer, by the names of `Program.weight_shapes`."""
        prefix = _layer_prefix(index)
        return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}


def _layer_prefix(index: int) -> str:
    return f"recurrent.layers.{index}.0."
