"""`RNN`, `LSTM` and `GRU` in the place of torch.nn's: same arguments, same results, same state dicts.

Parameters and their first values, state dicts, copies and printing are torch's own, inherited from its RNNBase; what
runs a layer is `ostinato.engine`. None derives from torch's RNN, LSTM or GRU: torch.compile refuses to trace those.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .. import cells, engine, shapes
from ..engine.call import Call
from ..engine.packing import Index, Packing, checked_lengths
from ..errors import OptionError, ShapeError, closest
from ..program import Program

PROGRAMS: dict[str, Program] = {
    "RNN_TANH": cells.elman.program,
    "RNN_RELU": cells.elman_relu.program,
    "LSTM": cells.lstm.program,
    "GRU": cells.gru.program,
}
"""The program of each mode of torch's RNNBase, without a projection."""

SECOND_BIASES = {program.gates: len(program.recurrent_bias_gates) for program in PROGRAMS.values()}
"""How many of a program's gates, the last ones, need a bias of their own for the recurrent product.

Asked of the programs here because torch.compile cannot trace the asking.
"""

KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""How torch's names for the weights of one layer in one direction begin."""


class ArgumentError(ShapeError, RuntimeError):
    """An argument does not fit. torch.nn says so by a ValueError here and a RuntimeError there; this is both."""


