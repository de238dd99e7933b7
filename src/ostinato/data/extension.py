"""Rows for the future: what a panel needs before a forecast can be made from its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .panel import Panel, starts_of

Ends = NDArray[np.int64]


def known_ends(panel: Panel, targets: list[str]) -> Ends:
    """Return the row after the last one in which some target is known, of each series [S]."""
    known = np.asarray(~np.isnan(panel.matrix(targets)).all(axis=1))
    place = np.where(known, np.arange(1, len(known) + 1), 0)
    begins = panel.starts[:-1]
    ends = np.maximum.reduceat(np.append(place, 0), begins) if len(begins) else begins
    return np.where(panel.lengths > 0, np.maximum(ends, begins), begins)


def extended(panel: Panel, ends: Ends, steps: int, static: Sequence[str] = ()) -> tuple[Panel, Ends]:
    """Return the panel with at least so many rows after each series' end, and the ends there.

    ends: as `known_ends` returns them. Rows that are there already, of inputs known ahead, are kept; those that are not
    get their times, the values of `static` columns, which are the same in all rows of a series, and else missing ones.

    Raises DataError for irregular times, which have no next one.
    """
    begins = panel.starts[:-1]
    lengths = np.maximum(panel.lengths, ends - begins + steps)
    missing = int((lengths - panel.lengths).max(initial=0))
    if not missing:
        return panel, ends
    if panel.frequency is None:
        raise DataError(
            f"irregular times have no next one, and {steps} are to be forecast.",
            "give rows with the times to forecast, and empty targets.",
        )
    starts = starts_of(lengths)
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    is_old = within < np.repeat(panel.lengths, lengths)
    source = np.repeat(begins, lengths) + within
    times = np.empty(starts[-1], panel.times.dtype)
    times[is_old] = panel.times[source[is_old]]
    ahead = panel.future_times(missing)
    series = np.repeat(np.arange(panel.num_series), lengths)[~is_old]
    times[~is_old] = ahead[series, within[~is_old] - panel.lengths[series]]
    columns = {name: np.full(starts[-1], np.nan) for name in panel.columns}
    for name, values in panel.columns.items():
        columns[name][is_old] = values[source[is_old]]
    for name in static:
        columns[name] = np.repeat(panel.columns[name][begins], lengths)
    whole = Panel(panel.ids, starts, times, columns, panel.categories, panel.frequency, panel.time_zone)
    return whole, starts[:-1] + ends - begins
