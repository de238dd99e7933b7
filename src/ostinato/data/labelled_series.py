"""Series with labels from long tables: a row a step, with a column that names the series and one of its labels.

series,time,x,y,label
a,1,0.5,2,run
a,2,0.75,,run
b,1,0.25,3,walk
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from .columns import Column as Cells
from .examples import SeriesExamples, checked
from .labels import Labels, label_text, labels_from
from .panel import starts_of
from .picking import Column, columns_there, pick, usual
from .places import places_in
from .report import listed
from .tables import Sheet, as_frame, guarded, read_sheet
from .text_tables import values_of

SERIES = ("series", "unique_id", "series_id", "case_id", "id")
TIMES = ("time", "ds", "timestamp", "step", "t")
LABELS = ("label", "labels", "class", "category", "target")
"""Names of columns that need not be named."""


class SeriesLayout(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller says about a long table; columns by name, or by number from 1. None: by usual names.

    series: the column that names the series. time: that of times, by which the rows of a series are sorted; only their
    order counts. values: the channels; by default all other columns of numbers. label: the column of labels, the same
    in all rows of a series, or missing in some. separator: what stands between several labels in one cell.
    """

    series: Column | None = None
    time: Column | None = None
    values: list[Column] | None = None
    label: Column | None = None
    separator: str | None = None


def read_long_table(path: str | os.PathLike[str], layout: SeriesLayout, labelled: bool | None) -> SeriesExamples:
    """Return the series of a file: CSV, TSV, Parquet or what else `tables.read_sheet` takes.

    labelled: whether labels are needed (True), are no matter (False), or are read where there are some (None).

    Raises DataError, with row and column, for what cannot be used, and MissingExtraError without the extra `tables`.
    """
    return series_of_sheet(read_sheet(path), layout, labelled)


def series_of_frame(frame: Any, layout: SeriesLayout, labelled: bool | None) -> SeriesExamples:
    """Return the series of a frame; see `read_long_table`."""
    return series_of_sheet(Sheet(as_frame(frame)), layout, labelled)


def series_of_sheet(sheet: Sheet, layout: SeriesLayout, labelled: bool | None) -> SeriesExamples:
    """Return the series of what was read; see `read_long_table`."""
    return guarded(lambda: _series(sheet, layout, labelled), sheet.origin.title)


def _series(sheet: Sheet, layout: SeriesLayout, labelled: bool | None) -> SeriesExamples:
    title = sheet.origin.title
    if not len(sheet.frame):
        raise DataError(f"{title} has no rows.", "give a table with some rows in it.")
    cells = {name: Cells(sheet.frame[name], sheet.origin) for name in sheet.frame.columns}
    names = list(cells)
    series_at = _place(names, layout.series, SERIES, title)
    if series_at is None:
        raise DataError(
            f"{title}: which column names the series is not said; {columns_there(names)}.", "name it: --series 1."
        )
    time_at = _place(names, layout.time, TIMES, title)
    aside = _aside(names, layout, title) if labelled is False else None
    label_at = None if labelled is False else _place(names, layout.label, LABELS, title)
    if labelled and label_at is None:
        raise DataError(
            f"{title}: which column is the label is not said; {columns_there(names)}.", "name it: --label 2."
        )
    taken = [place for place in (series_at, time_at, label_at, aside) if place is not None]
    channels, remarks = _channels(cells, layout, taken, title)
    codes, ids = cells[names[series_at]].ids
    times = None if time_at is None else cells[names[time_at]].times[0]
    order, odd = _order(codes, times, ids, sheet)
    first_rows = np.unique(codes, return_index=True)[1]
    places = places_in(title if sheet.origin.titles else "", "row", first_rows + _first_row(sheet))
    labels = None
    if label_at is not None:
        given = _label_of_each(values_of(sheet.frame[names[label_at]]), codes, ids, sheet, names[label_at])
        labels = _labels(given, places, layout.separator, names[label_at], remarks)
    values = np.stack([cells[name].numbers[order] for name in channels], axis=1)
    starts = starts_of(np.bincount(codes, minlength=len(ids)))
    return checked(SeriesExamples(values, starts, labels, channels, places, ids, [*sheet.remarks, *remarks, *odd]))


