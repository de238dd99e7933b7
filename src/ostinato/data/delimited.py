"""Text with a delimiter, CSV and its kin, into a frame: which encoding, which delimiter, whether there is a header.

Every cell stays the text that it is: what is a number, a time or a name is decided where it is used, so that a
series called 007 stays 007 and a number that is none can be shown as it was written.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import DataError
from .numerals import is_number
from .text_rows import any_width

if TYPE_CHECKING:
    import polars as pl

_SAMPLE_LINES = 20
_SAMPLE_BYTES = 1024 * 1024
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
"""The later ones win where all cut every line alike: a comma may be a decimal point."""
_DECIMAL_COMMA = r"^(\s*[-+]?\d*),(\d+(?:[eE][-+]?\d+)?\s*)$"


def parse_delimited(content: bytes, title: str) -> tuple[pl.DataFrame, int, list[str]]:
    """Return a frame of text, the number of its first row (2 below a header, else 1), and remarks.

    UTF-8, with or without a byte-order mark, or else latin-1. The delimiter is a comma, a tab or a semicolon: the one
    that cuts the most of the first lines into the same number of cells. Between semicolons and tabs a comma may stand
    for the decimal point. A first row of numbers only is no header, unless it plainly counts or numbers the columns.

    Raises DataError for what is empty or binary, has rows of more cells than columns, or names two columns alike.
    """
    import polars as pl

    content, remarks = _as_utf8(content, title)
    lines = content[:_SAMPLE_BYTES].decode(errors="replace").splitlines()[:_SAMPLE_LINES]
    delimiter = _delimiter([line for line in lines if line.strip()])
    try:
        frame = pl.read_csv(content, has_header=False, infer_schema=False, separator=delimiter)
    except pl.exceptions.ComputeError:
        raise _misshapen(content, delimiter, title) from None
    frame = _without_blank_end(frame)
    if frame.height == 0:
        raise DataError(f"{title} is empty.", "give a table with some rows in it.")
    if delimiter != ",":
        frame = frame.with_columns(pl.all().str.replace(_DECIMAL_COMMA, "$1.$2"))
    sample = [list(row) for row in frame.head(_SAMPLE_LINES).iter_rows()]
    header = _header(sample)
    if header is None:
        names = [str(number) for number in range(1, frame.width + 1)]
        remarks.append(f"no header: the columns are called {_span(names)}")
    else:
        names = _named(header)
        frame = frame.slice(1)
        if all(map(is_number, names)):
            remarks.append("the first row, of whole numbers, was taken as the header")
    _check_distinct(names, title)
    if frame.height == 0:
        raise DataError(f"{title} has a header but no rows.", "give a table with some rows in it.")
    frame.columns = names
    return frame, 1 if header is None else 2, remarks


def _as_utf8(content: bytes, title: str) -> tuple[bytes, list[str]]:
    remarks: list[str] = []
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", "replace").encode()
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content[:_SAMPLE_BYTES]:
        raise DataError(f"{title} is binary, and no table that is known here.", "give CSV, TSV, Parquet or .tsf.")
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("latin-1").encode()
        remarks.append("the text is not UTF-8 and was read as latin-1")
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    if not content or content.isspace():
        raise DataError(f"{title} is empty.", "give a table with some rows in it.")
    return content, remarks


def _delimiter(lines: Sequence[str]) -> str:
    def merit(delimiter: str) -> tuple[int, int]:
        with any_width():
            widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter)]
        return sum(width > 1 for width in widths), -len(set(widths))

    return max(reversed(_DELIMITERS), key=merit)


def _header(rows: list[list[str | None]]) -> list[str | None] | None:
    """Return the first row where it is a header: it has a text, or counts columns, or numbers columns of decimals."""
    first, rest = rows[0], rows[1:]
    cells = [cell.strip() for cell in first if cell and cell.strip()]
    if not all(map(is_number, cells)):
        return first
    if len(first) == 1 or len(set(cells)) < len(first) or not all(cell.isdecimal() for cell in cells) or not rest:
        return None
    count = int(cells[0])
    if len(cells) > 2 and count in (0, 1) and [int(cell) for cell in cells] == [*range(count, count + len(cells))]:
        return first
    decimal = [any("." in (row[place] or "") for row in rest) for place in range(len(first))]
    return first if 2 * sum(decimal) > len(first) else None


def _named(header: list[str | None]) -> list[str]:
    """Return the header's names; a column without one is called by its number."""
    return [(cell or "").strip() or str(number) for number, cell in enumerate(header, 1)]


def _check_distinct(names: list[str], title: str) -> None:
    from .tables import check_distinct

    check_distinct(names, title)


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """Drop lines without a cell from the end; between rows they stay, so that rows keep their numbers."""
    import polars as pl

    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    given = (~blank).arg_true()
    return frame.head(int(given[-1]) + 1 if given.len() else 0)


def _misshapen(content: bytes, delimiter: str, title: str) -> DataError:
    """Return the error for what polars could not cut into cells: the first row of another width, or its quotes."""
    lines = (line.decode(errors="replace") for line in content.splitlines(keepends=True))
    width = number = 0
    try:
        with any_width():
            for number, cells in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), 1):
                width = width or len(cells)
                if len(cells) > width:
                    return DataError(
                        f"{title}, row {number:,}: it has {len(cells):,} cells, and the first row has {width:,}.",
                        "put quotes around a text that holds the delimiter, or correct the row.",
                    )
    except csv.Error as error:
        return DataError(f"{title}, row {number + 1:,}: {error}.", 'check the quotes (") of that row.')
    return DataError(f"{title} cannot be cut into cells.", "check its quotes and delimiters.")


def _span(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]}, … {names[-1]}"
