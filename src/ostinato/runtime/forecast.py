"""A recurrent forecaster over NumPy: segments of the past in, numbers for every step ahead out; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import below
from ..distributions import read_on
from ..forecast_architecture import ForecastArchitecture
from .feedforward import Feedforward
from .stack import Stack, State

Array = NDArray[Any]


class ForecastRuntime:
    """What `ForecastArchitecture` says. weights: the arrays that its `weight_shapes` names."""

    def __init__(self, architecture: ForecastArchitecture, weights: Mapping[str, Array]) -> None:
        self.architecture = architecture
        self.input = Feedforward.linear(weights["input.weight"], weights["input.bias"])
        self.stack = Stack(architecture.stack, below("recurrent", weights))
        self.place, self.channel = weights.get("place"), weights.get("channel")
        future = weights.get("future.weight")
        self.future = None if future is None else Feedforward.linear(future)
        self.output = Feedforward.linear(weights["output.weight"], weights["output.bias"])

    def run(
        self, x: Array, future: Array | None = None, shift: Array | None = None, scale: Array | None = None
    ) -> Array:
        """Read segments x [n, B·C, I], and what is known of the segments ahead [m, B·C, w·F].

        shift, scale: of the window [B·C, 1, J], float64; where counts are decoded stepwise.

        Returns [B·C, h, J, Q]: for each sequence, step ahead and target of the sequence, Q numbers.
        """
        sizes, rows = self.architecture, x.shape[1]
        y, state = self.stack.sequence(self._entered(x), self.stack.initial_state(rows))
        if sizes.stepwise:
            ahead = self._stepwise(y[-1], state, future, shift, scale)
        else:
            ahead = self._direct(rows, state, future)
        whole = ahead.reshape(-1, rows, sizes.segment, sizes.joint, sizes.outputs)
        joined = np.moveaxis(whole, 0, 1).reshape(rows, -1, sizes.joint, sizes.outputs)
        result: Array = joined[:, : sizes.horizon]
        return result

    def _entered(self, x: Array) -> Array:
        projected = self.input.sequence(x)[0]
        result: Array = np.maximum(projected, projected.dtype.type(0))
        return result

    def _direct(self, rows: int, state: State, future: Array | None) -> Array:
        count = self.architecture.future_segments
        assert self.place is not None
        entered = self.place[:, None]
        if self.channel is not None:
            entered = entered + np.tile(self.channel, (rows // len(self.channel), 1))
        entered = np.broadcast_to(entered, (count, rows, entered.shape[-1]))
        if self.future is not None:
            assert future is not None
            entered = entered + self.future.sequence(future)[0]
        every = tuple(type(layer)(*(np.tile(part, (count, 1)) for part in layer)) for layer in state)
        y, _ = self.stack.step(np.ascontiguousarray(entered).reshape(count * rows, -1), every)
        return self.output.step(y)[0]

    def _stepwise(
        self, y: Array, state: State, future: Array | None, shift: Array | None, scale: Array | None
    ) -> Array:
        sizes, ahead = self.architecture, []
        for place in range(sizes.future_segments):
            ahead.append(self.output.step(np.ascontiguousarray(y))[0])
            if place + 1 < sizes.future_segments:
                numbers = ahead[-1].reshape(len(y), sizes.segment, sizes.joint, sizes.outputs)
                read = read_on(sizes.likelihood, numbers[..., sizes.middle], shift, scale).reshape(len(y), -1)
                parts = [read, np.ones_like(read)] if sizes.masked else [read]
                if future is not None:
                    parts.append(future[place])
                y, state = self.stack.step(self._entered(np.concatenate(parts, -1)[None])[0], state)
        return np.stack(ahead)
