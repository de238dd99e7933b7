"""The format of the UCR and UEA archives of time series, `.ts`.

    # comments
    @problemName BasicMotions
    @timeStamps false
    @univariate false
    @dimensions 2
    @equalLength false
    @classLabel true Standing Running
    @data
    0.5,1.5,?:2,3,4:Standing
    0.25,0.75:-1,2:Running

After @data each line is a series: its channels, parted by colons, of values parted by commas, ? for one that is
missing; then its label, unless @classLabel is false. Source: Ruiz et al. 2021, "The great multivariate time series
classification bake off", and the files of timeseriesclassification.com.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, closest
from .decoded import title_of
from .examples import SeriesExamples, checked
from .numerals import MISSING
from .panel import starts_of
from .places import places_in
from .tables import bounded
from .text import opened

_HINT = "a .ts file has @classLabel and @data lines, then a series a line: VALUE,VALUE,…:VALUE,VALUE,…:LABEL"
_KEYWORDS = (
    *("@problemname", "@timestamps", "@missing", "@univariate", "@dimension", "@dimensions", "@equallength"),
    *("@serieslength", "@classlabel", "@targetlabel"),
)


@dataclass
class _Header:
    """What the lines before the data say. classes: None where series have no label, [] where any will do."""

    classes: list[str] | None = None
    channels: int | None = None
    length: int | None = None
    is_complete: bool = False


def read_ts(path: str | os.PathLike[str], labelled: bool | None = None) -> SeriesExamples:
    """Return the series of a file, with their labels where it has some; `.gz` and `.xz` are decompressed.

    labelled: False where labels are no matter: then they may be missing, or of other classes than the header names.

    What the header says of channels and classes must hold; where lengths or missing values are others than it says, a
    remark tells. Raises DataError, with the line, for what is not of the format.
    """
    name = os.fspath(path)
    with opened(name) as stream:
        content = bounded(stream, title_of(name))
    return parse_ts(content, title_of(name), labelled)


def parse_ts(content: bytes, title: str, labelled: bool | None = None) -> SeriesExamples:
    """Return the series of a file's content; see `read_ts`."""
    text, remarks = _decoded(content)
    header = _Header()
    in_data = False
    lines: list[int] = []
    values: list[NDArray[np.float64]] = []
    labels: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        place = f"{title}, line {number:,}"
        if not in_data:
            in_data = _read_header(line, header, place)
            continue
        channels = line.split(":")
        if header.classes is not None:
            label = _label(channels, place)
            if labelled is not False:
                labels.append(_checked_label(label, header.classes, place))
        values.append(_matrix(channels, header, place))
        lines.append(number)
    if not values:
        raise DataError(f"{title} has no series.", _HINT)
    names = [str(number) for number in range(1, values[0].shape[1] + 1)]
    starts = starts_of(np.array([len(matrix) for matrix in values]))
    places = places_in(title, "line", lines)
    found = SeriesExamples(np.concatenate(values), starts, labels or None, names, places)
    return checked(replace(found, remarks=remarks + _contradictions(header, found)))


def _decoded(content: bytes) -> tuple[str, list[str]]:
    try:
        text, remarks = content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        text, remarks = content.decode("latin-1"), ["the text is not UTF-8 and was read as latin-1"]
    return text.replace("\r\n", "\n").replace("\r", "\n"), remarks


# ---- the header


def _read_header(line: str, header: _Header, place: str) -> bool:
    """Note what a line of the header says; return whether the data begin after it."""
    words = line.split()
    keyword = words[0].lower()
    if keyword == "@data":
        return True
    if keyword not in _KEYWORDS:
        raise DataError(f"{place}: {line[:40]!r} is no line of a header.", _HINT)
    if keyword == "@classlabel":
        header.classes = words[2:] if _truth(words, place) else None
    elif keyword in ("@dimension", "@dimensions"):
        header.channels = _count(words, place)
    elif keyword == "@serieslength":
        header.length = _count(words, place)
    elif keyword == "@missing":
        header.is_complete = not _truth(words, place)
    elif keyword == "@timestamps" and _truth(words, place):
        raise DataError(
            f"{place}: values with a time each cannot be read.", "give them as a long table, with a column of times."
        )
    elif keyword == "@targetlabel" and _truth(words, place):
        raise DataError(f"{place}: the series have numbers to predict and no classes.", "give a file of classes.")
    return False


def _truth(words: Sequence[str], place: str) -> bool:
    word = words[1].lower() if len(words) > 1 else ""
    if word not in ("true", "false"):
        raise DataError(f"{place}: expected true or false after {words[0]}, got {word[:40]!r}.", _HINT)
    return word == "true"


def _count(words: Sequence[str], place: str) -> int:
    word = words[1] if len(words) > 1 else ""
    if not (word.isdecimal() and len(word) < 10 and int(word) > 0):
        raise DataError(f"{place}: expected a number from 1 on after {words[0]}, got {word[:40]!r}.", _HINT)
    return int(word)


# ---- a series


def _label(channels: list[str], place: str) -> str:
    """Take the label off the channels of a line."""
    label = channels.pop().strip()
    if not channels:
        raise DataError(
            f"{place}: the series has no label.", "end the line in a colon and its class, or say @classLabel false."
        )
    return label


def _checked_label(label: str, classes: list[str], place: str) -> str:
    if label in ("", "?"):
        raise DataError(f"{place}: the label is missing.", "label all series, or leave those without a label out.")
    if classes and label not in classes:
        raise DataError(f"{place}: {label[:40]!r} is no class that @classLabel names.", closest(label, classes))
    return label


def _matrix(channels: list[str], header: _Header, place: str) -> NDArray[np.float64]:
    """Return the values [T, D] of a line; the first line says how many channels all others have."""
    header.channels = header.channels or len(channels)
    if len(channels) != header.channels:
        fact = f"it has {len(channels):,} channels and not {header.channels:,}"
        raise DataError(f"{place}: {fact}, as those before it or @dimensions.", _HINT)
    cells = [channel.split(",") for channel in channels]
    lengths = [len(row) for row in cells]
    for number, length in enumerate(lengths, 1):
        if length != lengths[0]:
            fact = f"channel {number:,} has {length:,} values, and the first one {lengths[0]:,}"
            raise DataError(f"{place}: {fact}.", "write ? for values that are missing.")
    return np.stack([_numbers(row, place) for row in cells], axis=1)


def _numbers(words: list[str], place: str) -> NDArray[np.float64]:
    try:
        return np.array(["nan" if word == "?" else word for word in words], np.float64)
    except ValueError:
        return np.array([_number(word.strip(), place) for word in words], np.float64)


def _number(word: str, place: str) -> float:
    if word and word.lower() in MISSING:
        return float("nan")
    try:
        return float(word)
    except ValueError:
        raise DataError(f"{place}: {word[:40]!r} is no number.", "write ? for a missing value.") from None


def _contradictions(header: _Header, series: SeriesExamples) -> list[str]:
    """Return what the header says otherwise than the data, a line each."""
    shortest, longest = int(series.lengths.min()), int(series.lengths.max())
    remarks = []
    if header.length is not None and (shortest, longest) != (header.length, header.length):
        remarks.append(f"the header says {header.length:,} steps, but series have {shortest:,} to {longest:,}")
    if header.is_complete and np.isnan(series.values).any():
        remarks.append("the header says that no value is missing, but some are")
    return remarks
