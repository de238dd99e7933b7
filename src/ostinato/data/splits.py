"""Where the training, validation and test parts of each series end."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from .panel import Panel

Ends = NDArray[np.int64]
HELD_OUT = 0.1
"""The share of each series, at its end, that validates where no split is given; at least one horizon."""


class Parts(NamedTuple):
    """The row after the last one of each part of each series [S], counted over the whole panel."""

    train: Ends
    valid: Ends
    test: Ends


def split(panel: Panel, ends: Ends, given: tuple[str, ...], horizon: int) -> Parts:
    """Return the parts of a panel's series.

    ends: the row after the last known one of each series [S]. given: two or three rows, fractions (with a point) or
    dates, as text; empty: the last tenth validates, at least `horizon` rows, and nothing is left for a test. Rows count
    from a series' beginning. Fractions are of its length: the first and the last are rounded down, as is usual, and
    what is left between them validates. A date is the first that is no longer in its part.

    Raises OptionError for what is none of these, DataError where no series has a training part.
    """
    begins = panel.starts[:-1]
    lengths = ends - begins
    if not given:
        held_out = np.maximum(horizon, np.ceil(lengths * HELD_OUT).astype(np.int64))
        parts = Parts(np.maximum(ends - held_out, begins), ends, ends)
    elif all(part.isdecimal() for part in given):
        rows = np.cumsum([int(part) for part in given])
        train, valid, test = (np.minimum(begins + row, ends) for row in (*rows, rows[-1])[:3])
        parts = Parts(train, valid, test)
    elif (shares := _shares(given)) is not None:
        test_rows = (lengths * shares[2]).astype(np.int64) if len(shares) == 3 else np.zeros_like(lengths)
        parts = Parts(begins + (lengths * shares[0]).astype(np.int64), ends - test_rows, ends)
    else:
        parts = _by_dates(panel, ends, given)
    if not (parts.train > begins).any():
        raise DataError(
            f"no series has a row to train on: the longest has {lengths.max():,} rows, and {horizon} are held out.",
            "give longer series, a shorter --horizon, or a --split.",
        )
    return parts


def _shares(given: tuple[str, ...]) -> list[float] | None:
    try:
        shares = [float(part) for part in given]
    except ValueError:
        return None
    if not all(0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise OptionError(f"the fractions {', '.join(given)} do not add up to 1.", "such as --split 0.7,0.1,0.2")
    return shares


def _moment(text: str) -> Any:
    """Return the time that an ISO text is, or the month; one with an offset in UTC, as panels have it."""
    whole = f"{text}-01" if len(text) == len("2017-07") else text.replace("Z", "+00:00")
    moment = datetime.fromisoformat(whole)
    return np.datetime64(moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment, "us")


def _by_dates(panel: Panel, ends: Ends, given: tuple[str, ...]) -> Parts:
    if panel.times.dtype.kind != "M":
        raise OptionError(
            f"the split {', '.join(given)} is neither rows nor fractions, and the series have no dates.",
            "such as --split 0.7,0.1,0.2",
        )
    try:
        dates = [_moment(part) for part in given]
    except ValueError:
        raise OptionError(
            f"the split {', '.join(given)} is neither rows nor fractions nor dates.",
            "such as --split 8640,2880,2880 or 0.7,0.1,0.2 or 2017-07-01,2017-11-01",
        ) from None

    def rows_before(date: Any) -> Ends:
        before = np.concatenate([[0], np.cumsum(panel.times < date)])
        rows: Ends = np.minimum(panel.starts[:-1] + before[panel.starts[1:]] - before[panel.starts[:-1]], ends)
        return rows

    if not all(first <= second for first, second in pairwise(dates)):
        raise OptionError(f"the dates {', '.join(given)} are not in order of time.", "such as 2017-07-01,2017-11-01")
    train, valid = rows_before(dates[0]), rows_before(dates[1])
    return Parts(train, valid, rows_before(dates[2]) if len(dates) == 3 else ends)
