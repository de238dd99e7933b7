"""The torch network that learns to forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.windows import Batch
from ..distributions import distribution_of
from ..forecast_architecture import ForecastArchitecture
from .likelihood import losses, read_on
from .noise import dropout
from .recurrent import Recurrent, State


class ForecastNetwork(nn.Module):
    """What `ForecastArchitecture` says, in torch; parameters are named as its `weight_shapes` says.

    quantiles: the level of each of the Q outputs where they are quantiles, which the loss needs; dropout: acts on what
    the output layer reads, and between layers, in training only. Places and channels start normal with deviation 1, as
    embeddings do.

    Of quantiles the recurrence learns the middle one, the forecast itself, alone; the others are read from what it
    learned for that. Learned together, they cost the forecast 1 % of its squared error on ETTh1. The parameters of a
    distribution are learned together.
    """

    def __init__(self, architecture: ForecastArchitecture, quantiles: tuple[float, ...], dropout: float = 0.0) -> None:
        super().__init__()
        self.architecture, self.dropout = architecture, dropout
        self.distribution = distribution_of(architecture.likelihood, quantiles)
        sizes, units = architecture, architecture.hidden_size
        self.input = nn.Linear(sizes.input_size, units)
        self.recurrent = Recurrent(
            sizes.cell, units, units, sizes.num_layers, dropout=dropout, widths=sizes.stack.further_widths
        )
        shapes = sizes.weight_shapes()
        self.place = nn.Parameter(torch.randn(shapes["place"])) if "place" in shapes else None
        self.channel = nn.Parameter(torch.randn(shapes["channel"])) if "channel" in shapes else None
        self.future = (
            nn.Linear(sizes.segment * sizes.future_size, units, bias=False) if "future.weight" in shapes else None
        )
        self.output = nn.Linear(sizes.stack.output_size, sizes.output_size)
        self.register_buffer("quantiles", torch.tensor(quantiles), persistent=False)

    def forward(
        self, x: Tensor, future: Tensor | None = None, shift: Tensor | None = None, scale: Tensor | None = None
    ) -> Tensor:
        """Read segments x [n, B·C, I], and what is known of the segments ahead [m, B·C, w·F].

        shift, scale: of the window [B·C, 1, J], float64; where counts are decoded stepwise.

        Returns [B·C, h, J, Q]: for each sequence, step ahead and target of the sequence, Q numbers.
        """
        y, state = self.recurrent(torch.relu(self.input(x)))
        sizes = self.architecture
        ahead = self._stepwise(y[-1], state, future, shift, scale) if sizes.stepwise else self._direct(state, future)
        whole = ahead.transpose(0, 1).reshape(x.shape[1], -1, sizes.joint, sizes.outputs)
        return whole[:, : sizes.horizon]

    @torch.no_grad()
    def start_at(self, batch: Batch) -> None:
        """Begin where a batch's truth lies, whatever the input: the bias is what suits it at each step of a segment.

        Otherwise the levels of the outer quantiles would be learned first, through what all outputs share.
        """
        sizes = self.architecture
        ahead = np.full((len(batch.truth), sizes.future_segments * sizes.segment, sizes.joint), np.nan)
        ahead[:, : sizes.horizon] = np.where(batch.known > 0, batch.truth, np.nan)
        steps = ahead.reshape(-1, sizes.segment, sizes.joint)
        if np.isnan(steps).all(axis=0).any():
            return
        shift, scale = (np.broadcast_to(part, ahead.shape).reshape(steps.shape) for part in (batch.shift, batch.scale))
        found = self.distribution.start(steps, shift, scale)
        self.output.bias.copy_(self._tensor(found.astype(np.float32)).flatten())

    def loss(self, batch: Batch, state: Any) -> tuple[Tensor, None]:
        """Return the mean of the `losses` of a batch, of the values that are known, and no state."""
        truth, known, shift, scale = map(self._tensor, (batch.truth, batch.known, batch.shift, batch.scale))
        future = None if batch.future is None else self._tensor(batch.future)
        forecast = self(self._tensor(batch.x), future, shift, scale)
        levels: Tensor = self.quantiles  # type: ignore[assignment]
        each = losses(self.architecture.likelihood, forecast, truth, levels, shift, scale)
        return (each * known).sum() / known.sum().clamp(min=1), None

    def _direct(self, state: State, future: Tensor | None) -> Tensor:
        rows, count = state[0][0].shape[0], self.architecture.future_segments
        assert self.place is not None
        entered = self.place[:, None]
        if self.channel is not None:
            entered = entered + self.channel.repeat(rows // len(self.channel), 1)
        entered = entered.expand(count, rows, -1)
        if self.future is not None:
            assert future is not None
            entered = entered + self.future(future)
        every = tuple(type(layer)(*(part.repeat(count, 1) for part in layer)) for layer in state)
        y, _ = self.recurrent(entered.flatten(0, 1)[None], every)
        return self._read(y[0]).reshape(count, rows, -1)

    def _stepwise(
        self, y: Tensor, state: State, future: Tensor | None, shift: Tensor | None, scale: Tensor | None
    ) -> Tensor:
        sizes, ahead = self.architecture, []
        for place in range(sizes.future_segments):
            ahead.append(self._read(y))
            if place + 1 < sizes.future_segments:
                numbers = ahead[-1].reshape(len(y), sizes.segment, sizes.joint, sizes.outputs)
                read = read_on(sizes.likelihood, numbers[..., sizes.middle], shift, scale).flatten(1)
                parts = [read, torch.ones_like(read)] if sizes.masked else [read]
                if future is not None:
                    parts.append(future[place])
                one, state = self.recurrent(torch.relu(self.input(torch.cat(parts, -1)))[None], state)
                y = one[0]
        return torch.stack(ahead)

    def _read(self, y: Tensor) -> Tensor:
        """Return the outputs [R, w·J·Q] of hidden states [R, H]; of quantiles the middle one alone moves those."""
        seen = dropout(y, self.dropout, self.training)
        ahead: Tensor = self.output(seen)
        if not self.training or self.architecture.outputs == 1 or self.architecture.likelihood != "quantiles":
            return ahead
        each = (len(y), -1, self.architecture.outputs)
        is_middle = torch.arange(self.architecture.outputs, device=y.device) == self.architecture.middle
        return torch.where(is_middle, ahead.reshape(each), self.output(seen.detach()).reshape(each)).flatten(1)

    def _tensor(self, array: Any) -> Tensor:
        return torch.from_numpy(array).to(self.output.weight.device)
