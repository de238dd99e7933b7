"""Training a recurrent forecaster: from windows of series to weights."""

from __future__ import annotations

import os

import torch

from ..data.windows import Origins, Shuffled, gather
from ..forecast_architecture import ForecastArchitecture
from ..nn.forecast import ForecastNetwork
from ..tasks.forecast_fitting import Series
from ..tasks.forecast_options import MAX_EPOCHS, ForecastOptions
from . import session
from .loop import Units
from .planning import as_set, device_of, own_randomness, threads
from .report import Report
from .session import Kept, Material, Outcome, carry_out

TASK = "forecast"
LOSSES = {"quantiles": "quantile loss"}
"""What the loss is, where it is not that of a distribution."""
EVALUATED_ROWS = 4096
"""Sequences that an evaluation during training reads at most, evenly spread; the rest would cost more than it tells."""
AFTERWARDS = 4
"""The evaluations that the time for what follows training is worth: shares, ranks of paths."""
BATCH_ROWS = 1024
"""Sequences that are evaluated at a time; bounds memory."""


def open_checkpoint(path: str | os.PathLike[str]) -> Kept[ForecastOptions]:
    """Read a checkpoint to go on from. Raises FileFormatError when there is none, or none that can be used."""
    return session.open_checkpoint(path, ForecastOptions, TASK)


def fit(
    architecture: ForecastArchitecture,
    options: ForecastOptions,
    series: Series,
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept[ForecastOptions] | None = None,
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    options: with every size set. The other arguments and the errors are those of `session.carry_out`.
    """
    device = device_of(options.device)
    if kept:
        kept.check(architecture.weight_shapes())
    with threads(options.threads), own_randomness(device):
        torch.manual_seed(options.seed)
        network = ForecastNetwork(architecture, options.quantiles, options.dropout or 0.0).to(device)
        windows = Shuffled(
            series.encoded, architecture, series.train, series.scaling, as_set(options.batch_size), options.seed
        )
        network.start_at(windows.batch(0))
        judged = _spread(series.valid, max(1, EVALUATED_ROWS // (architecture.channels // architecture.joint)))
        material = Material(
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
        return carry_out(
            TASK,
            material,
            options,
            series.digest,
            architecture.cell,
            report,
            started,
            checkpoint_path,
            kept,
        )


def _spread(windows: Origins, most: int) -> Origins:
    """Return at most so many windows, evenly spread."""
    return windows.take(slice(None, None, -(-len(windows) // most)))


@torch.no_grad()
def _mean_loss(network: ForecastNetwork, series: Series, windows: Origins) -> float:
    """Return the mean loss of the values to be forecast; leaves the training mode as it was."""
    sizes, was_training = network.architecture, network.training
    each = max(1, BATCH_ROWS * sizes.joint // sizes.channels)
    network.eval()
    total = count = 0.0
    for begin in range(0, len(windows), each):
        batch = gather(series.encoded, sizes, windows.take(slice(begin, begin + each)), series.scaling)
        known = float(batch.known.sum())
        total += network.loss(batch, None)[0].item() * known
        count += known
    network.train(was_training)
    return total / max(count, 1.0)
