"""Series as a network reads them: each channel with mean 0 and deviation 1, and what is missing marked."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ..errors import DataError
from .examples import SeriesExamples
from .report import listed
from .sequences import SeriesSequences

FARTHEST = 1e6
"""A value is read as at most so many deviations off the mean: sums of larger ones may be beyond what float32 holds."""


class SeriesEncoder(msgspec.Struct, frozen=True, tag="series", tag_field="kind"):
    """x = (value - mean) / deviation, 0 where the value is missing; D numbers a step, and D more each for what follows.

    No x is beyond a million.

    channels: their names. means, deviations: of the training values. marked: whether a number for each channel tells
    that its value is missing (1) or there (0), since some were missing in training. changes: what the change from the
    step before, too, is divided by to be an input [D]; it is 0 where either value is missing. Empty where it is none.
    """

    channels: Annotated[list[str], Meta(min_length=1)]
    means: list[float]
    deviations: list[Annotated[float, Meta(gt=0)]]
    marked: bool = False
    changes: list[Annotated[float, Meta(gt=0)]] = []

    def __post_init__(self) -> None:
        if not len(self.channels) == len(self.means) == len(self.deviations):
            raise DataError("a mean and a deviation for each channel are expected.")
        if len(self.changes) not in (0, len(self.channels)):
            raise DataError("a deviation of the change of each channel is expected, or none.")
        if not np.isfinite([*self.means, *self.deviations, *self.changes]).all():
            raise DataError("means and deviations must be finite.")

    @classmethod
    def fit(cls, series: SeriesExamples, changes: bool = False) -> SeriesEncoder:
        """Return the encoder of training series. A channel that does not change, or has no value, is left as it is.

        changes: whether the change from the step before is an input, too.
        """
        values = series.values
        is_there = ~np.isnan(values)
        counts = np.maximum(is_there.sum(axis=0), 1)
        means = np.where(is_there, values, 0).sum(axis=0) / counts
        spread = np.sqrt((np.where(is_there, values - means, 0) ** 2).sum(axis=0) / counts)
        # What differs in its last digits only does not change either.
        deviations = np.maximum(np.where(spread > 1e-9 * np.abs(means), spread, 1.0), 1e-30)
        moves: list[float] = []
        if changes:
            apart = _changes(values, series.starts)
            known = np.maximum((~np.isnan(apart)).sum(axis=0), 1)
            root = np.sqrt((np.nan_to_num(apart) ** 2).sum(axis=0) / known)
            moves = np.where(root > 1e-9 * deviations, root, deviations).tolist()
        return cls(list(series.channels), means.tolist(), deviations.tolist(), not is_there.all(), moves)

    @property
    def size(self) -> int:
        """The numbers a step."""
        return len(self.channels) * (1 + self.marked + bool(self.changes))

    def encode(self, series: SeriesExamples) -> SeriesSequences:
        """Return series as numbers. Raises DataError for another number of channels."""
        found = arranged(series, self.channels)
        return SeriesSequences(self.scaled(found.values, found.starts), series.starts)

    def scaled(self, values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return values [N, D] of series that begin at some rows as the network reads them [N, size]."""
        scaled = (values - self.means) / self.deviations
        parts = [scaled]
        if self.marked:
            parts.append(np.isnan(scaled))
        if self.changes:
            parts.append(_changes(values, starts) / self.changes)
        x: NDArray[np.float64] = np.clip(np.nan_to_num(np.concatenate(parts, 1)), -FARTHEST, FARTHEST)
        return x.astype(np.float32)


def _changes(values: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each value less that of the step before; not-a-number where either is missing, and at a series' first."""
    apart = np.full_like(values, np.nan)
    apart[1:] = values[1:] - values[:-1]
    apart[starts[:-1][starts[:-1] < len(values)]] = np.nan
    return apart


def arranged(series: SeriesExamples, channels: list[str]) -> SeriesExamples:
    """Return series with their channels in a given order; as they stand, where they have other names.

    Raises DataError for another number of channels.
    """
    if len(series.channels) != len(channels):
        raise DataError(
            f"the series have {len(series.channels)} channels ({listed(series.channels)}), "
            f"but the model reads {len(channels)} ({listed(channels)}).",
            "give the channels that it was trained on.",
        )
    if series.channels == channels or set(series.channels) != set(channels):
        return series
    order = [series.channels.index(name) for name in channels]
    # Row by row in memory, as all are: a sum may be another by its last bit where numbers lie in another order.
    return replace(series, values=np.ascontiguousarray(series.values[:, order]), channels=list(channels))
