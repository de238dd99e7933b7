"""Windows of series: what was known before an origin, and what came after it.

Letters of forecasting, here and beside: W windows, L lookback, H horizon, C channels (targets), Q quantiles,
N rows, S series. An origin is a row of its series: the rows before it are known, its own is the first to forecast.
Not-a-number is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, ShapeError
from ..shapes import expect

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Range = tuple[int, int]
"""Rows of a series: the first, and the one after the last."""


class Rows(NamedTuple):
    """Several series, one after the other.

    values: [N, C]. starts: where the rows of each series begin, and the last ones end [S + 1].
    """

    values: Floats
    starts: Numbers

    @property
    def lengths(self) -> Numbers:
        """How many rows each series has [S]."""
        return np.diff(self.starts)


def rows_of(series: ArrayLike | Sequence[ArrayLike]) -> Rows:
    """Return one series [N, C], or a list of several of any lengths, as rows. A series [N] has one channel.

    Raises ShapeError for another number of axes or unequal channels, DataError for infinite values or no series.
    """
    if not isinstance(series, Sequence):
        parts = [_columns(series)]
    elif not series:
        raise DataError("there is no series.", "give at least one.")
    else:
        parts = [_columns(part) for part in series]
    for part in parts:
        expect("rows_of", "a series", part, "N C", C=parts[0].shape[1])
    values = np.concatenate(parts)
    if np.isinf(values).any():
        raise DataError("a series holds an infinite value.", "write not-a-number where a value is missing.")
    return Rows(values, np.cumsum([0, *map(len, parts)], dtype=np.int64))


def _columns(part: ArrayLike) -> Floats:
    values = np.asarray(part, np.float64)
    return values[:, None] if values.ndim == 1 else values


def ranges_of(name: str, given: Range | Sequence[Range], rows: Rows) -> list[Range]:
    """Return a range of rows for each series from one that holds for all, or from one a series.

    name: what they are, for errors. Raises DataError for a range beyond its series, or too many or too few of them.
    """
    lengths = rows.lengths.tolist()
    single = len(given) == 2 and not any(isinstance(part, Sequence) for part in given)
    parts = cast("Sequence[Range]", [given] * len(lengths) if single else given)
    ranges = [(int(first), int(last)) for first, last in parts]
    if len(ranges) != len(lengths):
        raise DataError(f"{len(ranges)} ranges of {name} rows were given for {len(lengths)} series.", "give one each.")
    for (first, last), length in zip(ranges, lengths, strict=True):
        if not 0 <= first <= last <= length:
            raise DataError(
                f"{name} rows {first} to {last} do not lie in a series of {length}.",
                "give the first row, counted from 0, and the one after the last.",
            )
    return ranges


def gather(rows: Rows, series: Numbers, origins: Numbers, before: int, after: int) -> Floats:
    """Return windows [W, before + after, C] around origins [W] of the series with these numbers [W].

    Rows before the beginning of a series or after its end are missing.
    """
    places = (rows.starts[series] + origins)[:, None] + np.arange(-before, after)
    begins, ends = rows.starts[series][:, None], rows.starts[series + 1][:, None]
    windows: Floats = rows.values[np.clip(places, 0, max(len(rows.values) - 1, 0))]
    windows[(places < begins) | (places >= ends)] = np.nan
    return windows


def hold(history: Floats) -> Floats:
    """Return windows [W, L, C] in which a missing value is the last known one before it.

    Before the first known value stands that one; a column without any stays missing. Nothing beyond the
    window is looked at, so that training and prediction see the same.
    """
    known = ~np.isnan(history)
    if known.all():
        return history
    first = np.take_along_axis(history, known.argmax(axis=1)[:, None], axis=1)
    held = hold_forward(history)
    return np.where(np.isnan(held), first, held)


def hold_forward(history: Floats) -> Floats:
    """Return the same, but what comes before the first known value stays missing."""
    steps = np.arange(history.shape[1])[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(history), 0, steps), axis=1)
    return np.take_along_axis(history, last, axis=1)


def check_history(owner: str, history: ArrayLike) -> Floats:
    """Return windows as float64 [W, L, C], with at least one row each.

    Raises ShapeError for anything else.
    """
    values = np.asarray(history, np.float64)
    expect(owner, "a history", values, "W L C")
    if not values.shape[1]:
        raise ShapeError(f"{owner} expected a history of at least one row, got {list(values.shape)}.")
    return values
