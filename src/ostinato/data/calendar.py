"""The calendar as inputs: where in the day, the week, the month and the year a time lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frequency import DAY, WEEK, Frequency

OFTEN = 3
DAYS = {
    "time of day": 1,
    "day of the week": 7,
    "day of the month": 31,
    "day of the year": 366,
    "month of the year": 366,
}
"""How long each cycle is."""


def phases(times: NDArray[Any], frequency: Frequency | None) -> dict[str, NDArray[np.float64]]:
    """Return how much of each cycle is over at times [N], in [0, 1), by the cycle's name.

    There are those cycles in which rows of this frequency differ: the day where steps are no whole days, the week where
    they are no whole weeks, the month and the year; of months the month of the year, unless they make whole years.
    Irregular times (None) have all four. Whole-number times have none.
    """
    return {} if times.dtype.kind == "i" else {name: phase(times) for name, phase in _cycles(frequency).items()}


def waves(of_cycles: Sequence[NDArray[np.float64]], count: int) -> NDArray[np.float32]:
    """Return the inputs [N, 2F] that F cycles make of N = count times: sin 2πp and cos 2πp of each phase p [N]."""
    values = np.empty((count, 2 * len(of_cycles)), np.float32)
    for place, phase in enumerate(of_cycles):
        values[:, 2 * place] = np.sin(2 * np.pi * phase)
        values[:, 2 * place + 1] = np.cos(2 * np.pi * phase)
    return values


def recurring(times: NDArray[Any], frequency: Frequency | None) -> list[str]:
    """Return the names of the cycles that times [N] have gone through at least `OFTEN` times.

    A rarer one tells its days apart rather than what they share: a network learns those by heart.
    """
    names = list(phases(times[:1], frequency))
    if not len(times):
        return []
    days = (times.max() - times.min()).astype(np.int64) / DAY if names else 0.0
    return [name for name in names if days >= OFTEN * DAYS[name]]


def _cycles(frequency: Frequency | None) -> dict[str, Any]:
    if frequency is not None and frequency.unit == "row":
        return {}
    if frequency is not None and frequency.unit == "month":
        return {"month of the year": _month_of_year} if frequency.count % 12 else {}
    count = 1 if frequency is None else frequency.count
    cycles = {
        "time of day": _time_of_day if count % DAY else None,
        "day of the week": _day_of_week if count % WEEK else None,
        "day of the month": _day_of_month,
        "day of the year": _day_of_year,
    }
    return {name: phase for name, phase in cycles.items() if phase}


def _time_of_day(times: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray((times - times.astype("M8[D]")).astype(np.int64) / DAY)


def _day_of_week(times: NDArray[Any]) -> NDArray[np.float64]:
    """Whole days, from Monday; 1 January 1970 was a Thursday."""
    return (times.astype("M8[D]").astype(np.int64) + 3) % 7 / 7


def _day_of_month(times: NDArray[Any]) -> NDArray[np.float64]:
    return _share(times, "M8[M]")


def _day_of_year(times: NDArray[Any]) -> NDArray[np.float64]:
    return _share(times, "M8[Y]")


def _month_of_year(times: NDArray[Any]) -> NDArray[np.float64]:
    return times.astype("M8[M]").astype(np.int64) % 12 / 12


def _share(times: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Return how much of its month or year is over at the beginning of each time's day."""
    begin = times.astype(unit)
    days = (times.astype("M8[D]") - begin.astype("M8[D]")).astype(np.int64)
    return np.asarray(days / ((begin + 1).astype("M8[D]") - begin.astype("M8[D]")).astype(np.int64))
