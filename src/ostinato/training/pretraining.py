"""The stage before a classifier learns: reading text without labels."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from ..data.streams import Streams
from ..data.units import Units as Texts
from ..label_architecture import LabelArchitecture
from ..nn.pretraining import ReadingBatch, ReadingNetwork, likelihoods, weight_shapes
from ..tasks.classifier_options import ClassifierOptions
from .loop import Units
from .planning import device_of, own_randomness, threads
from .report import Report
from .session import Kept, Material, carry_out

TASK = "classify, reading"
STREAMS, STEPS = 64, 64
"""Texts side by side, and units of each that a step reads."""
CANDIDATES = 1024
HELD_OUT = 0.02
"""The share of the units, at the end, that the best point is chosen by; at most `MOST_JUDGED`."""
MOST_JUDGED = 200_000
MOST_EPOCHS = 10
DROPOUT = 0.1
LEARNING_RATE = 0.003
SHARE, EPOCHS = 0.65, 3.0
"""The share of the whole time, and the passes over the texts where no time is given."""


def read(
    architecture: LabelArchitecture,
    options: ClassifierOptions,
    texts: Texts,
    digest: str,
    report: Report,
    started: float,
    checkpoint_path: str | os.PathLike[str] | None = None,
    kept: Kept[ClassifierOptions] | None = None,
) -> dict[str, Any]:
    """Learn from texts, as units, and return the weights that a classifier of this architecture begins with.

    options: the classifier's, with every size set. digest: of all that is learned from. The other arguments and the
    errors are those of `session.carry_out`; DataError where the texts are too few.
    """
    assert architecture.embedding is not None
    device = device_of(options.device)
    if kept:
        kept.check(weight_shapes(architecture))
    stream = _joined(texts, architecture.embedding.vocabulary_size)
    cut = len(stream) - min(MOST_JUDGED, int(HELD_OUT * len(stream)))
    counts = np.bincount(stream[:cut], minlength=architecture.embedding.vocabulary_size + 1)
    chance = np.cumsum(likelihoods(counts))
    with threads(options.threads), own_randomness(device):
        torch.manual_seed(options.seed)
        network = ReadingNetwork(architecture, counts, CANDIDATES, DROPOUT).to(device)
        size = _streams(cut)
        ways = [_streams_of(stream[:cut], size, options.seed), _streams_of(stream[:cut][::-1], size, options.seed)]
        judged = [_streams_of(part, _streams(len(stream) - cut), 0) for part in (stream[cut:], stream[cut:][::-1])]
        count = len(network.readers)

        def batch(step: int) -> ReadingBatch:
            return _batch(ways[:count], step, chance, [options.seed, step])

        material = Material(
            network,
            batch,
            lambda: _mean_loss(network, judged[:count], chance),
            ways[0].steps_per_epoch,
            MOST_EPOCHS,
            Units(count * size * ways[0].sequence_length, "units", "nats"),
            f"reading first: {'both ways' if count == 2 else 'forwards'}",
            f"{cut:,} units",
            pace=pace(options),
        )
        found = carry_out(TASK, material, options, digest, architecture.cell, report, started, checkpoint_path, kept)
        weights = {name: torch.from_numpy(array) for name, array in found.weights.items()}
        return network.handed_on(weights)


def pace(options: ClassifierOptions) -> ClassifierOptions:
    """Return how long and how fast this stage learns: its share of the time, or so many passes over the texts."""
    changed: dict[str, Any] = {"learning_rate": LEARNING_RATE, "steps": None, "epochs": None, "time": None}
    if options.pretrain_epochs is not None or options.time is None:
        changed["epochs"] = options.pretrain_epochs or EPOCHS
    else:
        changed["time"] = SHARE * options.time
    return msgspec.structs.replace(options, **changed)


def _joined(texts: Texts, mark: int) -> NDArray[np.int64]:
    """Return texts one after the other, a mark behind each."""
    ends = texts.starts[1:] + np.arange(len(texts.lengths))
    stream = np.full(len(texts.ids) + len(texts.lengths), mark, np.int64)
    is_unit = np.ones(len(stream), bool)
    is_unit[ends] = False
    stream[is_unit] = texts.ids
    return stream


def _streams(units: int) -> int:
    """Return how many streams so many units fill, up to `STREAMS`."""
    return max(1, min(STREAMS, (units - 1) // (4 * STEPS)))


def _streams_of(stream: NDArray[np.int64], size: int, seed: int) -> Streams:
    return Streams(stream, size, max(1, min(STEPS, (len(stream) - 1) // size)), seed)


def _batch(ways: list[Streams], step: int, chance: NDArray[np.float64], seed: list[int]) -> ReadingBatch:
    drawn = np.searchsorted(chance, np.random.default_rng([*seed, 2]).random(CANDIDATES))
    return ReadingBatch([way.batch(step) for way in ways], np.unique(np.minimum(drawn, len(chance) - 1)))


@torch.no_grad()
def _mean_loss(network: ReadingNetwork, ways: list[Streams], chance: NDArray[np.float64]) -> float:
    """Return the mean loss among candidates that are the same each time; leaves the training mode as it was."""
    was_training, state, total = network.training, None, 0.0
    network.eval()
    steps = ways[0].steps_per_epoch
    for step in range(steps):
        loss, state = network.loss(_batch(ways, step, chance, [0, step]), state)
        total += float(loss)
    network.train(was_training)
    return total / steps