class Layers(nn.RNNBase):
    """A stack of layers of one of torch's modes, each run by the engine.

    In shapes, L·d is layers times directions (2 if bidirectional).
    """

    @property
    def program(self) -> Program:
        """The program that every layer runs."""
        return cells.projected_lstm.program if self.proj_size else PROGRAMS[self.mode]

    @property
    def num_directions(self) -> int:
        """2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    def flatten_parameters(self) -> None:
        """Do nothing: the engine lays the weights out for itself."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run over sequences.

        input: [T, B, D] ([B, T, D] if batch_first), [T, D], or a PackedSequence. hx: the state before the first
        step, [L·d, B, H], or [L·d, H] for an input [T, D]; for an LSTM a pair (h, c), where h is P wide with
        proj_size. None means zero.

        Returns the output, laid out as the input is, and the state after each sequence's last step.

        Raises ArgumentError when input or hx has another shape, dtype or device than the weights ask for, or no step.
        """
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx)
        batched = input.dim() != 2
        x = self._steps_first(input) if batched else self._accepted("input", input, "T D", D=self.input_size)[:, None]
        y, final = self._run(x, self._state_before(hx, x, batched))
        if not batched:
            return y[:, 0], _joined([part[:, 0] for part in final])
        return (y.transpose(0, 1) if self.batch_first else y), _joined(final)

    def engine_call(self, x: Tensor, lengths: Any = None) -> Call:
        """Return what the first layer would ask the engine to run; for `ostinato.engine.explain`."""
        x = self._steps_first(x)
        steps, batch = x.shape[:2]
        known_lengths = checked_lengths(type(self).__name__, lengths, steps, batch)
        return Call(self.program, self._weights(0, 0), x, Packing.of(steps, batch, known_lengths, reverse=False))

    # ---- running

    def _run(self, x: Tensor, state: list[Tensor], lengths: Index | None = None) -> tuple[Tensor, list[Tensor]]:
        """Run all layers over x [T, B, D] from a state [L·d, B, width] each; return y and the state after it."""
        finals: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            if layer:
                x = nn.functional.dropout(x, self.dropout, self.training)
            outputs = []
            for direction in range(self.num_directions):
                before = [part[len(finals)] for part in state]
                weights = self._weights(layer, direction)
                y, after = engine.sequence(self.program, weights, x, before, lengths, reverse=direction == 1)
                outputs.append(y)
                finals.append(after)
            x = torch.cat(outputs, dim=-1) if self.bidirectional else outputs[0]
        return x, [torch.stack(parts) for parts in zip(*finals, strict=True)]

    def _run_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        """Run over rows in time order, longest sequence first; hx is in the order from before that sorting."""
        data, batch_sizes, order, back = packed
        data = self._accepted("input.data", data, "N D", D=self.input_size)
        steps, batch = len(batch_sizes), int(batch_sizes[0])
        live = torch.arange(batch) < batch_sizes[:, None]
        places = live.flatten().nonzero().squeeze(1).to(data.device)
        x = data.new_zeros(steps * batch, self.input_size).index_copy(0, places, data).view(steps, batch, -1)
        state = _permuted(self._state_before(hx, x), order)
        y, final = self._run(x, state, live.sum(0).numpy())
        rows = y.reshape(steps * batch, -1).index_select(0, places)
        return PackedSequence(rows, batch_sizes, order, back), _joined(_permuted(final, back))

    def _weights(self, layer: int, direction: int) -> dict[str, Tensor]:
        suffix = f"_l{layer}_reverse" if direction else f"_l{layer}"
        named: dict[str, Any] = {kind: getattr(self, kind + suffix, None) for kind in KINDS}
        return engine_weights(self.program, **named)

    # ---- what comes in

    def _accepted(self, name: str, tensor: Tensor, letters: str, **sizes: int) -> Tensor:
        weight: Any = self.weight_ih_l0
        return accepted(type(self).__name__, name, tensor, weight, letters, **sizes)

    def _steps_first(self, input: Tensor) -> Tensor:
        x = self._accepted("input", input, "B T D" if self.batch_first else "T B D", D=self.input_size)
        return x.transpose(0, 1) if self.batch_first else x

    def _state_before(self, hx: Any, x: Tensor, batched: bool = True) -> list[Tensor]:
        """Return the state before the first step, [L·d, B, width] each, for x [T, B, D]."""
        # Asked of the shape: len would make torch.export take the number of steps for fixed.
        if x.shape[0] == 0:
            raise ArgumentError(f"{type(self).__name__} expected input of at least one step, got none.")
        sizes = {"L·d": self.num_layers * self.num_directions, "B": x.shape[1]}
        widths = {"H": self.hidden_size, "P": self.proj_size}
        if hx is None:
            return [x.new_zeros(*sizes.values(), widths[width]) for _, width in self.program.states]
        state = []
        for name, part, width in state_parts(type(self).__name__, self.program, hx):
            letters = f"L·d B {width}" if batched else f"L·d {width}"
            part = self._accepted(name, part, letters, **sizes, **{width: widths[width]})
            state.append(part if batched else part[:, None])
        return state


class RNN(Layers):
    """Simple recurrent network, with tanh or relu: torch.nn.RNN, run by the engine.

    h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    nonlinearity: ``"tanh"`` or ``"relu"``. The other arguments are those of `LSTM`, without proj_size.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        proj_size: None = None,
    ) -> None:
        _refuse_projection("RNN", proj_size)
        modes = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}
        if nonlinearity not in modes:
            raise OptionError(f"there is no nonlinearity {nonlinearity!r}.", closest(str(nonlinearity), modes))
        mode, options = modes[nonlinearity], (bias, batch_first, dropout, bidirectional)
        super().__init__(mode, input_size, hidden_size, num_layers, *options, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity


class LSTM(Layers):
    """Long short-term memory: torch.nn.LSTM, run by the engine. The equations are at `ostinato.cells.lstm`.

    input_size: D, features of the input at one step. hidden_size: H, units of each layer. num_layers: L; each further
    layer reads the output of the one before. bias: whether there are b_ih and b_hh. batch_first: whether input and
    output are [B, T, …]; states never are. dropout: probability of dropping an element of the output of each layer but
    the last, in training. bidirectional: whether each layer runs in both directions and joins the outputs, forward
    first. proj_size: P, the width to which h is projected; 0 means not at all.

    Weights are ``weight_ih_l<k>``, ``weight_hh_l<k>``, ``bias_ih_l<k>``, ``bias_hh_l<k>`` and ``weight_hr_l<k>``, with
    ``_reverse`` for the second direction. They start uniform within ±1/√H.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        options = (bias, batch_first, dropout, bidirectional, proj_size)
        super().__init__("LSTM", input_size, hidden_size, num_layers, *options, device=device, dtype=dtype)


class GRU(Layers):
    """Gated recurrent unit: torch.nn.GRU, run by the engine. The equations are at `ostinato.cells.gru`.

    The arguments are those of `LSTM`, without proj_size.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        proj_size: None = None,
    ) -> None:
        _refuse_projection("GRU", proj_size)
        options = (bias, batch_first, dropout, bidirectional)
        super().__init__("GRU", input_size, hidden_size, num_layers, *options, device=device, dtype=dtype)


