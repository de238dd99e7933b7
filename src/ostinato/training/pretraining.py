"""The stage before a classifier learns: reading text without labels."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from ..data.streams import Streams
from ..data.units import Units as Texts
from ..nn.pretraining import ReadingBatch, ReadingNetwork, handed_on, likelihoods, weight_shapes
from ..tasks.classifier_fitting import READING, Prepared
from ..tasks.classifier_options import ClassifierOptions
from .loop import Units
from .planning import judging
from .session import Material, Session, carry_out

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


def read(prepared: Prepared, session: Session[ClassifierOptions]) -> dict[str, torch.Tensor]:
    """Learn from the texts to read first, and return the weights that the classifier begins with.

    Raises what `session.carry_out` does, and DataError where the texts are too few.
    """
    architecture, options, digest = prepared.architecture, prepared.options, prepared.material.digest
    found = carry_out(
        READING, session, architecture, options, digest, partial(_material, prepared), weight_shapes(architecture)
    )
    return handed_on({name: torch.from_numpy(array) for name, array in found.weights.items()})


def after_reading(session: Session[ClassifierOptions], options: ClassifierOptions) -> Session[ClassifierOptions]:
    """Return the session for what comes next: however long reading took, that has a share of the time of its own.

    A machine that slowed down on the way would leave it a step or two else, and all that was read would be for nothing.
    """
    if options.time is None:
        return session
    return replace(session, started=max(session.started, time.monotonic() - SHARE * options.time))


def _material(prepared: Prepared, device: torch.device) -> Material:
    architecture, options = prepared.architecture, prepared.options
    assert architecture.embedding is not None
    assert prepared.reading is not None
    mark = architecture.embedding.vocabulary_size
    stream = _joined(prepared.reading, mark)
    cut = len(stream) - min(MOST_JUDGED, int(HELD_OUT * len(stream)))
    counts = np.bincount(stream[:cut], minlength=mark + 1)
    chance = np.cumsum(likelihoods(counts))
    network = ReadingNetwork(architecture, counts, CANDIDATES, DROPOUT).to(device)
    size = _streams(cut)
    ways = [_streams_of(stream[:cut], size, options.seed), _streams_of(stream[:cut][::-1], size, options.seed)]
    judged = [_streams_of(part, _streams(len(stream) - cut), 0) for part in (stream[cut:], stream[cut:][::-1])]
    count = len(network.readers)
    return Material(
        network,
        lambda step: _batch(ways[:count], step, chance, [options.seed, step]),
        lambda: _mean_loss(network, judged[:count], chance),
        ways[0].steps_per_epoch,
        MOST_EPOCHS,
        Units(count * size * ways[0].sequence_length, "units", "nats"),
        f"reading first: {'both ways' if count == 2 else 'forwards'}",
        f"{cut:,} units",
        pace=pace(options),
    )


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


def _mean_loss(network: ReadingNetwork, ways: list[Streams], chance: NDArray[np.float64]) -> float:
    """Return the mean loss among candidates that are the same each time."""
    steps, state, total = ways[0].steps_per_epoch, None, 0.0
    with judging(network):
        for step in range(steps):
            loss, state = network.loss(_batch(ways, step, chance, [0, step]), state)
            total += float(loss)
    return total / steps
