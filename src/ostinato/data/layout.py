"""From whatever holds series to a panel: files, frames or arrays, by what the caller says and what they show."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from ..errors import OptionError
from .arrays import is_arrays, source_of_arrays
from .columns import Column
from .frequency import Frequency
from .grid import Records, panel_from, refuse_all_missing
from .panel import Panel, Roles
from .report import summary
from .roles import choose
from .series_rows import one_series_a_row
from .source import Source, composed_times
from .stacked import stacked
from .tables import Sheet, as_frame, guarded, read_sheet


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says about a table; None: to be seen from the table itself.

    time_column: the column of times, or several joined by +, such as year+month+day. targets: the columns to forecast,
    or "all" for every column of numbers that is nothing else; an empty list for none. series: the column that names
    the series. known, past, static: the other columns (see Roles); without `past`, whatever is left is past.
    rows_are_series: each row is a series, its values one after the other. irregular: times follow no grid.
    """

    time_column: str | None = None
    targets: list[str] | Literal["all"] | None = None
    series: str | None = None
    known: list[str] = []
    past: list[str] | None = None
    static: list[str] = []
    rows_are_series: bool = False
    irregular: bool = False


@dataclass(frozen=True)
class Table:
    """A panel, the roles of its columns, and what was inferred and what was odd, a line each, for a person."""

    panel: Panel
    roles: Roles
    remarks: list[str]


def panel_of(data: Any, layout: Layout | None = None, frequency: Frequency | None = None) -> Table:
    """Return data as a panel.

    data: a path, a frame of pandas, polars or pyarrow, or a list of these, which are put one below the other; or an
    array [T] or [T, C], or a list of arrays, one a series. Long form has a column that names the series (`unique_id`,
    or the one given); `ds` and `y` are time and target where they occur. Else time is the first column of timestamps,
    or a group of columns year, month, day, hour, minute, second, or a column year; without any, rows are counted.
    Without stated targets every column of numbers is one; texts are categories, known of the past only.

    Rows after the last known target stay, for what is known ahead. Rows that repeat another in everything are left
    out, unsorted ones sorted and gaps filled with missing values, and remarks say so.

    frequency: what is known of it beforehand, for instance from training; else it is inferred.

    Raises DataError for what cannot be used, with file, row and column, OptionError for a layout that contradicts
    itself, and MissingExtraError where a file or a frame needs the extra `tables`. Arrays do not.
    """
    layout = layout or Layout()
    if is_arrays(data):
        if layout.rows_are_series:
            raise OptionError("rows that are series are for tables.", "give arrays as a list, one a series.")
        return _from(source_of_arrays(data), layout, frequency)
    source = _source(data)
    return guarded(lambda: _from(source, layout, frequency), source.origin.title)


def _from(source: Source, layout: Layout, frequency: Frequency | None) -> Table:
    if source.length == 0:
        raise source.origin.error("it has no rows.", "give a table with some rows in it.")
    if layout.rows_are_series:
        records, roles, remarks = one_series_a_row(source, layout)
        return _table(records, roles, source.remarks + remarks, layout, Frequency("row", 1))
    roles, remarks = choose(source, layout)
    records = _records(source, roles)
    if roles.time is None:
        frequency = Frequency("row", 1)
    return _table(records, roles, source.remarks + remarks, layout, frequency)


def _table(records: Records, roles: Roles, remarks: list[str], layout: Layout, frequency: Frequency | None) -> Table:
    missing = {name: int(np.isnan(values).sum()) for name, values in records.columns.items()}
    rows = len(records.times)
    refuse_all_missing(records, roles.targets)
    panel, odd = panel_from(records, roles, layout.irregular, frequency)
    return Table(panel, roles, [*summary(panel, roles, missing, rows, layout.irregular), *remarks, *odd])


def _source(data: Any) -> Source:
    if is_arrays(data):
        return source_of_arrays(data)
    if isinstance(data, (list, tuple)):
        return stacked([_source(item) for item in data])
    return _source_of_sheet(read_sheet(data) if isinstance(data, (str, os.PathLike)) else Sheet(as_frame(data)))


def _source_of_sheet(sheet: Sheet) -> Source:
    columns = {name: Column(sheet.frame[name], sheet.origin) for name in sheet.frame.columns}
    return Source(dict(columns), len(sheet.frame), sheet.origin, list(sheet.remarks))


def _records(source: Source, roles: Roles) -> Records:
    """Read the columns that have a role."""
    columns, categories = {}, {}
    for name in roles.columns:
        column = source.columns[name]
        if column.kind == "text" and name not in roles.targets:
            columns[name], categories[name] = column.categories
        else:
            columns[name] = column.numbers
    series, ids = source.series or (np.zeros(source.length, np.int64), [""])
    if roles.series is not None:
        series, ids = source.columns[roles.series].ids
    if roles.time is None:
        times, zone = _counted(series, len(ids)), None
    elif roles.time in source.columns:
        times, zone = source.columns[roles.time].times
    else:
        times, zone = composed_times(source, roles.time), None
    return Records(ids, series, times, columns, categories, zone, source.origin)


def _counted(series: Any, num_series: int) -> Any:
    """Return the number of each row within its series, from 0."""
    order = np.argsort(series, kind="stable")
    lengths = np.bincount(series, minlength=num_series)
    counted = np.empty(len(series), np.int64)
    counted[order] = np.arange(len(series)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return counted
