"""`Recurrent`: a layer, or a stack of them, made from any cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from .. import cells, engine, shapes
from ..cells import Cell
from ..cells.initialisers import draw_weights
from ..engine.call import Call
from ..engine.packing import Index, Packing, checked_lengths
from ..errors import OptionError, ShapeError, closest
from ..program import Program

RANDOM_STATE_DEVIATION = 0.1
"""Standard deviation of the noise of ``initial_state="random"``: small beside states, which lie in (-1, 1)."""

InitialState = Literal["zero", "learned", "random"]
State = tuple[tuple[Tensor, ...], ...]
"""One named tuple a layer, with a tensor [B, width] for each of the cell's states ([2, B, width] if bidirectional)."""


class Recurrent(nn.Module):
    """A stack of recurrent layers of one cell, run over whole sequences.

    For each layer and step t:  y_t, state_t = cell(x_t, state_{t-1})

    cell: a `Cell`, or the name of one that comes with Ostinato.
    input_size: D, features of x at one step. hidden_size: H, units of each gate and state.
    num_layers: each further layer reads the output of the one before.
    bias: whether gates have biases. batch_first: whether x and y are [B, T, …] instead of [T, B, …].
    dropout: probability of dropping an element of the output of each layer but the last, in training.
    bidirectional: run each layer in both directions and join their outputs, forward first.
    initial_state: ``"zero"``; ``"learned"``, a vector for each state, starting at zero; or
    ``"random"``, normal noise of deviation 0.1 in training and zero otherwise (Zimmermann et al. 2012).
    widths: sizes for further letters of the cell's widths, as ``{"P": 64}``.

    Weights of layer k, direction d are ``layers.k.d.<name>``, with the names and shapes of
    `Program.weight_shapes`: ``W``, ``W_bias``, ``R``, ``R_bias``, ``p_<vector>``, ``M_<matrix>``. They start
    as the cell says (`ostinato.cells.initialisers`), drawn from torch's generator.

    Raises OptionError for an impossible option.
    """

    def __init__(
        self,
        cell: Cell | str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        initial_state: InitialState = "zero",
        *,
        widths: Mapping[str, int] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cell = cells.find(cell)
        self.input_size = _positive("input_size", input_size)
        self.hidden_size = _positive("hidden_size", hidden_size)
        self.num_layers = _positive("num_layers", num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.initial_state = initial_state
        if not isinstance(dropout, (int, float)) or not 0.0 <= dropout < 1.0:
            raise OptionError(f"dropout must be at least 0 and less than 1, not {dropout!r}.")
        if initial_state not in ("zero", "learned", "random"):
            raise OptionError(
                f"there is no initial state {initial_state!r}.",
                closest(str(initial_state), ("zero", "learned", "random")),
            )
        self.widths = _widths(self.program, hidden_size, widths or {})
        self.output_size = self.program.output_width(self.widths) * self.num_directions
        sizes = [self.input_size] + [self.output_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(Weights(self, size, device, dtype) for _ in range(self.num_directions)) for size in sizes
        )

    @property
    def program(self) -> Program:
        """The cell's program."""
        return self.cell.program

    @property
    def num_directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def forward(
        self, x: Tensor, state: Sequence[Sequence[Tensor]] | None = None, lengths: Any = None
    ) -> tuple[Tensor, State]:
        """Run over sequences.

        x: [T, B, D] ([B, T, D] if batch_first). state: what an earlier call returned, to go on from
        there; None starts anew, as `initial_state` says. lengths: B whole numbers, the steps of each
        sequence; None means all T.

        Returns y [T, B, O] ([B, T, O]), zero beyond each length, and the state after each sequence's
        last step: a named tuple a layer, with a tensor [B, width] for each of the cell's states
        ([2, B, width] if bidirectional, forward first).

        Raises ShapeError when x, state or lengths have other shapes.
        """
        x = self._steps_first(x)
        batch = x.shape[1]
        known_lengths = checked_lengths(self._name, lengths, x.shape[0], batch)
        initial = self._initial(batch, x) if state is None else self._checked_state(state, batch)
        final = []
        for index, layer in enumerate(self.layers):
            if index:
                x = nn.functional.dropout(x, self.dropout, self.training)
            x, after = self._run_layer(layer, x, initial[index], known_lengths)
            final.append(after)
        return (x.transpose(0, 1) if self.batch_first else x), tuple(final)

    def engine_call(self, x: Tensor, lengths: Any = None) -> Call:
        """Return what the first layer would ask the engine to run; for `ostinato.engine.explain`."""
        x = self._steps_first(x)
        steps, batch = x.shape[:2]
        packing = Packing.of(steps, batch, checked_lengths(self._name, lengths, steps, batch), reverse=False)
        return Call(self.program, self.layers[0][0].named(), x, packing)  # type: ignore[index]

    def extra_repr(self) -> str:
        said = [self.cell.name, f"{self.input_size}", f"{self.hidden_size}"]
        defaults = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
            "initial_state": "zero",
        }
        said += [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(said)

    def _run_layer(self, layer: Any, x: Tensor, state: Sequence[Tensor], lengths: Index | None) -> tuple[Tensor, Any]:
        outputs, finals = [], []
        for direction, weights in enumerate(layer):
            before = [part[direction] for part in state] if self.bidirectional else list(state)
            y, after = engine.sequence(self.program, weights.named(), x, before, lengths, reverse=direction == 1)
            outputs.append(y)
            finals.append(after)
        if not self.bidirectional:
            return outputs[0], self.cell.State(*finals[0])
        return torch.cat(outputs, dim=-1), self.cell.State(*map(torch.stack, zip(*finals, strict=True)))

    # ---- the state before the first step

    def _initial(self, batch: int, x: Tensor) -> list[list[Tensor]]:
        return [
            [self._start(layer, name, self.widths[width], batch, x) for name, width in self.program.states]
            for layer in self.layers
        ]

    def _start(self, layer: Any, name: str, width: int, batch: int, x: Tensor) -> Tensor:
        directions = (2,) if self.bidirectional else ()
        shape = (*directions, batch, width)
        if self.initial_state == "learned":
            learned = [getattr(weights, f"initial_{name}").expand(batch, width) for weights in layer]
            return torch.stack(learned) if self.bidirectional else learned[0]
        if self.initial_state == "random" and self.training:
            return torch.randn(shape, dtype=x.dtype, device=x.device) * RANDOM_STATE_DEVIATION
        return x.new_zeros(shape)

    # ---- checks

    @property
    def _name(self) -> str:
        return f"Recurrent({self.cell.name})"

    def _steps_first(self, x: Tensor) -> Tensor:
        letters = "B T D" if self.batch_first else "T B D"
        try:
            shapes.expect(self._name, "x", x, letters, D=self.input_size)
        except ShapeError as error:
            if len(x.shape) == 3:
                error.hint = f"the data has {x.shape[-1]} features; build the layer with input_size={x.shape[-1]}."
            raise
        return x.transpose(0, 1) if self.batch_first else x

    def _checked_state(self, state: Sequence[Sequence[Tensor]], batch: int) -> Sequence[Sequence[Tensor]]:
        names = self.program.state_names
        fits = len(state) == self.num_layers
        # A tensor has a length too: torch's h of [L, B, H] is not a state here.
        if not fits or any(isinstance(part, Tensor) or len(part) != len(names) for part in state):
            raise ShapeError(
                f"{self._name} expected a state of {self.num_layers} layers with {' '.join(names)} each.",
                "give the state that an earlier call returned: one named tuple a layer.",
            )
        for index, part in enumerate(state):
            for (name, width), tensor in zip(self.program.states, part, strict=True):
                letters = f"2 B {width}" if self.bidirectional else f"B {width}"
                sizes = {"B": batch, width: self.widths[width]}
                shapes.expect(self._name, f"state[{index}].{name}", tensor, letters, **sizes)
        return state


class Weights(nn.Module):
    """The weights of one layer in one direction, and its learned initial state if there is one."""

    def __init__(self, owner: Recurrent, input_size: int, device: Any, dtype: Any) -> None:
        super().__init__()
        random = np.random.default_rng(int(torch.randint(2**62, (), device="cpu")))
        drawn = draw_weights(owner.program, dict(owner.cell.init), random, input_size, owner.widths, owner.bias)
        self.names = tuple(drawn)
        kind: Any = {"device": device, "dtype": dtype or torch.get_default_dtype()}
        for name, values in drawn.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values, **kind)))
        if owner.initial_state == "learned":
            for name, width in owner.program.states:
                self.register_parameter(f"initial_{name}", nn.Parameter(torch.zeros(owner.widths[width], **kind)))

    def named(self) -> dict[str, Tensor]:
        """Return the weights that the engine takes, by name."""
        return {name: getattr(self, name) for name in self.names}


def detach(state: Sequence[Any]) -> State:
    """Return a state that holds the same values and no history, to cut back-propagation through time."""
    return tuple(type(part)(*(tensor.detach() for tensor in part)) for part in state)


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name} must be a whole number of at least 1, not {value!r}.")
    return value


def _widths(program: Program, hidden_size: int, given: Mapping[str, int]) -> dict[str, int]:
    letters = program.width_letters[1:]
    missing = [letter for letter in letters if letter not in given]
    if missing:
        raise OptionError(
            f"this cell has a width {missing[0]} beside H, which needs a size.",
            f'give it as widths={{"{missing[0]}": 64}}.',
        )
    unknown = [letter for letter in given if letter not in letters]
    if unknown:
        raise OptionError(f"widths names {unknown[0]!r}, which the cell does not use.", closest(unknown[0], letters))
    return {"H": hidden_size} | {letter: _positive(f"widths[{letter!r}]", given[letter]) for letter in letters}
