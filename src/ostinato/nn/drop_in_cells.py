"""`RNNCell`, `LSTMCell` and `GRUCell` in the place of torch.nn's: one step of a layer, run by the engine.

Parameters, state dicts and printing are torch's own: each derives from torch's class of the same name.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from .. import cells, engine
from ..errors import closest
from ..program import Program
from .drop_in import ArgumentError, accepted, engine_weights, state_parts


class OneStep(nn.RNNCellBase):
    """One step of a program."""

    @property
    @abstractmethod
    def program(self) -> Program:
        """The program that is run."""

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """Run one step.

        input: [B, D] or [D]. hx: the state before it, [B, H] or [H]; for an LSTM a pair (h, c). None means zero.

        Returns the state after it, as hx is given.

        Raises ArgumentError when input or hx has another shape, dtype or device than the weights ask for.
        """
        batched = input.dim() != 1
        x = self._accepted("input", input, "B D" if batched else "D", D=self.input_size)
        x = x if batched else x[None]
        weights = engine_weights(self.program, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        _, final = engine.sequence(self.program, weights, x[None], self._state_before(hx, x, batched))
        state = final if batched else [part[0] for part in final]
        return state[0] if len(state) == 1 else tuple(state)

    def _state_before(self, hx: Any, x: Tensor, batched: bool) -> list[Tensor]:
        """Return the state [B, H] each before the step, for x [B, D]."""
        if hx is None:
            return [x.new_zeros(len(x), self.hidden_size) for _ in self.program.states]
        letters, sizes = ("B H" if batched else "H"), {"B": len(x), "H": self.hidden_size}
        state = [
            self._accepted(name, part, letters, **sizes)
            for name, part, _ in state_parts(type(self).__name__, self.program, hx)
        ]
        return state if batched else [part[None] for part in state]

    def _accepted(self, name: str, tensor: Tensor, letters: str, **sizes: int) -> Tensor:
        return accepted(type(self).__name__, name, tensor, self.weight_ih, letters, **sizes)


class RNNCell(OneStep, nn.RNNCell):
    """One step of `ostinato.nn.RNN`: torch.nn.RNNCell, run by the engine.

    nonlinearity: ``"tanh"`` or ``"relu"``; any other is refused when the cell is used, as in torch.
    """

    @property
    def program(self) -> Program:
        programs = {"tanh": cells.elman.program, "relu": cells.elman_relu.program}
        if self.nonlinearity not in programs:
            raise ArgumentError(
                f"there is no nonlinearity {self.nonlinearity!r}.", closest(str(self.nonlinearity), programs)
            )
        return programs[self.nonlinearity]


class LSTMCell(OneStep, nn.LSTMCell):
    """One step of `ostinato.nn.LSTM`: torch.nn.LSTMCell, run by the engine."""

    @property
    def program(self) -> Program:
        return cells.lstm.program


class GRUCell(OneStep, nn.GRUCell):
    """One step of `ostinato.nn.GRU`: torch.nn.GRUCell, run by the engine."""

    @property
    def program(self) -> Program:
        return cells.gru.program
