"""A panel: any number of series over time, as numbers, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .frequency import Frequency


@dataclass(frozen=True)
class Panel:
    """S series over time, N rows in all: one series after the other, the rows of each in order of time.

    ids: the names of the series, in order of first appearance; [""] for a lone series without a name.
    starts: where each series' rows begin, and where the last one's end, int64 [S + 1].
    times: datetime64[us] [N] or, where time is a whole number or the number of the row, int64 [N].
    columns: the values of each column, float64 [N]; not-a-number is missing. Of a column of categories they are
    places in the column's list in `categories`.
    frequency: the distance between two rows, of which none is left out; None where times are irregular or too few.
    time_zone: "UTC" where times came with an offset, else None.
    """

    ids: list[str]
    starts: NDArray[np.int64]
    times: NDArray[Any]
    columns: dict[str, NDArray[np.float64]]
    categories: dict[str, list[str]]
    frequency: Frequency | None
    time_zone: str | None = None

    @property
    def num_series(self) -> int:
        """The number of series S."""
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of rows of each series [S]."""
        return np.diff(self.starts)

    def rows(self, series: int) -> slice:
        """Return where the rows of a series, by number, lie."""
        return slice(int(self.starts[series]), int(self.starts[series + 1]))

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns side by side [N, C]."""
        matrix = np.empty((len(self.times), len(names)))
        for place, name in enumerate(names):
            matrix[:, place] = self.columns[name]
        return matrix

    def select(self, series: Sequence[int] | NDArray[np.int64]) -> Panel:
        """Return the panel of some series, by number, in the order given."""
        numbers = np.asarray(series, np.int64)
        lengths = self.lengths[numbers]
        starts = starts_of(lengths)
        rows = np.arange(starts[-1]) + np.repeat(self.starts[numbers] - starts[:-1], lengths)
        return Panel(
            ids=[self.ids[number] for number in numbers],
            starts=starts,
            times=self.times[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            categories=self.categories,
            frequency=self.frequency,
            time_zone=self.time_zone,
        )

    def before(self, ends: NDArray[np.int64]) -> Panel:
        """Return the panel of the rows that lie before some row of each series [S], counted over the whole panel."""
        rows = np.arange(len(self.times)) < np.repeat(ends, self.lengths)
        return Panel(
            ids=self.ids,
            starts=starts_of(ends - self.starts[:-1]),
            times=self.times[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
            categories=self.categories,
            frequency=self.frequency,
            time_zone=self.time_zone,
        )

    def future_times(self, steps: int) -> NDArray[Any]:
        """Return the times of the next `steps` rows of each series [S, steps]; only where there is a frequency."""
        assert self.frequency is not None, "irregular times have no next one"
        first = self.times[self.starts[:-1]]
        return self.frequency.at(first[:, None], self.lengths[:, None] + np.arange(steps))


class Roles(msgspec.Struct, frozen=True):
    """What the columns of a table are for.

    time, series: the columns of times and of names of series. targets: what is forecast. known: what is known of the
    future too. past: what is known up to now only. static: what is fixed for a series.
    """

    time: str | None
    series: str | None
    targets: list[str]
    known: list[str]
    past: list[str]
    static: list[str]

    @property
    def columns(self) -> list[str]:
        """Every column of values."""
        return [*self.targets, *self.known, *self.past, *self.static]


def starts_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where runs of these lengths begin, and where the last one ends [S + 1]."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
