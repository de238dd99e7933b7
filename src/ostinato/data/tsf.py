"""The format of the Monash archive, `.tsf`, into long form.

    # comments
    @relation Electricity
    @attribute series_name string
    @attribute start_timestamp date
    @frequency weekly
    @horizon 8
    @missing false
    @equallength true
    @data
    T1:2012-01-01 00-00-00:8032,9097,?,…

After @data each line is a series: the attributes, parted by colons, then its values, parted by commas; ? is missing.
Source: Godahewa et al. 2021, "Monash Time Series Forecasting Archive".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, closest
from .frequency import DAY, HOUR, MINUTE, SECOND, WEEK, Frequency
from .numerals import MISSING
from .panel import starts_of

if TYPE_CHECKING:
    import polars as pl

_LENGTHS = {"second": SECOND, "minute": MINUTE, "hour": HOUR, "day": DAY, "week": WEEK}
_ALIASES = {"secondly": "second", "minutely": "minute", "hourly": "hour", "daily": "day", "weekly": "week"}
_MONTHS = {"monthly": 1, "quarterly": 3, "yearly": 12}
_START = re.compile(r"(\d{4}-\d{2}-\d{2})(?: (\d{2}-\d{2}(?:-\d{2})?))?")
_TYPES = ("string", "numeric", "date")
_HINT = "a .tsf file has @attribute, @frequency and @data lines, then a series a line: NAME:START:VALUE,VALUE,…"


@dataclass
class _Header:
    attributes: dict[str, str] = field(default_factory=dict)
    frequency: Frequency | None = None
    horizon: str | None = None


def parse_tsf(content: bytes, title: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the long form and remarks: `unique_id`, `ds` where the series have a start, `y`, and other attributes.

    Raises DataError, which names the line, for what is not of the format.
    """
    import polars as pl

    text = _decoded(content)
    header = _Header()
    names: list[str] = []
    cells: list[list[str]] = []
    values: list[NDArray[np.float64]] = []
    in_data = False
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        place = f"{title}, line {number:,}"
        if not line or line.startswith("#"):
            continue
        if not in_data:
            in_data = _read_header(line, header, place)
            continue
        attributes, row = _series(line, header, place)
        cells.append(attributes)
        values.append(row)
    if not values:
        raise DataError(f"{title} has no series.", _HINT)
    lengths = np.array([len(row) for row in values])
    columns: dict[str, Any] = {}
    for place_of, (name, kind) in enumerate(header.attributes.items()):
        given = [row[place_of] for row in cells]
        if kind == "date":
            if name == "start_timestamp" and header.frequency is not None:
                columns["ds"] = _times(given, lengths, header.frequency, title)
        else:
            key = "unique_id" if name == "series_name" else name
            columns[key] = pl.Series(given, dtype=pl.String).gather(np.repeat(np.arange(len(given)), lengths))
    if "unique_id" not in columns:
        names = [f"T{number}" for number in range(1, len(values) + 1)]
        columns["unique_id"] = pl.Series(names).gather(np.repeat(np.arange(len(names)), lengths))
    columns["y"] = np.concatenate(values)
    remarks = [f"the file asks for a horizon of {header.horizon}"] if header.horizon else []
    return pl.DataFrame(columns), remarks


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _read_header(line: str, header: _Header, place: str) -> bool:
    """Note what a line of the header says; return whether the data begin after it."""
    words = line.split()
    keyword = words[0].lower()
    if keyword == "@data":
        if not header.attributes:
            raise DataError(f"{place}: the data begin before any @attribute.", _HINT)
        return True
    if keyword == "@attribute":
        if len(words) != 3 or words[2].lower() not in _TYPES or words[1] in header.attributes:
            raise DataError(f"{place}: {line!r} is no new attribute of type string, numeric or date.", _HINT)
        header.attributes[words[1]] = words[2].lower()
    elif keyword == "@frequency" and len(words) == 2:
        header.frequency = _frequency(words[1].lower(), place)
    elif keyword == "@horizon" and len(words) == 2:
        header.horizon = words[1]
    elif keyword not in ("@relation", "@missing", "@equallength", "@horizon"):
        raise DataError(f"{place}: {line[:40]!r} is no line of a header.", _HINT)
    return False


def _frequency(word: str, place: str) -> Frequency:
    """Return what a frequency such as weekly, half_hourly or 10_minutes is."""
    if word in _MONTHS:
        return Frequency("month", _MONTHS[word])
    if word == "half_hourly":
        return Frequency("microsecond", 30 * MINUTE)
    match = re.fullmatch(r"(\d{1,6})_([a-z]+?)s?", word)
    number, unit = (int(match[1]), match[2]) if match else (1, _ALIASES.get(word, ""))
    if unit not in _LENGTHS or number == 0:
        raise DataError(
            f"{place}: there is no frequency {word!r}.", closest(word, [*_ALIASES, "half_hourly", *_MONTHS])
        )
    return Frequency("microsecond", number * _LENGTHS[unit])


def _series(line: str, header: _Header, place: str) -> tuple[list[str], NDArray[np.float64]]:
    *attributes, numbers = line.split(":")
    if len(attributes) != len(header.attributes):
        raise DataError(f"{place}: it has {len(attributes)} attributes and not {len(header.attributes)}.", _HINT)
    words = numbers.split(",")
    try:
        return attributes, np.array(["nan" if word == "?" else word for word in words], np.float64)
    except ValueError:
        return attributes, np.array([_number(word.strip(), place) for word in words])


def _number(word: str, place: str) -> float:
    if word.lower() in MISSING:
        return float("nan")
    try:
        return float(word)
    except ValueError:
        raise DataError(f"{place}: {word[:40]!r} is no number.", "write ? for a missing value.") from None


def _times(starts: list[str], lengths: NDArray[np.int64], frequency: Frequency, title: str) -> Any:
    first = np.empty(len(starts), "M8[us]")
    for number, start in enumerate(starts):
        match = _START.fullmatch(start.strip())
        try:
            if match is None:
                raise ValueError
            first[number] = np.datetime64(f"{match[1]}T{(match[2] or '00-00').replace('-', ':')}", "us")
        except ValueError:
            raise DataError(
                f"{title}: series {number + 1:,} begins at {start[:40]!r}, which is no time.", _HINT
            ) from None
    begins = starts_of(lengths)[:-1]
    steps = np.arange(int(lengths.sum())) - np.repeat(begins, lengths)
    return frequency.at(np.repeat(first, lengths), steps)
