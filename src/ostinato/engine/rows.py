"""For candidates that run over packed rows: from [T, B, …] to rows in time order, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .call import Call
from .interpreter import Array, Library

RunRows = Callable[..., tuple[Array, list[Array]]]
"""Takes (call, rows [N, D], counts, state, streams of rows) and returns the output's rows and the state after them."""


def run_over_rows(call: Call, state: Sequence[Array], library: Library, run: RunRows) -> tuple[Array, list[Array]]:
    """Run a call that has at least one live row through `run`; return y [T, B, O] and the state after it."""
    packing, (steps, batch) = call.packing, call.x.shape[:2]
    rows = _packed(call, call.x, library)
    streams = {name: _packed(call, values, library) for name, values in call.streams.items()}
    if packing.order is not None:
        state = [library.take(part, packing.order) for part in state]
    y, final = run(call, rows, packing.counts, state, streams)
    if packing.sources is not None:
        y = library.put(y, packing.sources, steps * batch)
    if packing.order is not None:
        back = np.argsort(packing.order)
        final = [library.take(part, back) for part in final]
    return y.reshape(steps, batch, y.shape[-1]), final


def _packed(call: Call, values: Array, library: Library) -> Array:
    """Return [T, B, …] as the rows [N, …] of a run."""
    rows = values.reshape(values.shape[0] * values.shape[1], values.shape[2])
    return rows if call.packing.sources is None else library.take(rows, call.packing.sources)
