"""Training a classifier's network: from labelled sequences to weights."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import torch

from ..data.sequences import ByLength, sorted_batches
from ..label_architecture import LabelArchitecture
from ..nn.labels import ClassifierNetwork, Labelled, Noise
from ..tasks.classifier_fitting import Material as Examples
from ..tasks.classifier_fitting import Prepared
from ..tasks.classifier_options import ClassifierOptions
from ..tasks.classifier_sizes import MOST_STEPS, most_epochs
from . import session
from .loop import Units
from .planning import as_set, device_of, own_randomness, threads
from .pretraining import TASK as READING
from .report import Report
from .session import Kept, Material, Outcome, carry_out

TASK = "classify"
EVALUATED = 1024
"""Examples that are judged at a time, at most."""


def open_checkpoint(path: str | os.PathLike[str]) -> Kept[ClassifierOptions]:
    """Read a checkpoint to go on from. Raises FileFormatError when there is none, or none that can be used."""
    return session.open_checkpoint(path, ClassifierOptions, TASK, READING)


def fit(
    prepared: Prepared,
    begin: Mapping[str, torch.Tensor],
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept[ClassifierOptions] | None = None,
) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    begin: weights that are there already, by name. The other arguments and the errors are those of `session.carry_out`.
    """
    options, examples, architecture = prepared.options, prepared.material, prepared.architecture
    device = device_of(options.device)
    if kept:
        kept.check(architecture.weight_shapes())
    with threads(options.threads), own_randomness(device):
        torch.manual_seed(options.seed)
        network = ClassifierNetwork(architecture, noise_of(options), examples.shares, options.label_smoothing)
        if prepared.vectors is not None:
            network.start_at(prepared.vectors)
        network.load_state_dict({**network.state_dict(), **begin})
        network = network.to(device)
        lengths = examples.sequences.lengths
        batches = ByLength(lengths[examples.train], examples.train, as_set(options.batch_size), options.seed)
        material = Material(
            network,
            lambda step: labelled(examples, batches.batch(step)),
            lambda: mean_loss(network, examples),
            batches.steps_per_epoch,
            most_epochs(prepared.extent),
            Units(batches.size, "texts" if architecture.embedding else "series", "nats"),
            told(architecture),
            f"{len(examples.train):,} examples",
            names=lambda step: [examples.places[number] for number in batches.batch(step)],
        )
        return carry_out(
            TASK, material, options, examples.digest, architecture.cell, report, started, checkpoint_path, kept
        )


def noise_of(options: ClassifierOptions) -> Noise:
    """Return what the options drop in training."""
    return Noise(
        options.word_dropout or 0.0,
        options.input_dropout or 0.0,
        options.dropout or 0.0,
        options.recurrent_dropout,
        options.noise or 0.0,
    )


def labelled(examples: Examples, numbers: np.ndarray) -> Labelled:
    """Return some examples, by number, as a batch."""
    return Labelled(examples.sequences.take(numbers), examples.truth[numbers], numbers)


@torch.no_grad()
def mean_loss(network: ClassifierNetwork, examples: Examples) -> float:
    """Return the mean loss of the examples to judge by; leaves the training mode as it was."""
    was_training = network.training
    network.eval()
    total = 0.0
    for some in sorted_batches(examples.sequences.lengths[examples.valid], EVALUATED, MOST_STEPS):
        total += float(network.losses(labelled(examples, examples.valid[some])).sum())
    network.train(was_training)
    return total / len(examples.valid)


def told(architecture: LabelArchitecture) -> str:
    """Return what the network is, in words."""
    ways = ", both ways" if architecture.bidirectional else ""
    pooling = f", {' and '.join(architecture.poolings)} pooling" if architecture.poolings else ""
    return f"{architecture.cell.name}, {architecture.num_layers} × {architecture.hidden_size} units{ways}{pooling}"
