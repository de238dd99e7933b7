"""How far apart the times of a series are: a number of rows, a length of time, or a number of months."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
"""Lengths of time in microseconds."""

_UNITS = {"week": WEEK, "day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND, "millisecond": 1000}
_NAMES = {WEEK: "weekly", DAY: "daily", HOUR: "hourly"}
_MONTHS = {1: "monthly", 3: "quarterly", 12: "yearly"}
_SHORTEST_MONTH = 28 * DAY

Times = NDArray[Any]
"""datetime64[us] or int64."""


class Places(NamedTuple):
    """Where times lie on a grid: the step of each, and whether it lies on the grid at all."""

    steps: NDArray[np.int64]
    on_grid: NDArray[np.bool_]


class Frequency(msgspec.Struct, frozen=True):
    """The distance from one point to the next: `count` times `unit`.

    unit: row (whole-number times, or none), microsecond (whatever is always equally long, up to weeks), or month.
    month_end: every point is the last day of its month. Otherwise points keep the day of the first one, and
    a month too short for it has its point on its last day: 31 January is followed by 28 or 29 February and 31 March.
    """

    unit: Literal["row", "microsecond", "month"]
    count: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    month_end: bool = False

    @staticmethod
    def infer(times: Times, starts: NDArray[np.int64]) -> Frequency | None:
        """Return the most common distance within series, the shortest of equally common ones.

        times [N] rise within each series; series s has the rows from starts[s] to starts[s + 1]. Distances of 28 days
        or more are months where most of them lead to the same day of the month, or from its end to an end.
        None where no series has two times.
        """
        inside = np.ones(max(len(times) - 1, 0), bool)
        inside[starts[1:-1] - 1] = False
        before, after = times[:-1][inside], times[1:][inside]
        distances = (after - before).astype(np.int64)
        if not (distances > 0).any():
            return None
        if times.dtype.kind == "i":
            return Frequency("row", _most_common(distances))
        long = distances >= _SHORTEST_MONTH
        if 2 * np.count_nonzero(long) > len(distances):
            before, after = before[long], after[long]
            if 2 * np.count_nonzero(_same_day(before, after)) > len(distances):
                months = _months(after) - _months(before)
                return Frequency("month", _most_common(months), bool(_is_month_end(times).mean() > 0.9))
        return Frequency("microsecond", _most_common(distances))

    def at(self, first: Any, steps: Any) -> Times:
        """Return the times that lie a number of steps (below zero: before) from `first`; both may be arrays."""
        first, steps = np.asarray(first), np.asarray(steps, np.int64)
        if self.unit == "row":
            return np.asarray(first + steps * self.count)
        if self.unit == "microsecond":
            return np.asarray(first + (steps * self.count).astype("m8[us]"))
        month = first.astype("M8[M]") + steps * self.count
        last = _last_day(month)
        day = last if self.month_end else np.minimum(_day(first), last)
        return np.asarray(month.astype("M8[us]") + day * np.timedelta64(DAY, "us") + _time_of_day(first))

    def after(self, time: Any, steps: int) -> Times:
        """Return the next `steps` times after a time [...], as [..., steps].

        A day that was clipped to the end of a short month is not known to have been; `at` from a series' first
        time, as in `Panel.future_times`, does not lose it.
        """
        return self.at(np.asarray(time)[..., None], np.arange(1, steps + 1))

    def place(self, times: Any, first: Any) -> Places:
        """Return how many steps from `first` (one, or one for each) each time lies, rounded down, and which lie there.

        The inverse of `at`: ``place(at(first, steps), first).steps`` are the steps, and all of them are on the grid.
        """
        times, first = np.asarray(times), np.asarray(first)
        distances = _months(times) - _months(first) if self.unit == "month" else (times - first).astype(np.int64)
        steps = distances // self.count
        return Places(steps, np.asarray(self.at(first, steps) == times))

    @property
    def name(self) -> str:
        """What a person calls it: hourly, 15 minutes, weekly, monthly, yearly, …"""
        count = self.count
        if self.unit == "row":
            return "row by row" if count == 1 else f"every {count:,}"
        if self.unit == "month":
            years = f"{count // 12} years" if count % 12 == 0 else f"{count} months"
            return _MONTHS.get(count, years) + (", at month ends" if self.month_end else "")
        unit = next((unit for unit, length in _UNITS.items() if count % length == 0), "microsecond")
        number = count // _UNITS.get(unit, 1)
        return _NAMES.get(count, f"{number:,} {unit}{'s' if number > 1 else ''}")

    @property
    def season(self) -> int:
        """The usual number of steps after which a pattern repeats; 1 where there is none.

        Months and weeks repeat after a year, days after a week, hours and minutes after a day, seconds after an hour.
        1 too where those are no whole number of steps, except that some days may make some whole weeks.
        """
        if self.unit == "row":
            return 1
        if self.unit == "month":
            return _whole(12, self.count)
        if self.count % WEEK == 0:
            return _whole(52, self.count // WEEK)
        if self.count % DAY == 0:
            days = self.count // DAY
            return 7 // math.gcd(7, days) if days < 7 else 1
        return _whole(DAY if self.count >= MINUTE else HOUR, self.count) if self.count >= SECOND else 1


def _whole(season: int, count: int) -> int:
    return season // count if season % count == 0 else 1


def _most_common(distances: NDArray[np.int64]) -> int:
    values, counts = np.unique(distances[distances > 0], return_counts=True)
    return int(values[np.argmax(counts)])


def _months(times: Times) -> NDArray[np.int64]:
    """Return the months since 1970."""
    return np.asarray(times.astype("M8[M]").astype(np.int64))


def _day(times: Times) -> NDArray[np.int64]:
    """Return the day of the month, from 0."""
    return np.asarray((times.astype("M8[D]") - times.astype("M8[M]").astype("M8[D]")).astype(np.int64))


def _last_day(months: Times) -> NDArray[np.int64]:
    """Return the last day of months, from 0."""
    return np.asarray(((months + 1).astype("M8[D]") - months.astype("M8[D]")).astype(np.int64) - 1)


def _time_of_day(times: Times) -> Times:
    return np.asarray(times - times.astype("M8[D]"))


def _is_month_end(times: Times) -> NDArray[np.bool_]:
    return np.asarray(_day(times) == _last_day(times.astype("M8[M]")))


def _same_day(before: Times, after: Times) -> NDArray[np.bool_]:
    """Return which pairs share time and day of the month, where a month too short for the day has it at its end."""
    day, later = _day(before), _day(after)
    same = (day == later) | (_is_month_end(before) & (day < later)) | (_is_month_end(after) & (later < day))
    return np.asarray(same & (_time_of_day(before) == _time_of_day(after)))
