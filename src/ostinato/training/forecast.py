"""Training a recurrent forecaster: from windows of series to weights."""

from __future__ import annotations

from functools import partial

import torch

from ..data.windows import Origins, Shuffled, gather
from ..nn.forecast import ForecastNetwork
from ..tasks.forecast_fitting import Prepared, Series
from ..tasks.forecast_options import MAX_EPOCHS, ForecastOptions
from .loop import Units
from .planning import as_set, judging
from .session import Material, Outcome, Session, carry_out

TASK = "forecast"
LOSSES = {"quantiles": "quantile loss"}
"""What the loss is, where it is not that of a distribution."""
EVALUATED_ROWS = 4096
"""Sequences that an evaluation during training reads at most, evenly spread; the rest would cost more than it tells."""
AFTERWARDS = 4
"""The evaluations that the time for what follows training is worth: shares, ranks of paths."""
BATCH_ROWS = 1024
"""Sequences that are evaluated at a time; bounds memory."""


def fit(prepared: Prepared, session: Session[ForecastOptions]) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept. Raises what `session.carry_out` does."""
    architecture, options, digest = prepared.architecture, prepared.options, prepared.series.digest
    return carry_out(TASK, session, architecture, options, digest, partial(_material, prepared))


def _material(prepared: Prepared, device: torch.device) -> Material:
    options, series, architecture = prepared.options, prepared.series, prepared.architecture
    network = ForecastNetwork(architecture, options.quantiles, options.dropout or 0.0).to(device)
    windows = Shuffled(
        series.encoded, architecture, series.train, series.scaling, as_set(options.batch_size), options.seed
    )
    network.start_at(windows.batch(0))
    judged = _spread(series.valid, max(1, EVALUATED_ROWS // (architecture.channels // architecture.joint)))
    return Material(
        network,
        windows.batch,
        lambda: _mean_loss(network, series, judged),
        windows.steps_per_epoch,
        MAX_EPOCHS,
        Units(windows.batch_size, "windows", LOSSES.get(architecture.likelihood, "negative log-likelihood")),
        f"{architecture.cell.name}, {architecture.num_layers} × {architecture.hidden_size} units over "
        f"{architecture.past_segments} segments of {architecture.segment} steps",
        f"{len(windows.windows):,} windows",
        evaluations_after=AFTERWARDS,
        names=lambda step: series.names(windows.chosen(step)),
    )


def _spread(windows: Origins, most: int) -> Origins:
    """Return at most so many windows, evenly spread."""
    return windows.take(slice(None, None, -(-len(windows) // most)))


def _mean_loss(network: ForecastNetwork, series: Series, windows: Origins) -> float:
    """Return the mean loss of the values to be forecast."""
    sizes = network.architecture
    each = max(1, BATCH_ROWS * sizes.joint // sizes.channels)
    total = count = 0.0
    with judging(network):
        for begin in range(0, len(windows), each):
            batch = gather(series.encoded, sizes, windows.take(slice(begin, begin + each)), series.scaling)
            known = float(batch.known.sum())
            total += network.loss(batch, None)[0].item() * known
            count += known
    return total / max(count, 1.0)
