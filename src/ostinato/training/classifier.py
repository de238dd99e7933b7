"""Training a classifier's network: from labelled sequences to weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from ..data.sequences import ByLength, sorted_batches
from ..label_architecture import LabelArchitecture
from ..nn.labels import ClassifierNetwork, Labelled, Noise
from ..tasks.classifier_fitting import Material as Examples
from ..tasks.classifier_fitting import Prepared
from ..tasks.classifier_options import ClassifierOptions
from ..tasks.classifier_sizes import MOST_STEPS, most_epochs
from .loop import Units
from .planning import as_set, judging
from .session import Material, Outcome, Session, carry_out

TASK = "classify"
EVALUATED = 1024
"""Examples that are judged at a time, at most."""


def fit(prepared: Prepared, begin: Mapping[str, torch.Tensor], session: Session[ClassifierOptions]) -> Outcome:
    """Train, from the beginning or from what a checkpoint kept.

    begin: weights that are there already, by name. Raises what `session.carry_out` does.
    """
    architecture, options, digest = prepared.architecture, prepared.options, prepared.material.digest
    return carry_out(TASK, session, architecture, options, digest, partial(_material, prepared, begin))


def _material(prepared: Prepared, begin: Mapping[str, torch.Tensor], device: torch.device) -> Material:
    options, examples, architecture = prepared.options, prepared.material, prepared.architecture
    network = ClassifierNetwork(architecture, noise_of(options), examples.shares, options.label_smoothing)
    if prepared.vectors is not None:
        network.start_at(prepared.vectors)
    network.load_state_dict({**network.state_dict(), **begin})
    network = network.to(device)
    train = examples.train
    batches = ByLength(examples.sequences.lengths[train], train, as_set(options.batch_size), options.seed)
    return Material(
        network,
        lambda step: labelled(examples, batches.batch(step)),
        lambda: mean_loss(network, examples),
        batches.steps_per_epoch,
        most_epochs(prepared.extent),
        Units(batches.size, "texts" if architecture.embedding else "series", "nats"),
        told(architecture),
        f"{len(train):,} examples",
        names=lambda step: [examples.places[number] for number in batches.batch(step)],
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


def mean_loss(network: ClassifierNetwork, examples: Examples) -> float:
    """Return the mean loss of the examples to judge by."""
    total = 0.0
    with judging(network):
        for some in sorted_batches(examples.sequences.lengths[examples.valid], EVALUATED, MOST_STEPS):
            total += float(network.losses(labelled(examples, examples.valid[some])).sum())
    return total / len(examples.valid)


def told(architecture: LabelArchitecture) -> str:
    """Return what the network is, in words."""
    ways = ", both ways" if architecture.bidirectional else ""
    pooling = f", {' and '.join(architecture.poolings)} pooling" if architecture.poolings else ""
    return f"{architecture.cell.name}, {architecture.num_layers} × {architecture.hidden_size} units{ways}{pooling}"
