"""One step of a stack of layers at a time, on programs that are prepared once for their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .. import engine
from ..program import Program

PREPARED_TYPES = (torch.float32, torch.float64)
"""The types of weights that programs can be prepared for."""


class PreparedLayers:
    """The prepared program of each layer, for as long as its weights stay as they are.

    A weight has changed when it is another piece of memory or was changed in place. What was done to ``weight.data``
    in place is not seen, nor would autograd see it.

    A copy starts without any: they are bound to memory that it does not share.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[list[Any], list[Tensor], engine.Prepared]] = {}

    def __deepcopy__(self, _: Any) -> PreparedLayers:
        return PreparedLayers()

    def __reduce__(self) -> Any:
        return (PreparedLayers, ())

    def step(
        self, layer: int, program: Program, weights: Mapping[str, Tensor], x: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Run one step of a layer over x [B, D]; return y [B, O] and the state after it."""
        if x.device.type != "cpu" or any(weight.dtype not in PREPARED_TYPES for weight in weights.values()):
            with torch.no_grad():
                y, after = engine.sequence(program, weights, x[None], state)
            return y[0], after
        prepared = self._prepared(layer, program, weights)
        y, after = prepared.step(_array(x), [_array(part) for part in state])
        return torch.from_numpy(y), [torch.from_numpy(part) for part in after]

    def _prepared(self, layer: int, program: Program, weights: Mapping[str, Tensor]) -> engine.Prepared:
        marks = [program.text, *(_mark(weight) for weight in weights.values())]
        known = self._known.get(layer)
        if known is None or known[0] != marks:
            arrays = {name: _array(weight) for name, weight in weights.items()}
            # The tensors are kept, so that no other weight can come to lie where one of them was.
            seen = [weight.detach() for weight in weights.values()]
            known = self._known[layer] = (marks, seen, engine.prepare(program, arrays))
        return known[2]


def _mark(weight: Tensor) -> Any:
    """Return what is another when a weight has changed. Inference tensors do not tell: each look finds a change."""
    return object() if weight.is_inference() else (weight.data_ptr(), weight._version, weight.shape)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()
