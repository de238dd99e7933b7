"""Texts into times, by the shapes in which people write them."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_DATES = {
    r"\d{4}-\d{1,2}-\d{1,2}": ["%Y-%m-%d"],
    r"\d{4}/\d{1,2}/\d{1,2}": ["%Y/%m/%d"],
    r"\d{4}\.\d{1,2}\.\d{1,2}": ["%Y.%m.%d"],
    r"\d{1,2}/\d{1,2}/\d{4}": ["%m/%d/%Y", "%d/%m/%Y"],
    r"\d{1,2}-\d{1,2}-\d{4}": ["%d-%m-%Y", "%m-%d-%Y"],
    r"\d{1,2}\.\d{1,2}\.\d{4}": ["%d.%m.%Y"],
    r"\d{8}": ["%Y%m%d"],
    r"\d{1,2} [A-Za-z]{3} \d{4}": ["%d %b %Y"],
    r"\d{1,2}-[A-Za-z]{3}-\d{4}": ["%d-%b-%Y"],
    r"[A-Za-z]{3} \d{1,2},? \d{4}": ["%b %d, %Y", "%b %d %Y"],
}
_HOURS = {
    "": "",
    r"\d{1,2}:\d{2}": "%H:%M",
    r"\d{1,2}:\d{2}:\d{2}(?:\.\d+)?": "%H:%M:%S%.f",
    r"\d{2}-\d{2}-\d{2}": "%H-%M-%S",
    r"\d{1,2}:\d{2} ?[APap][Mm]": "%I:%M %p",
    r"\d{1,2}:\d{2}:\d{2} ?[APap][Mm]": "%I:%M:%S %p",
}
_OFFSET = r" ?(?:[Zz]|UTC|[-+]\d{2}:?(?:\d{2})?)"
_MOST_SHAPES = 6


class Parsed(NamedTuple):
    """Times, null where a text is none, and whether they came with offsets (and are in UTC)."""

    times: pl.Series
    has_offsets: bool


def parse_times(texts: pl.Series) -> Parsed:
    """Return the times, Datetime[us], that texts stand for: dates, with a time of day and an offset or without.

    Years and months (1949-01) are the first day of the month, quarters (1990Q2) that of the quarter. Where 04/03/2016
    may be April or March, that order is taken which reads more of the texts or, of two that read as many, the one in
    which the longest way from row to row is least. Rows may differ in shape: 2016-07-01 beside 2016-07-01 12:30. A text
    with an offset among others without is no time.
    """
    import polars as pl

    texts = _spelt(texts)
    times = pl.Series(texts.name, [], dtype=pl.Datetime("us")).extend_constant(None, texts.len())
    has_offsets: bool | None = None
    for _ in range(_MOST_SHAPES):
        left = texts.is_not_null() & times.is_null()
        row = left.arg_max()
        if row is None or not left.any():
            break
        shape = _shape(str(texts[row]))
        if shape is None or has_offsets not in (None, shape.has_offset):
            break
        has_offsets = shape.has_offset
        rest = texts if left.all() else pl.select(pl.when(left).then(texts)).to_series()
        found = _best([_read(rest, form, shape.has_offset) for form in shape.formats])
        times = pl.select(pl.coalesce(times, found)).to_series()
    return Parsed(times, bool(has_offsets))


class _Shape(NamedTuple):
    formats: list[str]
    has_offset: bool


def _shape(text: str) -> _Shape | None:
    """Return the formats in which a text can be read."""
    for (date, dates), (hour, hours) in product(_DATES.items(), _HOURS.items()):
        pattern = f"{date}(?:(?P<gap>[T ]| +){hour})" if hour else date
        match = re.fullmatch(f"{pattern}(?P<offset>{_OFFSET if hour else ''})?", text)
        if match:
            gap = match["gap"] if hour else ""
            has_offset = bool(match["offset"])
            return _Shape([form + gap + hours + ("%#z" if has_offset else "") for form in dates], has_offset)
    return None


def _spelt(texts: pl.Series) -> pl.Series:
    """Write months and quarters as their first day, and the ways to say UTC as an offset."""
    sample = texts.drop_nulls().head(1)
    if sample.is_empty():
        return texts
    first = str(sample[0])
    if re.fullmatch(r"\d{4}[-/]\d{1,2}", first):
        return texts.str.replace(r"^(\d{4})[-/](\d{1,2})$", "$1-$2-01")
    if re.fullmatch(r"\d{4}[- ]?[Qq][1-4]", first):
        for quarter in range(1, 5):
            texts = texts.str.replace(rf"^(\d{{4}})[- ]?[Qq]{quarter}$", f"${{1}}-{3 * quarter - 2:02}-01")
        return texts
    if re.search(r"\d ?(?:[Zz]|UTC|[-+]\d{2}(?::?\d{2})?)$", first) and ":" in first:
        texts = texts.str.replace(r" ?(?:[Zz]|UTC)$", "+00:00").str.replace(r" ([-+]\d{2}:?\d{0,2})$", "$1")
    return texts


def _read(texts: pl.Series, form: str, has_offset: bool) -> pl.Series:
    import polars as pl

    if not has_offset:
        return texts.str.to_datetime(form, time_unit="us", strict=False)
    times = texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    return times.dt.replace_time_zone(None).cast(pl.Datetime("us"))


def _best(readings: list[pl.Series]) -> pl.Series:
    return max(readings, key=lambda times: (times.count(), -_roughness(times) if len(readings) > 1 else 0.0))


def _roughness(times: pl.Series) -> float:
    """Return how much longer the longest way from row to row is than the usual one."""
    ways = np.abs(np.diff(times.drop_nulls().to_physical().to_numpy()))
    return float(ways.max() / max(float(np.median(ways)), 1.0)) if len(ways) else 0.0
