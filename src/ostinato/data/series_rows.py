"""Tables in which each row is a series, as in the M4 competition: a name, then the values one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError
from .grid import Records
from .panel import Roles, starts_of
from .roles import TARGET, check_names
from .source import Source

if TYPE_CHECKING:
    from .layout import Layout


def one_series_a_row(source: Source, layout: Layout) -> tuple[Records, Roles, list[str]]:
    """Return the rows of a table as series, which end at their last value; the target is called "y".

    The name of a series is the column given, or the first of texts, or else the number of its row; one that occurs
    again goes on where it ended, so that M4's test file may stand below that of training. Static columns are
    those named; all others are values, in their order. Time is the number of the value, from 0.

    Raises DataError for a series without any value, and OptionError for roles that such a table cannot have.
    """
    if layout.time_column or layout.known or layout.past or layout.targets not in (None, "all", [TARGET]):
        raise OptionError(
            "with --rows-are-series columns are the steps of one target.",
            "leave --time-column, --target, --known and --past out.",
        )
    check_names(source, _without_targets(layout))
    names = list(source.columns)
    texts = [name for name in names if source.columns[name].kind == "text" and name not in layout.static]
    series = layout.series or (texts[0] if texts else None)
    steps = [name for name in names if name != series and name not in layout.static]
    if not steps:
        raise source.origin.error("it has no columns of values.", "each row is a series: a name, then its values.")
    lengths = _lengths(source, steps)
    starts = starts_of(lengths)
    codes, ids = _ids(source, series)
    values = np.empty(int(starts[-1]))
    for step, name in enumerate(steps):
        longer = lengths > step
        values[starts[:-1][longer] + step] = source.columns[name].numbers[longer]
    columns, categories = {TARGET: values}, {}
    for name in layout.static:
        column = source.columns[name]
        if column.kind == "text":
            fixed, categories[name] = column.categories
        else:
            fixed = column.numbers
        columns[name] = np.repeat(fixed, lengths)
    before = _lengths_before(codes, lengths)
    times = np.arange(int(starts[-1])) - np.repeat(starts[:-1] - before, lengths)
    records = Records(ids, np.repeat(codes, lengths), times, columns, categories, origin=source.origin)
    return records, Roles(None, series, [TARGET], [], [], list(layout.static)), []


def _without_targets(layout: Layout) -> Layout:
    from msgspec.structs import replace

    return replace(layout, targets=None)


def _lengths(source: Source, steps: list[str]) -> np.ndarray:
    """Return the number of values of each row, up to its last one."""
    lengths = np.zeros(source.length, np.int64)
    for step, name in enumerate(steps, 1):
        lengths[~np.isnan(source.columns[name].numbers)] = step
    if not lengths.all():
        raise source.origin.error("the series has no value.", "leave the row out.", int(np.argmin(lengths)))
    return lengths


def _ids(source: Source, series: str | None) -> tuple[np.ndarray, list[str]]:
    """Return the number of each row's series, and their names."""
    if series is None:
        return np.arange(source.length), [str(number) for number in range(1, source.length + 1)]
    codes, ids = source.columns[series].ids
    return codes, ids


def _lengths_before(codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return how many values of its series precede each row's."""
    order = np.argsort(codes, kind="stable")
    summed = np.cumsum(lengths[order]) - lengths[order]
    firsts = np.searchsorted(codes[order], codes[order])
    before = np.empty_like(lengths)
    before[order] = summed - summed[firsts]
    return before
