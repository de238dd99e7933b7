"""The torch network that learns to forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.windows import Batch
from ..forecast_architecture import ForecastArchitecture
from .noise import dropout
from .recurrent import Recurrent, State


class ForecastNetwork(nn.Module):
    """What `ForecastArchitecture` says, in torch; parameters are named as its `weight_shapes` says.

    quantiles: the level of each of the Q outputs, which the loss needs; dropout: acts on what the output layer reads,
    and between layers, in training only. Places and channels start normal with deviation 1, as embeddings do.

    The recurrence learns the middle output, the forecast itself, alone; the other quantiles are read from what it
    learned for that. Learned together, they cost the forecast 1 % of its squared error on ETTh1.
    """

    def __init__(self, architecture: ForecastArchitecture, quantiles: tuple[float, ...], dropout: float = 0.0) -> None:
        super().__init__()
        self.architecture, self.dropout = architecture, dropout
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

    def forward(self, x: Tensor, future: Tensor | None = None) -> Tensor:
        """Read segments x [n, B·C, I], and what is known of the segments ahead [m, B·C, w·F].

        Returns [B·C, h, J, Q]: for each sequence, step ahead and target of the sequence, Q numbers.
        """
        y, state = self.recurrent(torch.relu(self.input(x)))
        ahead = self._stepwise(y[-1], state, future) if self.architecture.stepwise else self._direct(state, future)
        sizes = self.architecture
        whole = ahead.transpose(0, 1).reshape(x.shape[1], -1, sizes.joint, sizes.outputs)
        return whole[:, : sizes.horizon]

    @torch.no_grad()
    def start_at(self, batch: Batch) -> None:
        """Begin where a batch's truth lies, whatever the input: its quantiles, at each step of a segment, are the bias.

        Otherwise the levels of the outer quantiles would be learned first, through what all outputs share.
        """
        sizes = self.architecture
        ahead = np.full((len(batch.truth), sizes.future_segments * sizes.segment, sizes.joint), np.nan)
        ahead[:, : sizes.horizon] = np.where(batch.known > 0, batch.truth, np.nan)
        steps = ahead.reshape(-1, sizes.segment, sizes.joint)
        if np.isnan(steps).all(axis=0).any():
            return
        levels: Tensor = self.quantiles  # type: ignore[assignment]
        found = np.moveaxis(np.nanquantile(steps, levels.cpu().numpy(), axis=0), 0, -1)
        self.output.bias.copy_(self._tensor(found.astype(np.float32)).flatten())

    def loss(self, batch: Batch, state: Any) -> tuple[Tensor, None]:
        """Return the mean quantile loss of a batch, of the values that are known, and no state.

        2 · max(q (y - ŷ), (q - 1) (y - ŷ)), averaged over levels q: for the median alone the mean absolute error.
        """
        truth, known = self._tensor(batch.truth), self._tensor(batch.known)
        forecast = self(self._tensor(batch.x), None if batch.future is None else self._tensor(batch.future))
        error = truth[..., None] - forecast
        levels: Tensor = self.quantiles  # type: ignore[assignment]
        each = 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)
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

    def _stepwise(self, y: Tensor, state: State, future: Tensor | None) -> Tensor:
        sizes, ahead = self.architecture, []
        for place in range(sizes.future_segments):
            ahead.append(self._read(y))
            if place + 1 < sizes.future_segments:
                read = ahead[-1].reshape(len(y), -1, sizes.outputs)[..., sizes.middle]
                parts = [read, torch.ones_like(read)] if sizes.masked else [read]
                if future is not None:
                    parts.append(future[place])
                one, state = self.recurrent(torch.relu(self.input(torch.cat(parts, -1)))[None], state)
                y = one[0]
        return torch.stack(ahead)

    def _read(self, y: Tensor) -> Tensor:
        """Return the outputs [R, w·J·Q] of hidden states [R, H]; all but the middle one give those no gradient."""
        seen = dropout(y, self.dropout, self.training)
        ahead: Tensor = self.output(seen)
        if not self.training or self.architecture.outputs == 1:
            return ahead
        each = (len(y), -1, self.architecture.outputs)
        is_middle = torch.arange(self.architecture.outputs, device=y.device) == self.architecture.middle
        return torch.where(is_middle, ahead.reshape(each), self.output(seen.detach()).reshape(each)).flatten(1)

    def _tensor(self, array: Any) -> Tensor:
        return torch.from_numpy(array).to(self.output.weight.device)