def _place(names: Sequence[str], wanted: Column | None, usual_names: Sequence[str], title: str) -> int | None:
    return usual(names, usual_names) if wanted is None else pick(names, wanted, title)


def _aside(names: Sequence[str], layout: SeriesLayout, title: str) -> int | None:
    """Return the place of labels that are no matter, since numbers there are no channel; None where there are none."""
    if layout.label is not None and str(layout.label) not in {*names, *map(str, range(1, len(names) + 1))}:
        return None
    place = _place(names, layout.label, LABELS, title)
    return None if place in [pick(names, wanted, title) for wanted in layout.values or ()] else place


def _first_row(sheet: Sheet) -> int:
    return sheet.origin.first_rows[0] if sheet.origin.first_rows else 0


def _channels(
    cells: dict[str, Cells], layout: SeriesLayout, taken: list[int], title: str
) -> tuple[list[str], list[str]]:
    """Return the names of the columns of values, and remarks on those that have no part."""
    names = list(cells)
    free = [name for place, name in enumerate(names) if place not in taken]
    if layout.values is None:
        channels = [name for name in free if cells[name].kind == "number"]
    else:
        channels = [names[pick(names, wanted, title)] for wanted in layout.values]
    wanted_twice = [*(names[place] for place in taken), *channels]
    twice = [name for place, name in enumerate(wanted_twice) if name in wanted_twice[:place]]
    if twice:
        raise OptionError(f"column {twice[0]!r} was given two roles.", "a column has one: series, time, values, label.")
    if not channels:
        raise DataError(f"{title} has no column of values; {columns_there(names)}.", "name them: --values 3,4.")
    unused = [name for name in free if name not in channels]
    return channels, [f"not used: {listed(unused)}"] if unused else []


def _order(
    codes: NDArray[np.int64], times: NDArray[Any] | None, ids: Sequence[str], sheet: Sheet
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the rows series by series, each in order of time, and remarks where they were not in order."""
    if times is None:
        order = np.argsort(codes, kind="stable")
        apart = len(ids) <= int((np.diff(codes) != 0).sum())
        return order, ["rows of a series that do not stand together were put one after the other"] if apart else []
    order = np.lexsort((times, codes))
    same = (np.diff(codes[order]) == 0) & (times[order][1:] == times[order][:-1])
    if same.any():
        row = int(order[int(np.argmax(same)) + 1])
        raise sheet.origin.error(
            f"series {ids[int(codes[row])]!r} has two rows of one time.",
            "correct the time, leave one of them out, or give series that are two a name each.",
            row,
        )
    by_name = np.argsort(codes, kind="stable")
    return order, [] if np.array_equal(order, by_name) else ["rows of a series were not in order of time, and sorted"]


def _label_of_each(
    values: Sequence[Any], codes: NDArray[np.int64], ids: Sequence[str], sheet: Sheet, name: str
) -> list[Any]:
    """Return the one value of each series' rows that is not missing; None where all are."""
    found: list[Any] = [None] * len(ids)
    for row, (value, code) in enumerate(zip(values, codes.tolist(), strict=True)):
        value = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(value, (list, tuple)) and label_text(value) is None:
            continue
        if found[code] is None:
            found[code] = value
        elif found[code] != value:
            raise sheet.origin.error(
                f"series {ids[code]!r} is labelled {found[code]!r} and {value!r}.",
                "a series has one label, the same in all of its rows.",
                row,
                name,
            )
    return found


def _labels(given: list[Any], places: Any, separator: str | None, name: str, remarks: list[str]) -> Labels | None:
    labels = labels_from(given, places, separator)
    if labels is None:
        remarks.append(f"column {name!r} holds no labels")
    return labels
