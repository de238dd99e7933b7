"""Which column of a table is for what: as the caller says, and by names and contents where nothing is said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OptionError, closest
from .panel import Roles
from .report import listed
from .source import PARTS, Source, group_of_times

if TYPE_CHECKING:
    from .layout import Layout

SERIES, TIME, TARGET = "unique_id", "ds", "y"
"""The names of the long form that many libraries share."""
MOST_CATEGORIES = 1000
"""A column with more different texts is no input unless it is named."""


def choose(source: Source, layout: Layout) -> tuple[Roles, list[str]]:
    """Return the roles of a source's columns, and remarks on those that got none.

    Raises DataError for an unknown name and where there is nothing to forecast, OptionError for a column of two roles.
    """
    check_names(source, layout)
    given = set(_given(layout))
    free = [name for name in source.columns if name not in given]
    series = layout.series or (SERIES if SERIES in free else None)
    time = layout.time_column or _time(source, [name for name in free if name != series])
    taken = given | {series} | set(time.split("+") if time and time not in source.columns else [time])
    rest = [name for name in source.columns if name not in taken]
    inputs, remarks = _inputs(source, rest)
    targets = layout.targets
    if targets is None and TARGET in rest:
        targets = [TARGET]
    if targets is None or targets == "all":
        targets = [name for name in inputs if source.columns[name].kind == "number"]
        if not targets:
            raise source.origin.error(
                "there is no column of numbers to forecast.", f"its columns are {listed(list(source.columns))}."
            )
    past = layout.past if layout.past is not None else [name for name in inputs if name not in targets]
    roles = Roles(time, series, list(targets), list(layout.known), list(past), list(layout.static))
    unused = [name for name in inputs if name not in roles.columns]
    return roles, remarks + ([f"not used: {listed(unused)}"] if unused else [])


def check_names(source: Source, layout: Layout) -> None:
    """Raise DataError for a name that no column has, and OptionError for a column that is given two roles."""
    names = list(_given(layout))
    for name in names:
        if name not in source.columns:
            raise source.origin.error(f"there is no column {name!r}.", closest(name, source.columns))
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise OptionError(
            f"column {twice[0]!r} was given two roles.", "a column has one: time, series, target, known, …"
        )


def _given(layout: Layout) -> Iterable[str]:
    """Yield every column that the caller names."""
    if layout.time_column is not None:
        parts = layout.time_column.split("+")
        yield from parts if all(part.lower() in PARTS for part in parts) else [layout.time_column]
    if layout.series is not None:
        yield layout.series
    if isinstance(layout.targets, list):
        yield from layout.targets
    yield from (*layout.known, *(layout.past or ()), *layout.static)


def _time(source: Source, names: list[str]) -> str | None:
    """Return the column of times: `ds`, the first of timestamps, a group of year, month, …, or a lone year."""
    if TIME in names:
        return TIME
    for name in names:
        if source.columns[name].looks_like_times:
            return name
    group = group_of_times(source)
    if group is not None and set(group.split("+")) <= set(names):
        return group
    return next((name for name in names if name.lower() == "year" and source.columns[name].kind == "number"), None)


def _inputs(source: Source, names: list[str]) -> tuple[list[str], list[str]]:
    """Return the columns that can be inputs or targets without being named, and remarks on the others."""
    inputs, left_out = [], []
    for name in names:
        reason = _unfit(source, name) if name != TARGET else None
        if reason == _COUNTS and len(names) == 1:
            reason = None
        if reason is None:
            inputs.append(name)
        else:
            left_out.append(f"not used: {name}, which {reason}")
    return inputs, left_out


_COUNTS = "only counts the rows"


def _unfit(source: Source, name: str) -> str | None:
    column = source.columns[name]
    if column.kind == "time":
        return "holds times too"
    if column.kind == "other":
        return "holds neither numbers nor texts"
    if column.kind == "text":
        different = len(column.categories[1])
        return f"holds {different:,} different texts" if different > MOST_CATEGORIES else None
    values = column.numbers
    counts = len(values) > 2 and values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values)))
    return _COUNTS if counts else None
