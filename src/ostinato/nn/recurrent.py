"""`Recurrent`: a layer, or a stack of them, made from any cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .. import cells, engine, shapes
from ..cells import Cell
from ..cells.language import state_type
from ..engine.call import Call
from ..engine.packing import Packing, checked_lengths
from ..errors import OptionError, OstinatoError, ShapeError, closest
from ..program import Program
from .noise import Noise, checked_probability, dropout
from .sizes import all_widths, checked_heads, positive
from .stepping import PreparedLayers
from .weights import Weights

RANDOM_STATE_DEVIATION = 0.1
"""Standard deviation of the noise of ``initial_state="random"``: small beside states, which lie in (-1, 1)."""

InitialState = Literal["zero", "learned", "random"]
_STATE_TYPES: dict[tuple[str, ...], type[tuple[Any, ...]]] = {}

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
    heads: cut each gate's recurrent matrix into that many blocks along its diagonal: a unit then depends on the units
    of its own head alone. H, and the width that the matrices take, must be multiples of it.
    recurrent_dropout: probability of dropping an element of what enters the recurrent matrices, in training: one mask
    for a whole sequence (Gal & Ghahramani 2016), inverted scaling. Gates share the mask of what they share. Each call
    draws anew, so a sequence that is fed in chunks has a mask for each chunk.
    zoneout: for each state named, as ``{"c": 0.5, "h": 0.05}``, the probability that a unit keeps its old value for a
    step (Krueger et al. 2017). Drawn for each unit and step in training; otherwise the expectation,
    p · old + (1 - p) · new. As in the paper, h is computed from c as it is before zoneout, and y is made of the
    states after it.
    residual: add to the output of each layer that is as wide as its input that input, as it is before dropout.
    checkpoint_steps: in training, keep the states every so many steps only, and run the steps between once more on the
    way back: memory beyond x, y and their gradients then grows with T/k + k instead of T.

    Weights of layer k, direction d are ``layers.k.d.<name>``, with the names and shapes of
    `Program.weight_shapes`: ``W``, ``W_bias``, ``R``, ``R_bias``, ``p_<vector>``, ``M_<matrix>``. They start
    as the cell says (`ostinato.cells.initialisers`), drawn from torch's generator. Noise is drawn from it too.

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
        heads: int = 1,
        recurrent_dropout: float = 0.0,
        zoneout: Mapping[str, float] | None = None,
        residual: bool = False,
        checkpoint_steps: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.cell = cells.find(cell)
        self.input_size = positive("input_size", input_size)
        self.hidden_size = positive("hidden_size", hidden_size)
        self.num_layers = positive("num_layers", num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = checked_probability("dropout", dropout)
        self.bidirectional = bidirectional
        self.initial_state = initial_state
        if initial_state not in ("zero", "learned", "random"):
            raise OptionError(
                f"there is no initial state {initial_state!r}.",
                closest(str(initial_state), ("zero", "learned", "random")),
            )
        _state_type(self.program.state_names)
        self.widths = all_widths(self.program, hidden_size, widths or {})
        self.heads = checked_heads(self.program, self.widths, heads)
        self.recurrent_dropout = recurrent_dropout
        self.zoneout = dict(zoneout) if isinstance(zoneout, Mapping) else zoneout
        self.residual = residual
        self.checkpoint_steps = None if checkpoint_steps is None else positive("checkpoint_steps", checkpoint_steps)
        self.noise = Noise.of(self.program, recurrent_dropout, {} if zoneout is None else zoneout)
        self._prepared = PreparedLayers()
        self.output_size = self.program.output_width(self.widths) * self.num_directions
        sizes = [self.input_size] + [self.output_size] * (num_layers - 1)
        if residual and self.output_size not in sizes:
            raise OptionError(
                f"residual needs a layer that is as wide as its input, but y has {self.output_size} features "
                f"and x has {input_size}.",
                "give it more layers, or an input as wide as its output.",
            )
        self.layers = nn.ModuleList(
            nn.ModuleList(self._weights(size, device, dtype) for _ in range(self.num_directions)) for size in sizes
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
        steps, batch = x.shape[:2]
        known_lengths = _known_lengths(self._name, lengths, steps, batch)
        initial = self._initial(batch, x, self.training) if state is None else self._checked_state(state, batch)
        final = []
        for index, layer in enumerate(self.layers):
            read = dropout(x, self.dropout, self.training) if index else x
            y, after = self._run_layer(layer, read, initial[index], known_lengths)
            x = y + _live(x, known_lengths) if self.residual and x.shape[-1] == self.output_size else y
            final.append(after)
        return (x.transpose(0, 1) if self.batch_first else x), tuple(final)

    def step(self, x: Tensor, state: Sequence[Sequence[Tensor]] | None = None) -> tuple[Tensor, State]:
        """Run one step, fast: weights are laid out for it once, and again only after they have changed.

        x: [B, D]. state: what an earlier call returned; None starts anew.

        Returns y [B, O] and the state after the step: bit for bit what `forward` gives for a sequence of one step in
        evaluation, whatever the mode, where the compiled core runs. There are no gradients.

        Raises OptionError for a bidirectional layer, ShapeError when x or state have other shapes, and OstinatoError
        when x or state ask for a gradient.
        """
        if self.bidirectional:
            raise OptionError(
                "a bidirectional layer has no step: its second direction reads a sequence from the end.",
                "run whole sequences, or build the layer with bidirectional=False.",
            )
        shapes.expect(self._name, "x", x, "B D", D=self.input_size)
        x, batch = self._in_one_type(x), x.shape[0]
        before = self._initial(batch, x, noisy=False) if state is None else self._checked_state(state, batch)
        given = (x, *(part for parts in state or () for part in parts))
        if torch.is_grad_enabled() and any(part.requires_grad for part in given):
            raise OstinatoError(
                "a step has no gradients, but x or state asks for one.",
                "call step under torch.no_grad(), or the layer itself on a sequence of one step.",
            )
        after = []
        for index, layer in enumerate(self.layers):
            weights, program = layer[0].named(), self.noise.evaluation  # type: ignore[index]
            y, final = self._prepared.step(index, program, weights, x, before[index])
            x = y + x if self.residual and x.shape[-1] == self.output_size else y
            after.append(self._state(final))
        return x, tuple(after)

    def engine_call(self, x: Tensor, lengths: Any = None) -> Call:
        """Return what the first layer would ask the engine to run, apart from what it draws; for `engine.explain`."""
        x = self._steps_first(x)
        steps, batch = x.shape[:2]
        packing = Packing.of(steps, batch, checked_lengths(self._name, lengths, steps, batch), reverse=False)
        program = self._running_program
        streams = {name: x.new_zeros(steps, batch, self.widths[width]) for name, width in program.streams}
        return Call(program, self.layers[0][0].named(), x, packing, streams, self.checkpoint_steps)  # type: ignore[index]

    def extra_repr(self) -> str:
        said = [self.cell.name, f"{self.input_size}", f"{self.hidden_size}"]
        defaults = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
            "initial_state": "zero",
            "heads": 1,
            "recurrent_dropout": 0.0,
            "zoneout": None,
            "residual": False,
            "checkpoint_steps": None,
        }
        said += [f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value]
        return ", ".join(said)

    @property
    def _running_program(self) -> Program:
        return self.noise.training if self.training else self.noise.evaluation

    def _run_layer(self, layer: Any, x: Tensor, state: Sequence[Tensor], lengths: Any) -> tuple[Tensor, Any]:
        outputs, finals = [], []
        for direction, weights in enumerate(layer):
            before = [part[direction] for part in state] if self.bidirectional else list(state)
            y, after = self._run_direction(weights.named(), x, before, lengths, reverse=direction == 1)
            outputs.append(y)
            finals.append(after)
        if not self.bidirectional:
            return outputs[0], self._state(finals[0])
        return torch.cat(outputs, dim=-1), self._state([torch.stack(parts) for parts in zip(*finals, strict=True)])

    def _state(self, parts: Sequence[Tensor]) -> Any:
        if torch.compiler.is_exporting():
            # A file of torch's has no named tuples: who opens it does not know them.
            return tuple(parts)
        return _state_type(self.program.state_names)(*parts)

    def _run_direction(
        self, weights: Mapping[str, Tensor], x: Tensor, state: list[Tensor], lengths: Any, reverse: bool
    ) -> tuple[Tensor, list[Tensor]]:
        masks: list[Tensor] = []
        streams: dict[str, Tensor] = {}
        if self.training:
            steps, batch = x.shape[:2]
            masks = self.noise.masks(self.widths, batch, x)
            streams = self.noise.streams(self.widths, steps, batch, x)
        before = [*state, *masks]
        program, every = self._running_program, self.checkpoint_steps
        y, after = engine.sequence(program, weights, x, before, lengths, reverse, streams, every)
        return y, after[: len(state)]

    # ---- the state before the first step

    def _initial(self, batch: int, x: Tensor, noisy: bool) -> list[list[Tensor]]:
        return [
            [self._start(layer, name, self.widths[width], batch, x, noisy) for name, width in self.program.states]
            for layer in self.layers
        ]

    def _start(self, layer: Any, name: str, width: int, batch: int, x: Tensor, noisy: bool) -> Tensor:
        directions = (2,) if self.bidirectional else ()
        shape = (*directions, batch, width)
        if self.initial_state == "learned":
            learned = [getattr(weights, f"initial_{name}").expand(batch, width) for weights in layer]
            return torch.stack(learned) if self.bidirectional else learned[0]
        if self.initial_state == "random" and noisy:
            return torch.randn(shape, dtype=x.dtype, device=x.device) * RANDOM_STATE_DEVIATION
        return x.new_zeros(shape)

    def _weights(self, input_size: int, device: Any, dtype: Any) -> Weights:
        return Weights(
            self.cell,
            input_size,
            self.widths,
            bias=self.bias,
            heads=self.heads,
            learns_initial_state=self.initial_state == "learned",
            device=device,
            dtype=dtype,
        )

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
        x = self._in_one_type(x)
        return x.transpose(0, 1) if self.batch_first else x

    def _in_one_type(self, x: Tensor) -> Tensor:
        """Return x in the type of the weights, also where autocast made it another: a recurrence adds up its errors.

        Raises ShapeError for another type without autocast.
        """
        dtype = next(iter(next(iter(self.layers)))).dtype  # type: ignore[call-overload]
        if dtype in (None, x.dtype):
            return x
        if torch.is_autocast_enabled(x.device.type):
            return x.to(dtype)
        raise ShapeError(
            f"{self._name} expected x of {dtype}, as its weights, not {x.dtype}.",
            f"give it as x.to({dtype}), or convert the layer with .to({x.dtype}).",
        )

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


def _known_lengths(owner: str, lengths: Any, steps: int, batch: int) -> Any:
    """Return lengths, checked; while torch.compile reads, as a tensor, whose numbers the engine checks when it runs."""
    if lengths is None or not torch.compiler.is_compiling():
        return checked_lengths(owner, lengths, steps, batch)
    known = torch.as_tensor(lengths, dtype=torch.int64, device="cpu")
    shapes.expect(owner, "lengths", known, "B", B=batch)
    return known


def _state_type(names: tuple[str, ...]) -> type[tuple[Any, ...]]:
    # torch.compile reads through a dictionary, but not through a function with a cache.
    if names not in _STATE_TYPES:
        _STATE_TYPES[names] = state_type(names)
    return _STATE_TYPES[names]


def _live(x: Tensor, lengths: Any) -> Tensor:
    """Return x [T, B, …] with zeros beyond each length, whatever stood there."""
    if lengths is None:
        return x
    beyond = torch.arange(x.shape[0])[:, None] >= torch.as_tensor(lengths)
    return x.masked_fill(beyond[:, :, None].to(x.device), 0.0)


def detach(state: Sequence[Any]) -> State:
    """Return a state that holds the same values and no history, to cut back-propagation through time."""
    return tuple(type(part)(*(tensor.detach() for tensor in part)) for part in state)
