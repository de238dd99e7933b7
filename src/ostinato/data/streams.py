"""Long texts as batches: parallel streams for training, overlapping segments for scoring."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Ids = NDArray[np.integer[Any]]

SCORING_SEGMENTS = 32
"""How many segments of a text are scored side by side, at most."""
SCORING_LEAD = 256
"""Symbols read before each segment without being scored, so that a segment's state is that of the whole text."""


class StreamBatch(NamedTuple):
    """Inputs and targets [T, B] of one training step; `starts` when the streams start anew there."""

    inputs: Ids
    targets: Ids
    starts: bool


class Streams:
    """A text cut into B parallel streams, read T symbols a step, in order.

    A stream's state carries on from step to step. Every epoch cuts the text at another offset. The batch
    of a step depends on (seed, step) alone, so that training can go on from any step.

    Raises DataError when the text does not fill one batch.
    """

    def __init__(self, ids: Ids, batch_size: int, sequence_length: int, seed: int) -> None:
        needed = batch_size * sequence_length + 1
        if len(ids) < needed:
            raise DataError(
                f"the training text has {len(ids):,} symbols, and one batch of {batch_size} streams of "
                f"{sequence_length} needs {needed:,}.",
                "give a longer text, or a smaller --batch-size or --sequence-length.",
            )
        self.ids = ids
        self.batch_size = batch_size
        self.sequence_length = sequence_length
        self.seed = seed
        spare = sequence_length if len(ids) >= needed + sequence_length else 0
        self.steps_per_epoch = (len(ids) - 1 - spare) // (batch_size * sequence_length)

    def batch(self, step: int) -> StreamBatch:
        """Return the batch of a step, counted from 0 over all epochs."""
        positions = self._begins(step) + np.arange(self.sequence_length)[:, None]
        starts = step % self.steps_per_epoch == 0
        return StreamBatch(_at(self.ids, positions), _at(self.ids, positions + 1), starts)

    def names(self, step: int) -> list[str]:
        """Return what the batch of a step is made of: of each stream the symbols of the text, counted from 0."""
        begins = self._begins(step).tolist()
        return [f"symbols {begin:,} to {begin + self.sequence_length:,} of the training text" for begin in begins]

    def _begins(self, step: int) -> NDArray[np.int64]:
        """Return where each stream begins to read [B]."""
        epoch, index = divmod(step, self.steps_per_epoch)
        stride = self.steps_per_epoch * self.sequence_length
        return self._offset(epoch) + index * self.sequence_length + stride * np.arange(self.batch_size)

    def _offset(self, epoch: int) -> int:
        spare = len(self.ids) - 1 - self.steps_per_epoch * self.batch_size * self.sequence_length
        return int(np.random.default_rng([self.seed, epoch]).integers(spare + 1))


class Segments(NamedTuple):
    """A text as segments side by side: inputs and targets [T, B], and which targets count."""

    inputs: Ids
    targets: Ids
    scored: NDArray[np.bool_]


def segments(ids: Ids) -> Segments:
    """Cut a text into segments that score every symbol but the first exactly once.

    Each segment reads up to `SCORING_LEAD` symbols before it, so that what is scored differs from one
    reading of the whole text by less than the fourth decimal.
    """
    total = len(ids) - 1
    count = max(1, min(SCORING_SEGMENTS, total // (4 * SCORING_LEAD)))
    ends = np.arange(1, count + 1) * total // count
    begins = np.concatenate([[0], ends[:-1]])
    reads = np.maximum(begins - SCORING_LEAD, 0)
    steps = np.arange(int((ends - reads).max()))[:, None]
    positions = np.minimum(reads + steps, total - 1)
    scored = (positions >= begins) & (reads + steps < ends)
    return Segments(_at(ids, positions), _at(ids, positions + 1), scored)


def chunks(steps: int, size: int) -> list[slice]:
    """Return slices that cover the steps in order, `size` at a time."""
    return [slice(start, min(start + size, steps)) for start in range(0, steps, size)]


def _at(ids: Ids, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gather ids as int64, the type that torch's loss takes."""
    return ids[positions].astype(np.int64)
