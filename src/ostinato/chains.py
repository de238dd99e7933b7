"""Chains of steps: how those of a batch of sequences lie in rows, for what runs along each sequence by itself."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from .engine.packing import Index, Packing, checked_lengths


class Chains:
    """The live steps of [T, B, …] as rows [N, …] in time order, longest sequence first (`engine.packing.Packing`).

    A sequence's *place* is its rank by length; sequences without steps have none. Step t is the rows ``starts[t]`` to
    ``starts[t] + counts[t]``, the row of place p being ``starts[t] + p``.

    owner: who asks, for errors. lengths: [B], or None where all are T steps long. Raises ShapeError for others.
    """

    def __init__(self, owner: str, steps: int, batch: int, lengths: Any) -> None:
        packing = Packing.of(steps, batch, checked_lengths(owner, lengths, steps, batch), reverse=False)
        self.counts = packing.counts
        self.starts = tuple(np.cumsum([0, *packing.counts]).tolist())
        self._order, self._sources = packing.order, packing.sources

    @property
    def rows(self) -> int:
        """N, the number of live steps."""
        return int(self.starts[-1])

    @property
    def moves(self) -> list[tuple[int, int, int]]:
        """For each step but the first: the first row of the step before, its own first row, and its live rows."""
        return list(zip(self.starts[:-2], self.starts[1:-1], self.counts[1:], strict=True))

    @property
    def places(self) -> int:
        """The number of sequences that have steps."""
        return self.counts[0] if self.counts else 0

    @cached_property
    def sources(self) -> Index:
        """For each row its position t·B + b in [T, B, …] [N]."""
        return np.arange(self.rows) if self._sources is None else self._sources

    @cached_property
    def sequences(self) -> Index:
        """For each place the sequence in it [places]."""
        return np.arange(self.places) if self._order is None else self._order[: self.places]

    @cached_property
    def place(self) -> Index:
        """For each row its place [N]."""
        return np.concatenate([np.arange(0), *map(np.arange, self.counts)])

    @cached_property
    def before(self) -> Index:
        """For each row but those of first steps, the row of the step before [N - places]."""
        before: Index = np.repeat(np.array(self.starts[:-2], np.int64), self.counts[1:]) + self.place[self.places :]
        return before

    @cached_property
    def ends(self) -> Index:
        """For each place the row of its last step [places]."""
        last = (np.array(self.counts)[:, None] > np.arange(self.places)).sum(axis=0) - 1
        ends: Index = np.asarray(self.starts)[last] + np.arange(self.places)
        return ends
