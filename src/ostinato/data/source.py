"""What a panel is made of before it is one: columns by name, of a table or of arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .columns import Kind
from .origin import Origin


class Cells(Protocol):
    """One column, whatever it came from; `columns.Column` says what its parts are."""

    @property
    def kind(self) -> Kind: ...
    @property
    def numbers(self) -> NDArray[np.float64]: ...
    @property
    def categories(self) -> tuple[NDArray[np.float64], list[str]]: ...
    @property
    def ids(self) -> tuple[NDArray[np.int64], list[str]]: ...
    @property
    def times(self) -> tuple[NDArray[Any], str | None]: ...
    @property
    def looks_like_times(self) -> bool: ...


@dataclass
class Source:
    """Columns of `length` rows; `series`, where it is not a column: the number of each row's series, and the names."""

    columns: dict[str, Cells]
    length: int
    origin: Origin = field(default_factory=Origin)
    remarks: list[str] = field(default_factory=list)
    series: tuple[NDArray[np.int64], list[str]] | None = None


PARTS = ("year", "month", "day", "hour", "minute", "second")
"""Columns that together are a time, whatever their case."""
_UNITS = {"day": "D", "hour": "h", "minute": "m", "second": "s"}
_BOUNDS = {"year": (1, 9999), "month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}


def group_of_times(source: Source) -> str | None:
    """Return the columns that together are a time, joined by +: year, month, and the finer ones that there are."""
    by_part = {name.lower(): name for name in source.columns if name.lower() in PARTS}
    group: list[str] = []
    for part in PARTS:
        if part not in by_part or source.columns[by_part[part]].kind != "number":
            break
        group.append(by_part[part])
    return "+".join(group) if len(group) > 1 else None


def composed_times(source: Source, name: str) -> NDArray[Any]:
    """Return the times [N] that a group of columns makes; raise DataError for a part that is no part of a date."""
    times = month = np.zeros(source.length, "M8[M]")
    for part_name in name.split("+"):
        part = part_name.lower()
        values = source.columns[part_name].numbers
        least, most = _BOUNDS[part]
        wrong = ~((values >= least) & (values <= most) & (values == np.floor(values)))
        if not wrong.any():
            whole = values.astype(np.int64)
            times = _refined(times, whole, part)
            wrong = times.astype("M8[M]") != month if part == "day" else wrong
        if wrong.any():
            row = int(np.argmax(wrong))
            fact = "the time is missing." if np.isnan(values[row]) else f"{values[row]:g} is no {part} there."
            raise source.origin.error(fact, f"correct it; {name} together are the time.", row, part_name)
        month = times.astype("M8[M]")
    return times.astype("M8[us]")


def _refined(times: NDArray[Any], values: NDArray[np.int64], part: str) -> NDArray[Any]:
    if part == "year":
        return (values - 1970).astype("M8[Y]")
    if part == "month":
        return times.astype("M8[M]") + (values - 1)
    first = 1 if part == "day" else 0
    return times.astype(f"M8[{_UNITS[part]}]") + (values - first)
