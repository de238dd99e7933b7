"""The weights of one layer in one direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..cells import Cell
from ..cells.initialisers import draw_weights


class Weights(nn.Module):
    """The weights of one layer in one direction, and its learned initial state if there is one.

    They are named and shaped as `Program.weight_shapes` says, and start as the cell says, drawn from torch's generator.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        widths: Mapping[str, int],
        *,
        bias: bool,
        heads: int,
        learns_initial_state: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        random = np.random.default_rng(int(torch.randint(2**62, (), device="cpu")))
        drawn = draw_weights(cell.program, dict(cell.init), random, input_size, widths, bias, heads)
        self.names = tuple(drawn)
        kind: Any = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        for name, values in drawn.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values, **kind)))
        if learns_initial_state:
            for name, width in cell.program.states:
                self.register_parameter(f"initial_{name}", nn.Parameter(torch.zeros(widths[width], **kind)))

    @property
    def dtype(self) -> torch.dtype | None:
        """The type of the weights; None where there are none."""
        return getattr(self, self.names[0]).dtype if self.names else None

    def named(self) -> dict[str, Tensor]:
        """Return the weights that the engine takes, by name."""
        # torch finds a parameter through a failed look-up, but one that is computed (parametrised) only so.
        own = self._parameters
        return {name: own[name] if name in own else getattr(self, name) for name in self.names}  # type: ignore[misc]