# ---- shared with the cells


def engine_weights(
    program: Program,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    weight_hr: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return torch's weights of one layer by the names of `Program.weight_shapes`.

    torch has two biases a gate, the engine a second one only where the sum of both would not do.
    """
    weights = {"W": weight_ih, "R": weight_hh}
    if bias_ih is not None and bias_hh is not None:
        summed = len(bias_hh) - len(bias_hh) // len(program.gates) * SECOND_BIASES[program.gates]
        if summed == len(bias_hh):
            weights["W_bias"] = bias_ih + bias_hh
        else:
            weights["W_bias"] = torch.cat([bias_ih[:summed] + bias_hh[:summed], bias_ih[summed:]])
            weights["R_bias"] = bias_hh[summed:]
    if weight_hr is not None:
        weights["M_project"] = weight_hr
    return weights


def accepted(owner: str, name: str, tensor: Tensor, weight: Tensor, letters: str, **sizes: int) -> Tensor:
    """Return a tensor that has the given shape, and the dtype and device of a weight.

    Under autocast another floating dtype becomes that of the weight: the recurrence keeps to it. Raises ArgumentError.
    """
    try:
        shapes.expect(owner, name, tensor, letters, **sizes)
    except ShapeError as error:
        raise ArgumentError(error.message) from None
    if tensor.device != weight.device:
        raise ArgumentError(f"{owner} expected {name} on {weight.device}, where its weights are, not {tensor.device}.")
    if tensor.dtype == weight.dtype:
        return tensor
    if torch.is_autocast_enabled(weight.device.type) and tensor.is_floating_point():
        return tensor.to(weight.dtype)
    raise ArgumentError(
        f"{owner} expected {name} of {weight.dtype}, as its weights, not {tensor.dtype}.",
        f"give it as {name}.to({weight.dtype}), or convert the layer with .to({tensor.dtype}).",
    )


def state_parts(owner: str, program: Program, hx: Any) -> list[tuple[str, Tensor, str]]:
    """Return a name, the tensor and the letter of the width for each of a program's states in hx.

    hx: a tensor if there is one state, else a tuple or list of as many. Raises ArgumentError.
    """
    widths = [width for _, width in program.states]
    parts = [hx] if len(widths) == 1 else hx
    names = ["hx"] if len(widths) == 1 else [f"hx[{k}]" for k in range(len(widths))]
    if not isinstance(parts, (tuple, list)) or [isinstance(part, Tensor) for part in parts] != [True] * len(widths):
        states = "one tensor" if len(widths) == 1 else f"a tuple ({', '.join(program.state_names)}) of tensors"
        raise ArgumentError(f"{owner} expected hx as {states}, got a {type(hx).__name__}.")
    return list(zip(names, parts, widths, strict=True))


def _joined(state: list[Tensor]) -> Any:
    """Return a state as torch does: a tensor, or a tuple of several."""
    return state[0] if len(state) == 1 else tuple(state)


def _permuted(state: list[Tensor], order: Tensor | None) -> list[Tensor]:
    """Return a state [L·d, B, width] each with its sequences in another order."""
    return state if order is None else [part.index_select(1, order) for part in state]


def _refuse_projection(owner: str, proj_size: Any) -> None:
    if proj_size is not None:
        raise OptionError(f"{owner} has no proj_size, and {proj_size!r} was given.", "only LSTM has one.")
