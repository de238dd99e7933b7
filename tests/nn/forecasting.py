"""Forecast networks with random weights, batches for them, and what the oracle makes of both."""

import numpy as np
import torch

from ostinato.cells import CELLS
from ostinato.data.windows import Batch
from ostinato.forecast_architecture import ForecastArchitecture
from ostinato.nn.forecast import ForecastNetwork

from ..oracles import ORACLES
from ..oracles.forecaster import Sizes, forecast

LEVELS = (0.2, 0.5, 0.7, 0.95)
CASES = {
    "direct": {"cell": "gru"},
    "direct, one channel": {"cell": "lstm", "channels": 1, "num_layers": 2},
    "direct, a further width": {"cell": "projected_lstm", "num_layers": 2},
    "direct, mixed": {"cell": "gru", "mixed": True},
    "direct, masked, inputs": {"cell": "lstm", "masked": True, "past_size": 3, "future_size": 2},
    "direct, mixed, masked, inputs": {
        "cell": "gru",
        "mixed": True,
        "masked": True,
        "past_size": 3,
        "future_size": 1,
        "num_layers": 2,
    },
    "single steps": {"cell": "gru", "segment": 1, "lookback": 5, "horizon": 3},
    "stepwise": {"cell": "gru", "stepwise": True},
    "stepwise, masked, inputs": {"cell": "lstm", "stepwise": True, "masked": True, "past_size": 2, "future_size": 2},
    "stepwise, mixed, masked, inputs": {
        "cell": "projected_lstm",
        "stepwise": True,
        "mixed": True,
        "masked": True,
        "past_size": 1,
        "future_size": 1,
        "num_layers": 2,
    },
    "stepwise, one segment": {"cell": "gru", "stepwise": True, "horizon": 2},
}
"""The horizon is no multiple of the segment, unless a case says so."""


def architecture_of(cell, **options):
    sizes = {
        "hidden_size": 5,
        "num_layers": 1,
        "channels": 3,
        "lookback": 9,
        "horizon": 7,
        "segment": 3,
        "outputs": len(LEVELS),
        "middle": LEVELS.index(0.5),
    }
    return ForecastArchitecture(cell=CELLS[cell], **(sizes | options))


def network_of(architecture, dtype=torch.float64, seed=0, dropout=0.0):
    """Return a network of which every weight is random."""
    network = ForecastNetwork(architecture, LEVELS, dropout).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=generator, dtype=torch.float64))
    return network


def batch_of(sizes, windows=4, seed=1, dtype=np.float64):
    """Return a batch of random numbers, of which some truth is missing."""
    random = np.random.default_rng(seed)
    rows = windows * sizes.channels // sizes.joint
    x = random.normal(size=(sizes.past_segments, rows, sizes.input_size)).astype(dtype)
    future = None
    if sizes.future_size:
        future = random.normal(size=(sizes.future_segments, rows, sizes.segment * sizes.future_size)).astype(dtype)
    truth = random.normal(size=(rows, sizes.horizon, sizes.joint)).astype(dtype)
    known = (random.random(truth.shape) < 0.8).astype(dtype)
    one = np.ones((rows, 1, sizes.joint))
    return Batch(x, future, truth * known, known, 0 * one, one)


def by_oracle(architecture, weights, batch):
    """Return what the oracle forecasts from a network's weights."""
    program = architecture.cell.program
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    layers = [
        apart(program, architecture.stack.layer_weights(_recurrent(w), k)) for k in range(architecture.num_layers)
    ]
    widths = {name: architecture.stack.widths[width] for name, width in program.states}
    sizes = Sizes(*(getattr(architecture, name) for name in Sizes._fields))
    return forecast(ORACLES[architecture.cell.name], w, layers, widths, sizes, batch.x, batch.future)


def weights_in(network):
    return {name: weight.detach().numpy().copy() for name, weight in network.named_parameters()}


def _recurrent(w):
    return {name.removeprefix("recurrent."): array for name, array in w.items() if name.startswith("recurrent.")}


def apart(program, weights):
    """Return a layer's weights by the oracle's names, a gate each; the inverse of `running.stacked`."""
    apart = {name: array for name, array in weights.items() if name.startswith(("p_", "M_"))}
    for name, prefix, gates in (
        ("W", "W", program.input_gates),
        ("W_bias", "b", program.input_gates),
        ("R", "R", program.recurrent_gates),
        ("R_bias", "d", program.recurrent_bias_gates),
    ):
        if gates:
            parts = np.split(weights[name], len(gates))
            apart |= {f"{prefix}_{gate}": part for gate, part in zip(gates, parts, strict=True)}
    return apart
