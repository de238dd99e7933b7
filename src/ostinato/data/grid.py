"""Rows as they came into a panel: in order, without repeated times, and without gaps where time is regular."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frequency import DAY, HOUR, MINUTE, SECOND, Frequency
from .origin import Origin
from .panel import Panel, Roles, starts_of

MOST_FILLED = 20
"""Gaps are filled up to this many times the rows that there are (or 10,000); more are a mistake in a time."""

_SUNDAY = 3  # Thursday 1 January 1970 is day 0


@dataclass
class Records:
    """N rows as they were read: the series, the time and the values of each; R [N] the row of the table it was.

    series: numbers into `ids`, int64 [N]. times: datetime64[us] or int64 [N]. columns: float64 [N] each.
    """

    ids: list[str]
    series: NDArray[np.int64]
    times: NDArray[Any]
    columns: dict[str, NDArray[np.float64]]
    categories: dict[str, list[str]]
    time_zone: str | None = None
    origin: Origin = field(default_factory=Origin)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def named(self, row: int) -> str:
        """Return ", series 'a'" for a row, where series have names."""
        name = self.ids[int(self.series[row])]
        return f", series {name!r}" if name else ""


def panel_from(
    records: Records, roles: Roles, irregular: bool = False, frequency: Frequency | None = None
) -> tuple[Panel, list[str]]:
    """Return the panel of records, and what was odd, a line each.

    frequency: what is known of it beforehand, for instance from training; else it is inferred.

    Raises DataError for repeated times, for times off the grid unless `irregular`, for gaps so long that a time must
    be wrong, and for a static column that is not.
    """
    records.rows = np.arange(len(records.series))
    remarks = [*_sort(records), *_drop_doubles(records)]
    starts = starts_of(np.bincount(records.series, minlength=len(records.ids)))
    if frequency is None or (frequency.unit == "row") != (records.times.dtype.kind == "i"):
        frequency = Frequency.infer(records.times, starts)
    _refuse_repeated(records, frequency)
    for name in roles.static:
        records.columns[name] = _static(records, starts, name)
    if irregular or frequency is None:
        return _panel(records, starts, records.times, None), remarks
    steps = _places(records, starts, frequency)
    lengths = steps[starts[1:] - 1] + 1
    filled, most = int(lengths.sum()), max(MOST_FILLED * len(steps), 10_000)
    if filled == len(steps):
        return _panel(records, starts, records.times, frequency), remarks
    remarks.append(_gaps(records, steps, frequency, filled))
    if filled > most:
        raise records.origin.error(remarks[-1] + ".", "correct the times, or give --irregular.")
    return _filled(records, starts, starts_of(lengths), steps, frequency, roles), remarks


def written(times: NDArray[Any]) -> list[str]:
    """Return times [N] as a person writes them: no more of the time of day than one of them has."""
    if times.dtype.kind == "i":
        return [str(time) for time in times]
    rest = (times - times.astype("M8[D]")).astype(np.int64)
    texts = [str(text).replace("T", " ") for text in np.datetime_as_string(times)]
    for unit, end in ((DAY, -16), (MINUTE, -10), (SECOND, -7)):
        if not (rest % unit).any():
            return [text[:end] for text in texts]
    return texts


def _panel(records: Records, starts: NDArray[np.int64], times: NDArray[Any], frequency: Frequency | None) -> Panel:
    return Panel(records.ids, starts, times, records.columns, records.categories, frequency, records.time_zone)


def _sort(records: Records) -> list[str]:
    """Put the rows of each series together and in order of time."""
    by_series = np.argsort(records.series, kind="stable") if (np.diff(records.series) < 0).any() else None
    series = records.series if by_series is None else records.series[by_series]
    times = records.times if by_series is None else records.times[by_series]
    falls = (times[1:] < times[:-1]) & (series[1:] == series[:-1])
    order, remarks = by_series, []
    if falls.any():
        later = np.flatnonzero(falls) + 1
        first = int(later[0] if by_series is None else by_series[later].min())
        rows = f"the first of {len(later):,} such rows is {records.origin.row(first)}"
        remarks = [f"rows were not in order of time and were sorted; {rows}"]
        order = np.lexsort((records.times, records.series))
    if order is not None:
        _take(records, order)
    return remarks


def _drop_doubles(records: Records) -> list[str]:
    """Leave out rows that equal the one before them in everything: series, time and all values."""
    again = _repeated(records)
    for values in records.columns.values():
        before, after = values[again - 1], values[again]
        again = again[(before == after) | (np.isnan(before) & np.isnan(after))]
    if not len(again) or not records.columns:
        return []
    rows = np.sort(records.rows[again])
    kept = np.ones(len(records.rows), bool)
    kept[again] = False
    _take(records, kept)
    return [f"rows that repeat another in everything were left out: {len(rows):,} ({records.origin.rows(rows)})"]


def _take(records: Records, which: NDArray[Any]) -> None:
    """Keep some rows, or put them in another order."""
    records.series, records.times = records.series[which], records.times[which]
    records.rows = records.rows[which]
    records.columns = {name: values[which] for name, values in records.columns.items()}


def _refuse_repeated(records: Records, frequency: Frequency | None) -> None:
    """Raise DataError where a series has a time twice; name the first such rows, and summer time if it is that."""
    again = _repeated(records)
    if not len(again):
        return
    firsts = again[np.argsort(records.rows[again])]
    row = int(firsts[0])
    time = written(records.times[row : row + 1])[0]
    first, second = sorted((int(records.rows[row - 1]), int(records.rows[row])))
    fact = (
        f"{records.origin.row(first)} and {records.origin.row(second)} both have the time {time}{records.named(row)}; "
        f"times repeated in all: {len(again):,} ({records.origin.rows(records.rows[firsts])})."
    )
    if _is_summer_time(records, again, frequency):
        raise records.origin.error(
            f"local times repeat the hour in which summer time ends: {fact}",
            "give the times in UTC or with their offsets (2016-10-30 02:00+02:00).",
        )
    hint = (
        "keep one row a time" if records.ids != [""] else "keep one row a time, or name the column of series: --series"
    )
    raise records.origin.error(fact, f"{hint}.")


def _repeated(records: Records) -> NDArray[np.int64]:
    """Return the places of rows that have the time of the row before them, in the same series."""
    same_time = records.times[1:] == records.times[:-1]
    return np.flatnonzero(same_time & (records.series[1:] == records.series[:-1])) + 1


def _is_summer_time(records: Records, again: NDArray[np.int64], frequency: Frequency | None) -> bool:
    """Tell whether one hour of the small hours of one Sunday a year repeats, and gaps are such hours too."""
    if frequency is None or frequency.unit != "microsecond" or frequency.count > HOUR:
        return False
    series = records.series == records.series[again[0]]
    times = records.times[series]
    repeated = records.times[again][series[again]]
    gaps = np.diff(times).astype(np.int64)
    missing = times[:-1][gaps > frequency.count] + np.timedelta64(frequency.count, "us")
    at_most_an_hour = bool(((gaps % frequency.count == 0) & (gaps <= HOUR + frequency.count)).all())
    return at_most_an_hour and _one_hour_a_year(repeated) and _one_hour_a_year(missing)


def _one_hour_a_year(times: NDArray[Any]) -> bool:
    hours = np.unique(times.astype("M8[h]"))
    years = hours.astype("M8[Y]")
    small = (hours - hours.astype("M8[D]")).astype(np.int64) <= 3
    sunday = hours.astype("M8[D]").astype(np.int64) % 7 == _SUNDAY
    return bool(small.all() and sunday.all() and len(np.unique(years)) == len(hours))


def _static(records: Records, starts: NDArray[np.int64], name: str) -> NDArray[np.float64]:
    """Return a static column with its value in every row of a series; raise DataError where it varies."""
    values = records.columns[name]
    least, most = (extreme.reduceat(values, starts[:-1]) for extreme in (np.fmin, np.fmax))
    varied = least < most
    if varied.any():
        series = int(np.argmax(varied))
        rows = slice(int(starts[series]), int(starts[series + 1]))
        row = int(starts[series]) + int(np.argmax(values[rows] > least[series]))
        raise records.origin.error(
            f"a static column varies{records.named(row)}.",
            "give it as --past or --known.",
            int(records.rows[row]),
            name,
        )
    return np.repeat(least, np.diff(starts))


def _places(records: Records, starts: NDArray[np.int64], frequency: Frequency) -> NDArray[np.int64]:
    """Return how many steps after its series' first row each row lies; raise DataError for those off the grid."""
    firsts = np.repeat(records.times[starts[:-1]], np.diff(starts))
    steps, on_grid = frequency.place(records.times, firsts)
    if on_grid.all():
        return steps
    off = np.flatnonzero(~on_grid)
    off = off[np.argsort(records.rows[off])]
    row = int(off[0])
    time, first = written(np.array([records.times[row], firsts[row]]))
    raise records.origin.error(
        f"{len(off):,} of {len(steps):,} times do not fit the frequency "
        f"({frequency.name}, from {first}{records.named(row)}); the first is {time}: "
        f"{records.origin.rows(records.rows[off])}.",
        "correct them, or give --irregular: then the elapsed time is an input.",
    )


