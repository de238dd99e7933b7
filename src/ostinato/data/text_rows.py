"""Text with a delimiter, cut into rows of cells in which every character stays as it is. Needs nothing but Python."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import DataError

DELIMITERS = (",", "\t", ";")
"""The delimiters that are tried, the likeliest first."""
_SAMPLE_CHARACTERS, _SAMPLE_ROWS = 256 * 1024, 20
_WIDEST_CELL = 2**31 - 1


def cut(text: str, delimiter: str, quotes: bool, title: str) -> list[list[str]]:
    """Return the rows of a text, all of the same number of cells; blank lines at the end are dropped.

    quotes: whether a cell that begins with ``"`` goes on to the next one, with ``""`` for a quote within, and may
    so hold delimiters and line ends; else quotes are characters like any other. A blank line between others is a row
    without a cell.

    Raises DataError, with the row, where quotes do not close or a row has more or fewer cells than the first one.
    """
    if quotes:
        rows = _quoted(text, delimiter, title)
    else:
        rows = [line.split(delimiter) if line else [] for line in text.split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    width = next((len(row) for row in rows if row), 0)
    for number, row in enumerate(rows, 1):
        if len(row) not in (0, width):
            raise DataError(
                f"{title}, row {number:,}: it has {len(row):,} cells, and the first row has {width:,}.",
                _advice(delimiter, quotes),
            )
    return rows


def likely_delimiter(text: str, quotes: bool) -> str:
    """Return the delimiter that cuts the most of the first rows into more than one cell, and into the same number."""
    lines = text[:_SAMPLE_CHARACTERS].split("\n")[: _SAMPLE_ROWS + 1]
    sample = [line for line in (lines[:-1] or lines) if line]

    def merit(delimiter: str) -> tuple[int, int]:
        widths = _widths(sample, delimiter, quotes)
        return sum(width > 1 for width in widths), -len(set(widths))

    return max(DELIMITERS, key=merit)


def _widths(lines: Sequence[str], delimiter: str, quotes: bool) -> list[int]:
    if not quotes:
        return [line.count(delimiter) + 1 for line in lines]
    try:
        with any_width():
            return [len(row) for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        return []


def _quoted(text: str, delimiter: str, title: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        with any_width():
            rows.extend(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(f"{title}, row {len(rows) + 1:,}: {error}.", _advice(delimiter, True)) from None
    return rows


@contextmanager
def any_width() -> Iterator[None]:
    """Lift the limit that Python's reader of CSV sets to the width of a cell, which a long text exceeds."""
    limit = csv.field_size_limit(_WIDEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _advice(delimiter: str, quotes: bool) -> str:
    between = {",": "commas", "\t": "tabs", ";": "semicolons"}.get(delimiter, repr(delimiter))
    if quotes:
        return f'it was cut at {between}, and " opens and closes a cell; where it is but a character say --no-quotes.'
    return f'it was cut at {between}, and " is but a character; where it opens and closes a cell say --quotes.'