def _gaps(records: Records, steps: NDArray[np.int64], frequency: Frequency, filled: int) -> str:
    jumps = np.flatnonzero((np.diff(steps) > 1) & (np.diff(records.series) == 0))
    jumps = jumps[np.argsort(records.rows[jumps], kind="stable")]
    row = int(jumps[0])
    before, after = written(records.times[row : row + 2])
    return (
        f"{filled - len(steps):,} rows are missing, in {len(jumps):,} gaps, and count as missing values "
        f"({frequency.name}); the first gap is after {records.origin.row(int(records.rows[row]))}: "
        f"{before} to {after}{records.named(row)}"
    )


def _filled(
    records: Records,
    old: NDArray[np.int64],
    starts: NDArray[np.int64],
    steps: NDArray[np.int64],
    frequency: Frequency,
    roles: Roles,
) -> Panel:
    """Return the panel with a row of missing values wherever one is missing; static columns have no gaps."""
    lengths = np.diff(starts)
    places = starts[records.series] + steps
    columns = {}
    for name, values in records.columns.items():
        if name in roles.static:
            columns[name] = np.repeat(values[old[:-1]], lengths)
            continue
        columns[name] = np.full(int(starts[-1]), np.nan)
        columns[name][places] = values
    steps_of_all = np.arange(int(starts[-1])) - np.repeat(starts[:-1], lengths)
    times = frequency.at(np.repeat(records.times[old[:-1]], lengths), steps_of_all)
    records.columns = columns
    return _panel(records, starts, times, frequency)


def refuse_all_missing(records: Records, names: list[str]) -> None:
    """Raise DataError for a target that has no value at all."""
    for name in names:
        if np.isnan(records.columns[name]).all():
            raise records.origin.error("the target has no value.", "name other targets: --target NAME,…", column=name)
